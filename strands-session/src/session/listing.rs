//! The numbers of the messages in the store.

use strands_core::session::SessionError;

use super::StoredSession;
use crate::document_store::Document;
use crate::documents::{self, Truncation};
use crate::layout;

/// Listings of a conversation that others are writing.
const LISTINGS: usize = 5;

/// The numbers of the messages in the store, ascending.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) numbers: Vec<u64>,
    /// Those that were removed, and whose documents are still there.
    pub(super) removed: Vec<u64>,
}

impl StoredSession {
    /// Lists the messages that a truncation has left.
    pub(super) async fn list(&self, truncation: Option<&Truncation>) -> Result<Listing, SessionError> {
        let all = self.list_all(truncation).await?;
        let Some(truncation) = truncation else { return Ok(Listing { numbers: all, removed: Vec::new() }) };
        let (covered, mut numbers): (Vec<u64>, Vec<u64>) =
            all.into_iter().partition(|number| truncation.covers(*number));
        let (mut removed, unclear): (Vec<u64>, Vec<u64>) =
            covered.into_iter().partition(|number| truncation.deleting && truncation.newest_covers(*number));
        if unclear.is_empty() {
            return Ok(Listing { numbers, removed });
        }
        // Strands goes on behind the newest document. But a worker of ours did not know of the truncation.
        let keys: Vec<String> = unclear.iter().map(|number| self.message_key(*number)).collect();
        let is_void = |index: usize, place: &str, document: Document| {
            let number = unclear.get(index).copied().unwrap_or_default();
            let batch = documents::batch(place, &document.content)?;
            Ok((number, truncation.voids(number, batch.follows_truncation)))
        };
        for (number, is_void) in self.storage.read_all(&keys, is_void).await? {
            if is_void { removed.push(number) } else { numbers.push(number) }
        }
        numbers.sort_unstable();
        Ok(Listing { numbers, removed })
    }

    async fn list_all(&self, truncation: Option<&Truncation>) -> Result<Vec<u64>, SessionError> {
        let mut numbers = self.list_once().await?;
        for _ in 1..LISTINGS {
            if is_whole(&numbers, truncation) {
                break;
            }
            // A listing takes a while, and may have the newer of two messages that were written meanwhile without the
            // older. A gap that stays is one.
            let again = self.list_once().await?;
            if again == numbers {
                break;
            }
            numbers = again;
        }
        Ok(numbers)
    }

    async fn list_once(&self) -> Result<Vec<u64>, SessionError> {
        let names = self.storage.names(&self.folder).await?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| layout::message_number(name)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }
}

/// True if no number is left out but those of removed messages.
fn is_whole(numbers: &[u64], truncation: Option<&Truncation>) -> bool {
    let mut expected = 0;
    numbers.iter().all(|number| {
        let is_next =
            *number == expected || truncation.is_some_and(|truncation| truncation.explains(expected..*number));
        expected = number.saturating_add(1);
        is_next
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_those_of_truncations() {
        let truncation = Truncation::new(Some(1), 4, None);
        assert!(is_whole(&[], None));
        assert!(is_whole(&[0, 1, 2], None));
        assert!(!is_whole(&[0, 2], None));
        assert!(!is_whole(&[1], None));
        assert!(is_whole(&[0, 1, 4, 5], Some(&truncation)));
        assert!(!is_whole(&[0, 1, 4, 6], Some(&truncation)));
        assert!(!is_whole(&[0, 1, 5], Some(&truncation)));
        let all = Truncation::new(None, 4, None);
        assert!(is_whole(&[4, 5], Some(&all)));
    }
}
