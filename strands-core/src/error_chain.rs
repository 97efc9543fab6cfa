//! Text of an error with its sources, the format of `Debug` of all public errors.

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt::{self, Write as _};

/// Maximum length of the text of an error with its sources, in bytes.
const CHAIN_LIMIT: usize = 4 * 1024;
/// Maximum length of the text of a source inside the message of another error, in bytes.
const SOURCE_LIMIT: usize = 1024;
/// Maximum length of the text for a model, and of the text of a source in it, in bytes.
const MODEL_LIMIT: usize = 8 * 1024;
/// Maximum number of sources in the text.
const DEPTH_LIMIT: usize = 32;

/// An error with its sources in one line, most general first: `failure: cause: cause of the cause`.
///
/// A source whose text is part of the text so far is omitted, control characters become spaces, and the text is truncated to
/// 4 KiB. `Debug` of every error in this library prints this text.
///
/// # Examples
///
/// ```
/// use strands::ErrorChain;
/// use strands::session::SessionError;
///
/// let full = std::io::Error::other("no space left on device");
/// let error = SessionError::Storage { action: "write", key: "s1/a1/message_3".into(), source: full.into() };
/// let text = "the session store could not write s1/a1/message_3: no space left on device";
/// assert_eq!(ErrorChain::new(&error).to_string(), text);
/// assert_eq!(format!("{error:?}"), text);
/// ```
#[derive(Clone, Copy)]
pub struct ErrorChain<'a> {
    error: &'a (dyn StdError + 'a),
    limit: usize,
    source_limit: usize,
    keeps_lines: bool,
}

impl<'a> ErrorChain<'a> {
    /// Creates the text of an error with its sources.
    pub fn new(error: &'a (dyn StdError + 'a)) -> Self {
        Self { error, limit: CHAIN_LIMIT, source_limit: SOURCE_LIMIT, keeps_lines: false }
    }

    /// Creates the text of an error's source, short enough for the error's own message.
    pub(crate) fn within(error: &'a (dyn StdError + 'a)) -> Self {
        Self { limit: SOURCE_LIMIT, ..Self::new(error) }
    }

    /// Creates the text of a tool's error for a model: with line breaks, and long enough for the output of a program.
    pub(crate) fn for_model(error: &'a (dyn StdError + 'a)) -> Self {
        Self { error, limit: MODEL_LIMIT, source_limit: MODEL_LIMIT, keeps_lines: true }
    }
}

thread_local! {
    /// True while a chain is formatted on this thread.
    static IS_WITHIN_CHAIN: Cell<bool> = const { Cell::new(false) };
}

/// Marks that a chain is being formatted, until it is dropped.
struct OutermostChain;

impl OutermostChain {
    /// Returns `None` within another chain.
    fn enter() -> Option<Self> {
        (!IS_WITHIN_CHAIN.replace(true)).then(|| Self)
    }
}

impl Drop for OutermostChain {
    fn drop(&mut self) {
        IS_WITHIN_CHAIN.set(false);
    }
}

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The outermost chain has all sources: else each level of nested errors would format those below it several times.
        let Some(_outermost) = OutermostChain::enter() else {
            let mut text = BoundedText::new(self.limit, self.keeps_lines);
            let _ = write!(text, "{}", self.error);
            f.write_str(&text.text)?;
            return if text.is_cut { f.write_str(CUT) } else { Ok(()) };
        };
        let mut chain = BoundedText::new(self.limit, self.keeps_lines);
        // An error of `Display` only means that the text was truncated.
        let _ = write!(chain, "{}", self.error);
        let mut source = self.error.source();
        // Start of the last source in the text.
        let mut last = 0;
        for _ in 0..DEPTH_LIMIT {
            let Some(error) = source else { break };
            // A source within an error's message was truncated there as well.
            let mut text = BoundedText::new(self.source_limit - CUT.len(), self.keeps_lines);
            let _ = write!(text, "{error}");
            let source_text = text.text.trim_end();
            let outer = chain.text.get(last..).unwrap_or_default();
            if source_text.is_empty() || has_words(&chain.text, source_text, text.is_cut) {
                // The text already contains the source.
            } else if !outer.is_empty() && source_text.starts_with(outer) && has_words(source_text, outer, false) {
                // The source repeats its error and adds to it.
                chain.text.truncate(last);
                let _ = write!(chain, "{}", text.text);
            } else {
                last = chain.text.len() + SEPARATOR.len();
                let _ = write!(chain, "{SEPARATOR}{}", text.text);
            }
            source = error.source();
        }
        f.write_str(&chain.text)?;
        if chain.is_cut { f.write_str(CUT) } else { Ok(()) }
    }
}

impl fmt::Debug for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const SEPARATOR: &str = ": ";

/// Returns true if a text contains other words as whole words, except for the last one if it was truncated.
fn has_words(text: &str, words: &str, is_cut: bool) -> bool {
    let is_inner = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let starts_inside = is_inner(words.chars().next());
    let ends_inside = !is_cut && is_inner(words.chars().next_back());
    text.match_indices(words).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + words.len()..).and_then(|after| after.chars().next());
        !(starts_inside && is_inner(before) || ends_inside && is_inner(after))
    })
}

/// Ending of a truncated text.
const CUT: &str = "..";

