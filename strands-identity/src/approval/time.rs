//! Times of requests and responses: RFC 3339 in UTC with milliseconds.

use std::time::{Duration, SystemTime};

use crate::audit::rfc3339;

/// Returns the current time.
pub(super) fn now() -> String {
    rfc3339(SystemTime::now())
}

/// Returns the time after a duration from now. `None` if the system has no such time.
pub(super) fn after(duration: Duration) -> Option<String> {
    SystemTime::now().checked_add(duration).map(rfc3339)
}

/// Returns true if a time has passed, or is not a time.
pub(super) fn has_passed(time: &str) -> bool {
    humantime::parse_rfc3339(time).map_or(true, |time| time <= SystemTime::now())
}
