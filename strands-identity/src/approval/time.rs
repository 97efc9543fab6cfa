//! Times of requests and responses: RFC 3339 in UTC with milliseconds.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// Returns the current time.
pub(super) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Formats a time.
pub(super) fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Returns the time after a duration, or the end of time.
pub(super) fn after(time: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    let duration = TimeDelta::from_std(duration).ok();
    duration.and_then(|duration| time.checked_add_signed(duration)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Returns true if a time has passed, or is not a time.
pub(super) fn has_passed(time: &str) -> bool {
    DateTime::parse_from_rfc3339(time).map_or(true, |time| time <= now())
}
