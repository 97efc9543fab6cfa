//! Positions in the text of policies.

/// Returns the one-based line and column, in characters, of a byte offset.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters_from_one() {
        let text = "ab\ncdé f";
        let at = |offset| line_and_column(text, offset);
        assert_eq!((at(0), at(2), at(3), at(8)), ((1, 1), (1, 3), (2, 1), (2, 5)));
        // Within a character, and after the end.
        assert_eq!((at(6), at(99)), ((2, 3), (2, 6)));
    }
}
