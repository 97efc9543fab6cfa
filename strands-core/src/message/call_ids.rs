//! Ids of tool calls that are taken. Some servers count calls in each response anew, so that their ids repeat in a
//! conversation; providers refuse such a conversation, or give a result to the wrong call.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::random_uuid;

/// An id for a call that has none. OpenAI takes no more than these 40 characters.
pub(crate) fn random_call_id() -> String {
    format!("tooluse_{}", random_uuid().simple())
}

/// The ids of the tool calls of a conversation.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallIds {
    /// Each id with the number that the newest repetition of it got.
    taken: HashMap<String, u64>,
}

impl CallIds {
    fn has(&self, id: &str) -> bool {
        self.taken.contains_key(id)
    }

    fn newest_number(&self, id: &str) -> u64 {
        self.taken.get(id).copied().unwrap_or(1)
    }

    /// Takes an id. Returns the id to use in its place if it is taken here or in `others`: the id with a number behind it.
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

    /// Returns false if the id is taken. The next repetition is looked for behind the newest one, however many there are.
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

    /// Frees the id of a call that is no longer part of the conversation.
    pub(crate) fn free(&mut self, id: &str) {
        self.taken.remove(id);
    }
}

/// Digits of the largest number that a repetition may have.
const MAX_DIGITS: usize = 10;

/// The original id and the number, if an id has the form of a repetition. Numbers that no conversation gets to are part of
/// an id.
fn as_repetition(id: &str) -> Option<(&str, u64)> {
    let digits = id.bytes().rev().take(MAX_DIGITS + 1).take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > MAX_DIGITS {
        return None;
    }
    let (original, number) = id.split_at_checked(id.len().checked_sub(digits)?)?;
    Some((original.strip_suffix('_')?, number.parse::<u32>().ok()?.into()))
}

/// Returns the id that a repetition was made of.
pub(crate) fn original_id(id: &str) -> Option<&str> {
    Some(as_repetition(id)?.0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_repeated_id_gets_a_number() {
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
    fn the_next_number_is_not_searched_from_the_first() {
        let mut history = CallIds::default();
        for count in 1..=2_000_u64 {
            // As in a response: the history is asked, and learns of the id afterwards.
            let unique = CallIds::default().take("a", Some(&history)).unwrap_or_else(|| "a".to_owned());
            assert_eq!(history.take(&unique, None), None);
            assert_eq!(history.newest_number("a"), count);
        }
    }

    proptest! {
        #[test]
        fn ids_are_unique_whatever_they_are(
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
