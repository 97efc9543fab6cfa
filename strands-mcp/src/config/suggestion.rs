//! Suggestion for a mistyped key.

/// Returns the known key that was probably meant.
pub(super) fn closest<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| -> Vec<char> {
        text.chars().filter(|character| !matches!(character, '_' | '-')).flat_map(char::to_lowercase).take(64).collect()
    };
    let key = plain(key);
    let near = known.into_iter().map(|known| (distance(&key, &plain(known)), known));
    let (distance, closest) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + key.len() / 4).then_some(closest)
}

/// Returns the number of characters to insert, remove or replace, or to swap with their neighbor.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    let at =
        |row: &[usize], index: Option<usize>| index.and_then(|index| row.get(index)).copied().unwrap_or(usize::MAX / 2);
    for (line, own) in from.iter().enumerate() {
        let mut next = vec![line + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = at(&row, Some(column)) + usize::from(own != other);
            let inserted = at(&next, Some(column)) + 1;
            let removed = at(&row, Some(column + 1)) + 1;
            let is_swapped =
                line > 0 && column > 0 && from.get(line - 1) == Some(other) && to.get(column - 1) == Some(own);
            let swapped = if is_swapped { at(&before, column.checked_sub(1)) + 1 } else { usize::MAX };
            next.push(replaced.min(inserted).min(removed).min(swapped));
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_mistyped_keys() {
        let known = ["command", "args", "env", "cwd", "url", "headers", "disabled"];
        for (key, expected) in [
            ("comand", Some("command")),
            ("Command", Some("command")),
            ("arg", Some("args")),
            ("agrs", Some("args")),
            ("header", Some("headers")),
            ("uri", Some("url")),
            ("disable", Some("disabled")),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(closest(key, known), expected, "{key}");
        }
        let distance =
            |from: &str, to: &str| distance(&from.chars().collect::<Vec<_>>(), &to.chars().collect::<Vec<_>>());
        assert_eq!([distance("", ""), distance("on", "no"), distance("abc", "ac"), distance("", "xy")], [0, 1, 1, 2]);
    }
}
