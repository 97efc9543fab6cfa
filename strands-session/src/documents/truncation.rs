//! Truncation marker in an agent's document: the numbers of removed messages.

use serde::{Deserialize, Serialize};

/// Maximum number of older truncations in a marker. Truncations accumulate only if each leaves a message between itself
/// and the one before.
const MAX_EARLIER: usize = 64;

/// Messages that were removed from the end of a conversation. Their numbers are not used again, so that a worker that does
/// not know of the truncation can't append in their place unnoticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Truncation {
    /// The newest truncation.
    #[serde(flatten)]
    newest: Removed,
    /// True while documents of removed messages may still exist.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deleting: bool,
    /// Older truncations that the newest does not include, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Removed>,
}

/// A range of numbers of removed messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Removed {
    /// The number of the last remaining message.
    after: Option<u64>,
    /// The lowest number of the next message. It grows with each truncation, and so identifies the newest truncation that
    /// a worker knows.
    before: u64,
}

impl Removed {
    fn covers(&self, number: u64) -> bool {
        number < self.before && self.starts_at() <= number
    }

    fn starts_at(&self) -> u64 {
        self.after.map_or(0, |after| after.saturating_add(1))
    }
}

impl Truncation {
    /// Creates a truncation of a conversation that may have been truncated before. `next` is the number after all removed
    /// messages.
    pub(crate) fn new(after: Option<u64>, next: u64, known: Option<&Self>) -> Self {
        let before = known.map_or(1, |known| known.before().saturating_add(1)).max(next);
        let newest = Removed { after, before };
        let known = known.iter().flat_map(|known| known.removed()).filter(|removed| removed.after < after);
        let mut earlier: Vec<Removed> = known.cloned().collect();
        earlier.drain(..earlier.len().saturating_sub(MAX_EARLIER));
        Self { newest, deleting: true, earlier }
    }

    /// Returns the number of the last message that remained after the newest truncation.
    pub(crate) fn after(&self) -> Option<u64> {
        self.newest.after
    }

    /// Returns the lowest number of the next message.
    pub(crate) fn before(&self) -> u64 {
        self.newest.before
    }

    /// Returns true for the number of a removed message.
    pub(crate) fn covers(&self, number: u64) -> bool {
        self.removed().any(|removed| removed.covers(number))
    }

    /// Returns true for the number of a message that the newest truncation has removed.
    pub(crate) fn newest_covers(&self, number: u64) -> bool {
        self.newest.covers(number)
    }

    /// Returns true for a void document: its writer did not know of a truncation that covers its number. `follows` is the
    /// truncation in the document that its writer knew; documents of Strands have none and are never void.
    pub(crate) fn voids(&self, number: u64, follows: Option<u64>) -> bool {
        let Some(follows) = follows else { return false };
        self.removed().any(|removed| removed.covers(number) || (number >= removed.before && follows < removed.before))
    }

    /// Returns true if a truncation explains a gap between message numbers.
    pub(crate) fn explains(&self, gap: std::ops::Range<u64>) -> bool {
        self.removed().any(|removed| removed.starts_at() <= gap.start && gap.end == removed.before)
    }

    /// Returns true for the same truncation, whether its documents are deleted or not.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.newest == other.newest
    }

    fn removed(&self) -> impl Iterator<Item = &Removed> {
        self.earlier.iter().chain([&self.newest])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_older_truncations_into_a_newer_one() {
        let one = Truncation::new(Some(1), 4, None);
        let two = Truncation::new(Some(5), 8, Some(&one));
        assert_eq!(two.earlier.len(), 1);
        assert!([2, 3, 6, 7].iter().all(|number| two.covers(*number)));
        assert!([0, 1, 4, 5, 8].iter().all(|number| !two.covers(*number)));
        let three = Truncation::new(Some(0), 8, Some(&two));
        assert_eq!((three.earlier.len(), three.before()), (0, 9));
    }

    #[test]
    fn voids_documents_of_workers_that_do_not_know_the_truncation() {
        let truncation = Truncation::new(Some(1), 4, None);
        assert!(truncation.voids(3, Some(0)) && truncation.voids(4, Some(0)) && truncation.voids(3, Some(4)));
        assert!(!truncation.voids(1, Some(0)) && !truncation.voids(4, Some(4)));
        assert!(!truncation.voids(2, None) && !truncation.voids(4, None));
    }

    #[test]
    fn limits_the_size_of_a_marker() {
        let mut truncation = Truncation::new(Some(0), 2, None);
        for number in 1..1_000 {
            truncation = Truncation::new(Some(number * 10), number * 10 + 2, Some(&truncation));
        }
        assert_eq!(truncation.earlier.len(), MAX_EARLIER);
    }
}
