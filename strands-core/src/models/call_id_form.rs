//! Formats of tool-call ids. A conversation may hold ids from another provider, whose format differs.

use std::borrow::Cow;

/// Format of tool-call ids that a provider accepts.
///
/// [`apply`](Self::apply) replaces ids of another format. The same id always has the same replacement, so a call and its
/// result match, and the provider's prompt cache stays valid. Different ids have different replacements: each carries a hash
/// of 128 bits, or of as many as fit, and an id that looks like a replacement is itself replaced.
///
/// ```
/// use strands::models::CallIdForm;
///
/// const FORM: CallIdForm = CallIdForm::up_to(64).words();
/// assert_eq!(FORM.apply("toolu_01A"), "toolu_01A");
/// let replaced = FORM.apply("functions.look:0");
/// assert!(replaced.starts_with("functions_look_0_x"));
/// assert_eq!(replaced, FORM.apply("functions.look:0"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallIdForm {
    shortest: usize,
    longest: usize,
    characters: Characters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Characters {
    Any,
    Words,
    Alphanumeric,
}

/// Length of a hash of 128 bits in letters and digits, and the separator before it.
const HASH: usize = 22;
const MARK: &str = "_x";

impl CallIdForm {
    /// Creates a format of ids of at most `longest` bytes, with any characters.
    pub const fn up_to(longest: usize) -> Self {
        Self { shortest: 1, longest, characters: Characters::Any }
    }

    /// Creates a format of ids of exactly `length` ASCII letters and digits.
    pub const fn alphanumeric(length: usize) -> Self {
        Self { shortest: length, longest: length, characters: Characters::Alphanumeric }
    }

    /// Restricts ids to ASCII letters, digits, `_` and `-`.
    #[must_use]
    pub const fn words(self) -> Self {
        Self { characters: Characters::Words, ..self }
    }

    /// Returns the id if it has this format, otherwise its replacement.
    pub fn apply<'a>(&self, id: &'a str) -> Cow<'a, str> {
        if self.fits(id) && !self.is_replacement(id) {
            return Cow::Borrowed(id);
        }
        let mut replacement = String::with_capacity(self.longest.min(id.len() + MARK.len() + HASH));
        let hash = match self.readable() {
            Some(readable) => {
                let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
                replacement.extend(id.chars().take(readable).map(allowed));
                replacement.push_str(MARK);
                HASH
            }
            None => self.longest,
        };
        let mut number = hash_of(id);
        for _ in 0..hash {
            // The remainder is an index of the digits.
            let digit = usize::try_from(number % DIGITS.len() as u128).ok().and_then(|at| DIGITS.get(at));
            replacement.extend(digit.map(|digit| char::from(*digit)));
            number /= DIGITS.len() as u128;
        }
        Cow::Owned(replacement)
    }

    fn fits(&self, id: &str) -> bool {
        let allowed = |byte: u8| match self.characters {
            Characters::Any => true,
            Characters::Words => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Characters::Alphanumeric => byte.is_ascii_alphanumeric(),
        };
        (self.shortest..=self.longest).contains(&id.len()) && id.bytes().all(allowed)
    }

    /// Maximum number of characters of the id before its hash, if there is space for both.
    fn readable(&self) -> Option<usize> {
        let alone = self.characters == Characters::Alphanumeric;
        self.longest.checked_sub(MARK.len() + HASH).filter(|_| !alone)
    }

    fn is_replacement(&self, id: &str) -> bool {
        let hash = id.rsplit_once(MARK).map(|(_, hash)| hash);
        self.readable().is_some()
            && hash.is_some_and(|hash| hash.len() == HASH && hash.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    }
}

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// FNV-1a with 128 bits. Its values are stable across platforms and versions, unlike those of the standard library.
fn hash_of(text: &str) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

    text.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const FORMS: [CallIdForm; 4] =
        [CallIdForm::up_to(64).words(), CallIdForm::up_to(64), CallIdForm::up_to(40), CallIdForm::alphanumeric(9)];

    proptest! {
        #[test]
        fn any_id_gets_the_format(id in ".{0,80}", other in "[a:_]{0,3}") {
            for form in FORMS {
                let sent = form.apply(&id);
                prop_assert!(form.fits(&sent), "{sent}");
                prop_assert_eq!(form.apply(&id), sent.as_ref());
                prop_assert_eq!(form.apply(&other) == sent, other == id, "{} and {}", id, other);
            }
        }
    }

    #[test]
    fn keeps_ids_that_have_the_format() {
        for (form, id) in FORMS.into_iter().zip(["toolu_01A-b", "functions.look:0", "call_8Zk2", "D681PevKs"]) {
            assert!(matches!(form.apply(id), Cow::Borrowed(_)), "{id}");
        }
    }

    #[test]
    fn replaces_an_id_that_looks_like_a_replacement() {
        let form = CallIdForm::up_to(64).words();
        let replaced = form.apply("call:1");
        assert_ne!(form.apply(&replaced), replaced);
        assert_ne!(form.apply(""), form.apply(" "));
    }

    #[test]
    fn similar_ids_do_not_collide() {
        for form in FORMS {
            let ids: HashSet<_> =
                (0..50_000).map(|at| form.apply(&format!("functions.look:{at}")).into_owned()).collect();
            assert_eq!(ids.len(), 50_000, "{form:?}");
        }
    }
}
