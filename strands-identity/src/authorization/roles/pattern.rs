//! Patterns of tool names.

/// Name of a tool, in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(String);

impl Pattern {
    pub(super) fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_names_and_stars() {
        let matches = |pattern, name| Pattern::new(pattern).matches(name);
        for (pattern, name) in [
            ("book", "book"),
            ("*", "book"),
            ("b*", "b"),
            ("b*k", "book"),
            ("*oo*", "book"),
            ("a*b*c", "a_b_b_c"),
            ("**", ""),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("book", "books"),
            ("book", "Book"),
            ("", "b"),
            ("b*", "ab"),
            ("*k", "bo"),
            ("xy*yx", "xyx"),
            ("a*b*c", "acb"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
