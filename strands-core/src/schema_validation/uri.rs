//! Resolution of URI references against a base, as in RFC 3986.

/// Splits a reference into the part before the fragment, and the fragment.
pub(super) fn split_fragment(reference: &str) -> (&str, &str) {
    reference.split_once('#').unwrap_or((reference, ""))
}

/// Resolves a reference without a fragment against a base URI; either may be empty.
pub(super) fn resolve(base: &str, reference: &str) -> String {
    if reference.is_empty() {
        return base.to_owned();
    }
    if scheme(reference).is_some() {
        return reference.to_owned();
    }
    let (root, path) = split_root(base);
    if let Some(authority) = reference.strip_prefix("//") {
        let scheme = scheme(base).map(|scheme| format!("{scheme}:")).unwrap_or_default();
        return format!("{scheme}//{authority}");
    }
    let (reference, query) = split_query(reference);
    let path = split_query(path).0;
    let merged = match () {
        () if reference.is_empty() => path.to_owned(),
        () if reference.starts_with('/') => without_dots(reference),
        () => {
            let folder = path.rfind('/').and_then(|end| path.get(..=end)).unwrap_or_default();
            without_dots(&format!("{folder}{reference}"))
        }
    };
    format!("{root}{merged}{query}")
}

/// Decodes percent-encoding. Invalid UTF-8 becomes U+FFFD.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high * 16 + low);
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn scheme(uri: &str) -> Option<&str> {
    let (scheme, _) = uri.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some(scheme)
}

/// Splits a URI into scheme and authority, and the path after them.
fn split_root(uri: &str) -> (&str, &str) {
    let after_scheme = scheme(uri).map_or(0, |scheme| scheme.len() + 1);
    let rest = uri.get(after_scheme..).unwrap_or_default();
    let authority = match rest.strip_prefix("//") {
        Some(behind) => 2 + behind.find(['/', '?']).unwrap_or(behind.len()),
        None => 0,
    };
    uri.split_at_checked(after_scheme + authority).unwrap_or((uri, ""))
}

fn split_query(path: &str) -> (&str, &str) {
    path.find('?').and_then(|at| path.split_at_checked(at)).unwrap_or((path, ""))
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." if is_last => kept.push(""),
            "." => {}
            ".." => {
                if kept.len() > 1 || kept.first().is_some_and(|first| !first.is_empty()) {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    kept.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_references_against_the_base() {
        for (base, reference, expected) in [
            ("http://a/b/c/d?q", "g", "http://a/b/c/g"),
            ("http://a/b/c/d", "./g", "http://a/b/c/g"),
            ("http://a/b/c/d", "../g", "http://a/b/g"),
            ("http://a/b/c/d", "../../../g", "http://a/g"),
            ("http://a/b/c/d", "/g", "http://a/g"),
            ("http://a/b/c/d", "//h/g", "http://h/g"),
            ("http://a/b/c/d", "", "http://a/b/c/d"),
            ("http://a/b/c/d", "..", "http://a/b/"),
            ("http://a/b/c/d", "urn:x:y", "urn:x:y"),
            ("http://a/b/c/d", "?z", "http://a/b/c/d?z"),
            ("", "item", "item"),
            ("folder/list", "item", "folder/item"),
            ("file:///folder/file.json", "other.json", "file:///folder/other.json"),
        ] {
            assert_eq!(resolve(base, reference), expected, "{base} {reference}");
        }
    }

    #[test]
    fn decodes_percent_encoding() {
        assert_eq!(percent_decoded("a%25b%22%c3%a9"), "a%b\"é");
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%zz%f"), "%zz%f");
    }
}
