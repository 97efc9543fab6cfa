//! Placeholders such as `[EMAIL_1]`, and their recognition in texts.

/// Maximum length of a label.
pub(crate) const MAX_LABEL: usize = 32;

/// Maximum length of a placeholder: brackets, label, underscore and number.
const MAX_PLACEHOLDER: usize = MAX_LABEL + 24;

/// Returns true if a text can be the label of placeholders.
pub(crate) fn is_label(label: &str) -> bool {
    let is_letter = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_uppercase());
    is_letter(label.chars().next())
        && is_letter(label.chars().next_back())
        && label.len() <= MAX_LABEL
        && label.bytes().all(is_inside)
}

fn is_inside(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
}

/// Replaces the placeholders in a text that are known.
pub(crate) fn replaced(text: &str, original: impl Fn(&str) -> Option<String>) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, candidate) = rest.split_at(open);
        replaced.push_str(before);
        let inside = candidate.bytes().skip(1).take(MAX_PLACEHOLDER).take_while(|byte| is_inside(*byte)).count();
        let placeholder = candidate.get(..inside + 2).filter(|placeholder| placeholder.ends_with(']'));
        match placeholder.and_then(|placeholder| Some((placeholder, original(placeholder)?))) {
            Some((placeholder, original)) => {
                replaced.push_str(&original);
                rest = candidate.get(placeholder.len()..).unwrap_or_default();
            }
            None => {
                replaced.push('[');
                rest = candidate.get(1..).unwrap_or_default();
            }
        }
    }
    replaced.push_str(rest);
    replaced
}

/// Returns the start of a placeholder that the end of a text may be the beginning of.
pub(crate) fn start_of_open(text: &str) -> usize {
    let Some(open) = text.rfind('[') else { return text.len() };
    let inside = text.get(open + 1..).unwrap_or_default();
    let is_open = inside.len() <= MAX_PLACEHOLDER && inside.bytes().all(is_inside);
    if is_open { open } else { text.len() }
}
