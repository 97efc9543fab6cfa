//! Word normalization: "bookings" and "book", or `check_in` and "Check in", have the same stems.

/// Stop words, which carry no meaning for the choice of a tool.
const STOP_WORDS: &str = "\
    a about all am an and any are argument arguments as at be by call can could did do does find for from \
    get give has have hello help hey hi how i i'd i'm if in into is it its let like list many may me much my \
    named need no not now of on once one only or our out please set should show so some tell thank thanks \
    that the their them then there these they this to tool tools up us use want was we what what's when \
    where which who why will with would you your";

/// Days and months, which are capitalized but not names.
const CALENDAR: &str = "\
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july \
    august september october november december";

/// True for a stop word.
pub(super) fn is_stop_word(word: &str) -> bool {
    is_one_of(word, STOP_WORDS)
}

/// True for the name of a day or a month.
pub(super) fn is_calendar_word(word: &str) -> bool {
    is_one_of(word, CALENDAR)
}

fn is_one_of(word: &str, words: &str) -> bool {
    let word = word.to_lowercase();
    words.split(' ').any(|known| known == word)
}

/// Returns the stems of the words of a text or an identifier, in lower case.
pub(super) fn stems(text: &str) -> impl Iterator<Item = String> {
    split_identifier(text).map(|word| stem(&word))
}

/// Splits a text or an identifier into words: `checkIn`, `check_in` and "check in" are split alike.
fn split_identifier(text: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in text.chars() {
        if c == '\'' {
            continue;
        }
        if !c.is_alphanumeric() || (c.is_uppercase() && lower_before) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase();
    }
    words.into_iter().filter(|word| !word.is_empty())
}

/// Removes a word's ending. The stem need not be a word, but is the same for all forms of one.
pub(super) fn stem(word: &str) -> String {
    let mut stem = word.to_lowercase();
    if let Some(start) = stem.strip_suffix("ies").filter(|start| start.len() >= 2) {
        return format!("{start}y");
    }
    for ending in ["s", "ing", "ed", "e"] {
        if let Some(start) = stem.strip_suffix(ending)
            && start.len() >= 3
            && !(ending == "s" && start.ends_with('s'))
        {
            stem.truncate(start.len());
        }
    }
    let mut letters = stem.chars().rev();
    if stem.len() >= 4 && letters.next() == letters.next() {
        stem.pop();
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_share_a_stem() {
        for forms in [
            ["booking", "bookings"],
            ["book", "booked"],
            ["city", "cities"],
            ["include", "including"],
            ["cancel", "cancelled"],
            ["price", "prices"],
            ["class", "classes"],
            ["stop", "stopping"],
        ] {
            assert_eq!(stem(forms[0]), stem(forms[1]), "{forms:?}");
        }
        assert_ne!(stem("car"), stem("card"));
    }

    #[test]
    fn splits_identifiers_into_words() {
        for identifier in ["checkIn", "check_in", "check-in", "Check in"] {
            assert_eq!(stems(identifier).collect::<Vec<_>>(), ["check", "in"], "{identifier}");
        }
    }
}
