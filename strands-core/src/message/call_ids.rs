//! Set of a conversation's tool-call ids. Some servers number the calls of each response from zero, so their ids repeat;
//! providers reject such a conversation, or assign a result to the wrong call.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::random_uuid;

/// Returns a random id, of 40 characters: OpenAI's limit.
pub(crate) fn random_call_id() -> String {
    format!("tooluse_{}", random_uuid().simple())
}

/// Ids of the tool calls in a conversation.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallIds {
    /// Each id with the number of its newest repetition.
    taken: HashMap<String, u64>,
}

impl CallIds {
    pub(crate) fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.taken.contains_key(id)
    }

    fn newest_number(&self, id: &str) -> u64 {
        self.taken.get(id).copied().unwrap_or(1)
    }

    /// Takes an id. If it is taken here or in `others`, takes and returns another one: the id with a number as suffix.
    pub(crate) fn take(&mut self, id: &str, others: Option<&Self>) -> Option<String> {
        let have = |id: &str| others.is_some_and(|others| others.has(id));
        if !have(id) && self.insert(id.to_owned()) {
            return None;
        }
        let mut number = self.newest_number(id).max(others.map_or(1, |others| others.newest_number(id)));
        let unique = loop {
            number = number.saturating_add(1);
            let unique = format!("{id}_{number}");
            if !self.has(&unique) && !have(&unique) {
                break unique;
            }
        };
        self.insert(unique.clone());
        Some(unique)
    }

    /// Inserts an id; returns false if it is taken. The number of the newest repetition is tracked, so the next one is
    /// found without a search.
    fn insert(&mut self, id: String) -> bool {
        if let Some((original, number)) = as_repetition(&id)
            && let Some(newest) = self.taken.get_mut(original)
        {
            *newest = number.max(*newest);
        }
        match self.taken.entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(1);
                true
            }
        }
    }

    /// Releases the id of a call that has been removed from the conversation.
    pub(crate) fn free(&mut self, id: &str) {
        self.taken.remove(id);
    }
}

/// Maximum number of digits of a repetition's number.
const MAX_DIGITS: usize = 10;

/// Returns the original id and the number, if an id has the form of a repetition. A number above `u32::MAX` counts as part
/// of the id.
fn as_repetition(id: &str) -> Option<(&str, u64)> {
    let digits = id.bytes().rev().take(MAX_DIGITS + 1).take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > MAX_DIGITS {
        return None;
    }
    let (original, number) = id.split_at_checked(id.len().checked_sub(digits)?)?;
    Some((original.strip_suffix('_')?, number.parse::<u32>().ok()?.into()))
}

/// Returns the id that a repetition was made from.
pub(crate) fn original_id(id: &str) -> Option<&str> {
    Some(as_repetition(id)?.0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_repeated_ids() {
        let mut ids = CallIds::default();
        assert_eq!(ids.take("look:0", None), None);
        assert_eq!(ids.take("look:0", None).as_deref(), Some("look:0_2"));
        assert_eq!(ids.take("look:0_3", None), None);
        assert_eq!(ids.take("look:0", None).as_deref(), Some("look:0_4"));
        ids.free("look:0");
        assert_eq!(ids.take("look:0", None), None);
        assert_eq!(original_id("look:0_4"), Some("look:0"));
    }

    #[test]
    fn finds_the_next_number_without_a_search() {
        let mut history = CallIds::default();
        for count in 1..=2_000_u64 {
            // As for a response: its ids are compared with the history and added to it afterwards.
            let unique = CallIds::default().take("a", Some(&history)).unwrap_or_else(|| "a".to_owned());
            assert_eq!(history.take(&unique, None), None);
            assert_eq!(history.newest_number("a"), count);
        }
    }

    proptest! {
        #[test]
        fn ids_are_always_unique(
            earlier in prop::collection::vec("[a_]{0,2}(_[0-9]{1,20})?", 0..12),
            ids in prop::collection::vec("[a_]{0,2}(_[0-9]{1,20})?", 0..12),
        ) {
            let mut history = CallIds::default();
            let mut all = HashSet::new();
            for id in &earlier {
                let unique = history.take(id, None).unwrap_or_else(|| id.clone());
                prop_assert!(all.insert(unique));
            }
            let mut response = CallIds::default();
            for id in &ids {
                let unique = response.take(id, Some(&history)).unwrap_or_else(|| id.clone());
                prop_assert!(all.insert(unique));
            }
        }
    }
}
