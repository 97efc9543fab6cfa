//! The model of all sides: it responds as the prompt says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::MissedTickBehavior;

/// A response in deltas: the prompt `20 0 0` asks for 20 deltas at once, `50 20 4000` for 50 deltas every 20 ms with 4,000 bytes
/// each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) deltas: u32,
    pub(crate) interval: Duration,
    pub(crate) padding: usize,
}

impl Answer {
    pub(crate) fn prompt(self) -> String {
        format!("{} {} {}", self.deltas, self.interval.as_millis(), self.padding)
    }

    pub(crate) fn to(prompt: &str) -> Self {
        let numbers: Vec<u32> = prompt.split(' ').map(|number| number.parse().unwrap()).collect();
        let interval = Duration::from_millis(numbers[1].into());
        Self { deltas: numbers[0], interval, padding: usize::try_from(numbers[2]).unwrap() }
    }

    /// Returns the texts. Those with a time between them are `index:microseconds since 1970:padding`.
    pub(crate) fn texts(self) -> impl Stream<Item = String> + Send + 'static {
        if self.interval.is_zero() {
            return stream::iter((0..self.deltas).map(|_| "word ".to_owned())).left_stream();
        }
        let start = tokio::time::Instant::now() + self.interval;
        let mut ticks = tokio::time::interval_at(start, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let padding = "x".repeat(self.padding);
        let state = (ticks, padding);
        stream::iter(0..self.deltas)
            .zip(stream::unfold(state, async |(mut ticks, padding)| {
                ticks.tick().await;
                Some((padding.clone(), (ticks, padding)))
            }))
            .map(|(index, padding)| format!("{index}:{}:{padding} ", now()))
            .right_stream()
    }
}

/// Returns the microseconds since 1970, by the clock that all processes of this machine share.
pub(crate) fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}