/// Text of bounded length, without control characters other than optional line breaks.
struct BoundedText {
    text: String,
    limit: usize,
    keeps_lines: bool,
    is_cut: bool,
}

impl BoundedText {
    fn new(limit: usize, keeps_lines: bool) -> Self {
        Self { text: String::new(), limit, keeps_lines, is_cut: false }
    }
}

impl fmt::Write for BoundedText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.text.len() + character.len_utf8() > self.limit {
                self.is_cut = true;
                // The error stops further formatting.
                return Err(fmt::Error);
            }
            let is_allowed = !character.is_control() || (self.keeps_lines && matches!(character, '\n' | '\t'));
            self.text.push(if is_allowed { character } else { ' ' });
        }
        Ok(())
    }
}

/// Implements `Debug` of error types as [`ErrorChain`]: `main` prints it when it returns an error, and so do `unwrap` and
/// `expect`.
#[doc(hidden)]
#[macro_export]
macro_rules! __debug_with_sources {
    ($($error:ty),+ $(,)?) => {
        $(
            impl ::std::fmt::Debug for $error {
                fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                    ::std::fmt::Display::fmt(&$crate::ErrorChain::new(self), f)
                }
            }
        )+
    };
}

pub(crate) use __debug_with_sources as debug_with_sources;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Debug)]
    struct Link(String, Option<Box<Link>>);

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0)
        }
    }

    impl StdError for Link {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            self.1.as_deref().map(|link| link as _)
        }
    }

    fn chain(texts: &[&str]) -> Link {
        let mut links = texts.iter().rev().map(|text| (*text).to_owned());
        let last = Link(links.next().unwrap(), None);
        links.fold(last, |source, text| Link(text, Some(Box::new(source))))
    }

    #[test]
    fn prints_sources_in_one_line() {
        for (texts, expected) in [
            (&["a"][..], "a"),
            (&["the file can't be read", "disk\nfull\u{1b}"], "the file can't be read: disk full "),
            (&["a failed: b failed", "b failed", "c"], "a failed: b failed: c"),
            (&["a failed: b", "wrapper", "b"], "a failed: b: wrapper"),
            (&["a failed (b)", "b", "", "c"], "a failed (b): c"),
            (&["a failed", "a failed: b", "c"], "a failed: b: c"),
            (&["a failed", "b", "b: c"], "a failed: b: c"),
            // A part of a word does not count as a repetition.
            (&["cannot reopen", "open"], "cannot reopen: open"),
            (&["404", "4"], "404: 4"),
            (&["time", "timed out"], "time: timed out"),
        ] {
            assert_eq!(ErrorChain::new(&chain(texts)).to_string(), expected);
        }
    }

    #[test]
    fn keeps_line_breaks_for_models() {
        let text = |error: &Link| ErrorChain::for_model(error).to_string();
        assert_eq!(
            text(&chain(&["the build failed", "line 1\r\n\tline 2\u{1b}"])),
            "the build failed: line 1 \n\tline 2 "
        );
        let long = text(&chain(&["the build failed", &"é".repeat(MODEL_LIMIT), "more"]));
        assert!(long.len() <= MODEL_LIMIT + CUT.len() && long.ends_with("é.."), "{} bytes", long.len());
    }

    #[test]
    fn truncates_long_texts_and_long_chains() {
        let long = "ä".repeat(CHAIN_LIMIT);
        let text = ErrorChain::new(&chain(&[&long, "b"])).to_string();
        assert!(text.len() <= CHAIN_LIMIT + CUT.len() && text.ends_with("ä.."), "{} bytes", text.len());
        let parts: Vec<String> = (0..1000).map(|part| format!("<{part}>")).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        assert!(ErrorChain::new(&chain(&parts)).to_string().ends_with("<32>"));
    }

    #[test]
    fn does_not_repeat_a_source_truncated_within_a_message() {
        let source = chain(&[&"x".repeat(2 * SOURCE_LIMIT)]);
        let message = format!("the call failed: {}", ErrorChain::within(&source));
        let text = ErrorChain::new(&Link(message.clone(), Some(Box::new(source)))).to_string();
        assert_eq!(text, message);
    }

    /// An error whose message has the text of its source, and which counts how often it is formatted.
    #[derive(Debug)]
    struct Wrapping(Arc<AtomicU32>, Option<Box<Wrapping>>);

    impl fmt::Display for Wrapping {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fetch_add(1, Ordering::Relaxed);
            match &self.1 {
                Some(source) => write!(f, "failed: {}", ErrorChain::within(&**source)),
                None => f.write_str("the cause"),
            }
        }
    }

    impl StdError for Wrapping {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    #[test]
    fn formats_nested_messages_a_bounded_number_of_times() {
        let count = Arc::<AtomicU32>::default();
        let leaf = Wrapping(Arc::clone(&count), None);
        let error = (0..24).fold(leaf, |source, _| Wrapping(Arc::clone(&count), Some(Box::new(source))));
        let text = ErrorChain::new(&error).to_string();
        assert_eq!(text, format!("{}the cause", "failed: ".repeat(24)));
        // Each error within the messages of those around it.
        assert_eq!(count.load(Ordering::Relaxed), (1..=25).sum::<u32>());
    }
}
