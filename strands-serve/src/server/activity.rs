//! Activity of one connection: its requests, and how long it has waited for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::response_body::{Sending, release_if_stalled};

/// Longest waits of a connection for its client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    pub(super) header: Duration,
    pub(super) body: Duration,
    pub(super) idle: Duration,
    pub(super) write: Duration,
}

/// Requests of one connection. hyper's own timeout of headers counts an idle connection, too, and does not end before the
/// version of HTTP is known, nor on HTTP/2.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    first_request: Notify,
}

#[derive(Debug)]
struct State {
    in_flight: usize,
    has_requests: bool,
    multiplexed: bool,
    /// Number of the next request.
    next: u64,
    /// Bodies of the responses that are being sent on HTTP/2, by the numbers of their requests.
    sending: HashMap<u64, Arc<Mutex<Sending>>>,
    idle_since: Instant,
    /// Arrival of the first byte of the next request.
    header_since: Option<Instant>,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        let state = State {
            in_flight: 0,
            has_requests: false,
            multiplexed: false,
            next: 0,
            sending: HashMap::new(),
            idle_since: Instant::now(),
            header_since: None,
        };
        Arc::new(Self { state: Mutex::new(state), first_request: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that bytes arrived.
    pub(super) fn received(&self) {
        let mut state = self.state();
        // Frames of HTTP/2 are not always part of a request.
        if state.in_flight == 0 && !state.multiplexed && state.header_since.is_none() {
            state.header_since = Some(Instant::now());
        }
    }

    /// Records the start of a request. It ends when the returned value is dropped.
    pub(super) fn request(self: &Arc<Self>, multiplexed: bool) -> InFlight {
        let mut state = self.state();
        state.in_flight += 1;
        state.has_requests = true;
        state.multiplexed = multiplexed;
        state.header_since = None;
        let number = state.next;
        state.next = number.wrapping_add(1);
        drop(state);
        self.first_request.notify_one();
        InFlight { activity: Arc::clone(self), number }
    }

    /// Releases the bodies of responses that the client has not read for longer than a time.
    pub(super) fn release_stalled(&self, now: Instant, timeout: Duration) {
        let sending: Vec<_> = self.state().sending.values().map(Arc::clone).collect();
        sending.iter().for_each(|body| release_if_stalled(body, now, timeout));
    }

    /// Waits for the first request, and returns at once if there was one.
    pub(super) async fn first_request(&self) {
        if !self.state().has_requests {
            self.first_request.notified().await;
        }
    }

    /// Returns when to look again, or `None` if the connection has waited too long for a request.
    pub(super) fn next_check(&self, now: Instant, timeouts: &Timeouts) -> Option<Instant> {
        let state = self.state();
        let latest = now + timeouts.header.min(timeouts.idle).min(timeouts.write);
        if state.in_flight > 0 {
            return Some(latest);
        }
        let end = match state.header_since {
            Some(since) => since + timeouts.header,
            None => state.idle_since + timeouts.idle,
        };
        (now < end).then(|| end.min(latest))
    }
}

/// A request that has not ended.
#[derive(Debug)]
pub(super) struct InFlight {
    activity: Arc<Activity>,
    number: u64,
}

impl InFlight {
    /// Records the body of the response.
    pub(super) fn sends(&self, body: &Arc<Mutex<Sending>>) {
        let mut state = self.activity.state();
        if state.multiplexed {
            state.sending.insert(self.number, Arc::clone(body));
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        let sent = state.sending.remove(&self.number);
        state.in_flight = state.in_flight.saturating_sub(1);
        state.idle_since = Instant::now();
        drop(state);
        drop(sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const TIMEOUTS: Timeouts = Timeouts { header: SECOND, body: SECOND, idle: Duration::from_secs(5), write: SECOND };

    #[tokio::test(start_paused = true)]
    async fn expires_by_header_or_idle_timeout_but_not_during_a_request() {
        let activity = Activity::new();
        let began = Instant::now();
        assert_eq!(activity.next_check(began, &TIMEOUTS), Some(began + SECOND));
        assert_eq!(activity.next_check(began + 5 * SECOND, &TIMEOUTS), None);
        activity.received();
        assert_eq!(activity.next_check(began + SECOND, &TIMEOUTS), None);
        let request = activity.request(false);
        assert!(activity.next_check(began + 60 * SECOND, &TIMEOUTS).is_some());
        tokio::time::advance(10 * SECOND).await;
        drop(request);
        assert!(activity.next_check(began + 14 * SECOND, &TIMEOUTS).is_some());
        assert_eq!(activity.next_check(began + 15 * SECOND, &TIMEOUTS), None);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_of_an_idle_http2_connection_are_no_header() {
        let activity = Activity::new();
        drop(activity.request(true));
        let began = Instant::now();
        activity.received();
        assert!(activity.next_check(began + 4 * SECOND, &TIMEOUTS).is_some());
        assert_eq!(activity.next_check(began + 5 * SECOND, &TIMEOUTS), None);
    }
}
