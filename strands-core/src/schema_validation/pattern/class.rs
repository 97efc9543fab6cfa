//! Character classes in brackets.

use super::char_set::CharSet;
use super::ecma::Parser;

impl Parser<'_> {
    /// Parses a class after its `[`.
    pub(super) fn class(&mut self) -> Result<CharSet, String> {
        let is_negated = self.takes('^');
        let mut set = CharSet::default();
        while let Some(first) = self.class_atom()? {
            let mut ahead = self.rest.clone();
            let is_range = ahead.next() == Some('-') && ahead.next().is_some_and(|last| last != ']');
            if !is_range {
                set = set.and(&first.set());
                continue;
            }
            self.rest.next();
            match (first, self.class_atom()?) {
                (Atom::One(first), Some(Atom::One(last))) if first <= last => {
                    set = set.and(&CharSet::new([(first.into(), last.into())]));
                }
                (Atom::One(_), Some(Atom::One(_))) => return Err("the range is in the wrong order".to_owned()),
                // A dash next to a class is a literal.
                (first, last) => {
                    set = set.and(&first.set()).and(&CharSet::one('-'));
                    if let Some(last) = last {
                        set = set.and(&last.set());
                    }
                }
            }
        }
        // Negation applies after case folding.
        let set = if self.ignores_case { set.case_folded() } else { set };
        Ok(if is_negated { set.negated() } else { set })
    }

    /// Parses a member of a class; `None` at its end.
    fn class_atom(&mut self) -> Result<Option<Atom>, String> {
        Ok(match self.rest.next() {
            None => return Err("`[` is not closed; escape it as `\\[`".to_owned()),
            Some(']') => None,
            Some('\\') if self.takes('b') => Some(Atom::One('\u{8}')),
            Some('\\') => {
                let set = self.escape()?;
                Some(set.only().map_or(Atom::Set(set), Atom::One))
            }
            Some(letter) => Some(Atom::One(letter)),
        })
    }
}

/// A member of a class.
enum Atom {
    One(char),
    Set(CharSet),
}

impl Atom {
    fn set(self) -> CharSet {
        match self {
            Self::One(letter) => CharSet::one(letter),
            Self::Set(set) => set,
        }
    }
}
