//! Times of a row. All sides run in turn, so that a disturbance affects each of them.

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

use crate::serve::Servers;
use crate::work::{Clock, Row, Side, Work};

/// The times of one side, ascending.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn fastest(&self) -> Duration {
        self.0.first().copied().unwrap()
    }

    pub(crate) fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }
}

/// Measures a row: all sides once to warm up, and then in turn.
pub(crate) fn measure(row: &Row, servers: &Servers) -> [Times; 3] {
    let mut work = (row.work)(servers);
    compare(row, &mut *work, servers);
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..row.rounds {
        for (side, times) in Side::ALL.into_iter().zip(&mut times) {
            work.prepare(side);
            times.push(timed(row.clock, &mut *work));
        }
    }
    times.map(|mut times| {
        times.sort();
        Times(times)
    })
}

/// Asserts that all sides send the same bytes and have the same outcome; otherwise comparing them is meaningless.
fn compare(row: &Row, work: &mut dyn Work, servers: &Servers) {
    let mut run = |side| {
        servers.bodies();
        work.prepare(side);
        let outcome = work.run();
        (outcome, servers.bodies())
    };
    let (expected, bodies) = run(Side::HandWritten);
    for side in [Side::Awaited, Side::Streamed] {
        let (outcome, sent) = run(side);
        assert_eq!(outcome, expected, "{}: {}", row.name, side.name());
        assert_eq!(sent.len(), bodies.len(), "{}: {}", row.name, side.name());
        for (sent, body) in sent.iter().zip(&bodies) {
            let (sent, body) = (String::from_utf8_lossy(sent), String::from_utf8_lossy(body));
            assert_eq!(sent, body, "{}: {}", row.name, side.name());
        }
    }
}

/// Returns the time of the prepared run.
pub(crate) fn timed(clock: Clock, work: &mut dyn Work) -> Duration {
    match clock {
        Clock::Thread => {
            let start = ThreadTime::now();
            std::hint::black_box(work.run());
            start.elapsed()
        }
        Clock::Wall => {
            let start = Instant::now();
            std::hint::black_box(work.run());
            start.elapsed()
        }
    }
}
