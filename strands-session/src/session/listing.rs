//! Listing of the message numbers in the store.

use strands_core::session::SessionError;

use super::StoredSession;
use crate::document_store::Document;
use crate::documents::{self, Truncation};
use crate::key_layout;

/// Maximum number of listings of a conversation that other workers are writing.
const LISTINGS: usize = 5;

/// The numbers of the messages in the store, ascending.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) numbers: Vec<u64>,
    /// The numbers of removed messages whose documents still exist.
    pub(super) removed: Vec<u64>,
}

impl StoredSession {
    /// Lists the messages, without those that a truncation has removed.
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
        // Strands appends after the newest document; those messages are valid. A document that another worker of this
        // crate wrote without knowing of the truncation is void.
        let keys: Vec<String> = unclear.iter().map(|number| self.message_key(*number)).collect();
        let is_void = |index: usize, location: &str, document: Document| {
            let number = unclear.get(index).copied().unwrap_or_default();
            let batch = documents::batch(location, &document.content)?;
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
            // A listing is not atomic: of two messages written meanwhile it may have the newer without the older. A gap
            // in two listings is real.
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
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| key_layout::message_number(name)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }
}

/// Returns true if no number is missing except those of removed messages.
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
    fn accepts_gaps_of_truncations_only() {
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
