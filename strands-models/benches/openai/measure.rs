//! Processor time of the client's thread. All sides run in turn, so that a disturbance affects each of them.

use std::time::Duration;

use cpu_time::ThreadTime;

/// Measures the processor time of a closure.
pub(crate) fn timed<R>(work: impl FnOnce() -> R) -> Duration {
    let start = ThreadTime::now();
    std::hint::black_box(work());
    start.elapsed()
}

/// The times of one side.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    fn fastest(&self) -> Duration {
        self.0.first().copied().unwrap()
    }

    fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }
}

/// Runs each side once to warm up, and then all of them `rounds` times, always in the same order.
pub(crate) fn interleaved<const N: usize>(rounds: usize, mut sides: [&mut dyn FnMut() -> Duration; N]) -> [Times; N] {
    let mut times = [const { Vec::new() }; N];
    for round in 0..=rounds {
        for (side, times) in sides.iter_mut().zip(&mut times) {
            let time = side();
            if round > 0 {
                times.push(time);
            }
        }
    }
    times.map(|mut times| {
        times.sort();
        Times(times)
    })
}

/// A results table with one row per measurement: the hand-written loop's time for one item, and the agent's as ratios
/// to it.
pub(crate) struct Table;

impl Table {
    pub(crate) fn begin() -> Self {
        println!("| work | hand-written | awaited | streamed | awaited, fastest | streamed, fastest |");
        println!("|---|---|---|---|---|---|");
        Self
    }

    pub(crate) fn row(&self, work: &str, items: u32, [hand_written, awaited, streamed]: &[Times; 3]) {
        let ratio = |side: fn(&Times) -> Duration, times| side(times).as_secs_f64() / side(hand_written).as_secs_f64();
        println!(
            "| {work} | {:.2?} | {:.2} | {:.2} | {:.2} | {:.2} |",
            hand_written.median() / items,
            ratio(Times::median, awaited),
            ratio(Times::median, streamed),
            ratio(Times::fastest, awaited),
            ratio(Times::fastest, streamed),
        );
    }
}
