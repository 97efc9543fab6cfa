//! Delivery options of a response: splits, framing, waits and cuts.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// Splits of a body into chunks, each written and flushed separately.
///
/// With [`Framing::Chunked`] every split is one HTTP chunk, so a client that passes on chunk by chunk (hyper does) sees
/// exactly these chunks; with the other framings the kernel may join separate writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Splits {
    /// One chunk.
    #[default]
    Whole,
    /// Chunks end at these offsets, in bytes from the start of the body.
    At(Vec<usize>),
    /// Chunks of this many bytes: `Every(1)` is the hardest test of a parser.
    Every(usize),
    /// Chunks of one to `max` bytes, the same ones for the same seed.
    Random {
        /// Seed; print it when an assertion fails.
        seed: u64,
        /// Longest chunk in bytes.
        max: usize,
    },
}

impl Splits {
    /// Returns the end offsets of the chunks of a body of `length` bytes, ascending; the last one is `length`.
    pub fn ends(&self, length: usize) -> Vec<usize> {
        let mut ends: Vec<usize> = match self {
            Self::Whole => Vec::new(),
            Self::At(offsets) => offsets.iter().copied().filter(|&offset| offset > 0 && offset < length).collect(),
            Self::Every(size) => (1..).map(|n| n * (*size).max(1)).take_while(|&end| end < length).collect(),
            Self::Random { seed, max } => {
                let mut random = fastrand::Rng::with_seed(*seed);
                let mut ends = Vec::new();
                let mut end = 0;
                loop {
                    end += random.usize(1..=(*max).max(1));
                    if end >= length {
                        break ends;
                    }
                    ends.push(end);
                }
            }
        };
        ends.push(length);
        ends.sort_unstable();
        ends.dedup();
        ends
    }
}

/// Framing that delimits the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// A `content-length` header.
    #[default]
    ContentLength,
    /// `transfer-encoding: chunked`, one chunk per split.
    Chunked,
    /// Neither: the body ends with the connection, so a cut looks like the end.
    UntilClose,
}

/// Kind of cut that ends a body early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The connection is closed (FIN) before the announced length.
    Close,
    /// The connection is reset (RST); the client may lose bytes it has not read yet.
    Reset,
    /// The HTTP message ends properly with a shorter body: only the parser of the body can notice.
    Clean,
}

/// A gate at which a response waits until the test opens it.
///
/// Clones share one gate. A waiting response notices at once when its client closes the connection.
///
/// ```
/// use strands_testkit::{Gate, Response};
///
/// let gate = Gate::new();
/// let response = Response::new(200).body("first second").hold_at(6, &gate);
/// // Read `first `, assert that it arrived before the rest was sent, then:
/// gate.open();
/// # drop(response);
/// ```
#[derive(Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// Creates a closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Opens the gate for all responses that wait at it, now and later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Waits until the gate is open.
    pub(crate) async fn opened(&self) {
        // This gate holds the sender, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Gate").field(if *self.0.borrow() { &"open" } else { &"closed" }).finish()
    }
}

/// A wait: at a gate, or (a stall) until the client has closed the connection.
#[derive(Clone, Debug)]
pub(crate) enum Hold {
    Gate(Gate),
    Stall,
}

/// Delivery of a response: all that is not the message itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) framing: Framing,
    pub(crate) splits: Splits,
    /// Wait before the first byte of the head.
    pub(crate) head: Option<Hold>,
    /// Waits inside the body, by offset.
    pub(crate) holds: Vec<(usize, Hold)>,
    pub(crate) cut: Option<(usize, Cut)>,
}

impl Delivery {
    /// Returns the end offsets of the chunks: those of the splits, and each offset at which the body waits.
    pub(crate) fn ends(&self, length: usize) -> Vec<usize> {
        let mut ends = self.splits.ends(length);
        ends.extend(self.holds.iter().map(|(offset, _)| *offset).filter(|&offset| offset > 0 && offset < length));
        ends.sort_unstable();
        ends.dedup();
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_the_body_in_order() {
        assert_eq!(Splits::Whole.ends(5), [5]);
        assert_eq!(Splits::Whole.ends(0), [0]);
        assert_eq!(Splits::At(vec![3, 0, 1, 3, 9]).ends(5), [1, 3, 5]);
        assert_eq!(Splits::Every(2).ends(5), [2, 4, 5]);
        assert_eq!(Splits::Every(0).ends(3), [1, 2, 3]);
    }

    #[test]
    fn random_chunks_repeat_with_their_seed() {
        for length in [0, 1, 2, 100, 1000] {
            let ends = Splits::Random { seed: 7, max: 9 }.ends(length);
            assert_eq!(ends, Splits::Random { seed: 7, max: 9 }.ends(length));
            assert_eq!(ends.last(), Some(&length));
            let longest = ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
            assert!(longest <= 9, "a piece of {longest} bytes");
        }
        assert_ne!(Splits::Random { seed: 1, max: 9 }.ends(1000), Splits::Random { seed: 2, max: 9 }.ends(1000));
    }

    #[test]
    fn a_wait_ends_a_chunk() {
        let delivery = Delivery { holds: vec![(3, Hold::Stall), (99, Hold::Stall)], ..Delivery::default() };
        assert_eq!(delivery.ends(5), [3, 5]);
    }
}
