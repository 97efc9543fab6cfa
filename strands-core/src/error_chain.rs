//! Text of an error with its sources: the one form in which public errors print themselves.

use std::error::Error as StdError;
use std::fmt::{self, Write as _};

/// Maximum length of the text of an error with its sources, in bytes.
const CHAIN_LIMIT: usize = 4 * 1024;
/// Maximum length of the text of a source inside the message of another error, in bytes.
const SOURCE_LIMIT: usize = 1024;
/// Maximum length of the text for a model, and of the text of a source in it, in bytes.
const MODEL_LIMIT: usize = 8 * 1024;
/// Maximum number of sources that are looked at.
const DEPTH_LIMIT: usize = 32;

/// An error with its sources in one line, most general first: `what failed: why: why that`.
///
/// A source whose text is part of the text so far is left out, control characters become spaces, and long texts are cut at
/// 4 KiB. `Debug` of every error of this library prints this.
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
    /// Creates the text of an error.
    pub fn new(error: &'a (dyn StdError + 'a)) -> Self {
        Self { error, limit: CHAIN_LIMIT, source_limit: SOURCE_LIMIT, keeps_lines: false }
    }

    /// Creates the text of an error's source, short enough to be a part of the error's own message.
    pub(crate) fn within(error: &'a (dyn StdError + 'a)) -> Self {
        Self { limit: SOURCE_LIMIT, ..Self::new(error) }
    }

    /// Creates the text of a tool's error for a model: with line breaks, and room for the output of a program.
    pub(crate) fn for_model(error: &'a (dyn StdError + 'a)) -> Self {
        Self { error, limit: MODEL_LIMIT, source_limit: MODEL_LIMIT, keeps_lines: true }
    }
}

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chain = Line::new(self.limit, self.keeps_lines);
        // An error that can't print itself has no more to say.
        let _ = write!(chain, "{}", self.error);
        let mut source = self.error.source();
        // Start of the last part.
        let mut last = 0;
        for _ in 0..DEPTH_LIMIT {
            let Some(error) = source else { break };
            // A source that is a part of an error's message was cut there, too.
            let mut text = Line::new(self.source_limit - CUT.len(), self.keeps_lines);
            let _ = write!(text, "{error}");
            let said = text.text.trim_end();
            let outer = chain.text.get(last..).unwrap_or_default();
            if said.is_empty() || has_words(&chain.text, said, text.is_cut) {
                // Its error says the same.
            } else if !outer.is_empty() && said.starts_with(outer) && has_words(said, outer, false) {
                // It says what its error says, and more.
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

/// Returns true if a text has another in it, and not as a part of longer words: but for the last one, if that was cut.
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

/// End of a text that was cut.
const CUT: &str = "..";

/// Text of bounded length without control characters, other than line breaks where they are kept.
struct Line {
    text: String,
    limit: usize,
    keeps_lines: bool,
    is_cut: bool,
}

impl Line {
    fn new(limit: usize, keeps_lines: bool) -> Self {
        Self { text: String::new(), limit, keeps_lines, is_cut: false }
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            if self.text.len() + letter.len_utf8() > self.limit {
                self.is_cut = true;
                // Whatever else would be written is not needed.
                return Err(fmt::Error);
            }
            let is_kept = !letter.is_control() || (self.keeps_lines && matches!(letter, '\n' | '\t'));
            self.text.push(if is_kept { letter } else { ' ' });
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
    fn sources_follow_in_one_line() {
        for (texts, expected) in [
            (&["a"][..], "a"),
            (&["the file can't be read", "disk\nfull\u{1b}"], "the file can't be read: disk full "),
            (&["a failed: b failed", "b failed", "c"], "a failed: b failed: c"),
            (&["a failed: b", "wrapper", "b"], "a failed: b: wrapper"),
            (&["a failed (b)", "b", "", "c"], "a failed (b): c"),
            (&["a failed", "a failed: b", "c"], "a failed: b: c"),
            (&["a failed", "b", "b: c"], "a failed: b: c"),
            // A part of a word is no repetition.
            (&["cannot reopen", "open"], "cannot reopen: open"),
            (&["404", "4"], "404: 4"),
            (&["time", "timed out"], "time: timed out"),
        ] {
            assert_eq!(ErrorChain::new(&chain(texts)).to_string(), expected);
        }
    }

    #[test]
    fn a_model_reads_lines() {
        let text = |error: &Link| ErrorChain::for_model(error).to_string();
        assert_eq!(
            text(&chain(&["the build failed", "line 1\r\n\tline 2\u{1b}"])),
            "the build failed: line 1 \n\tline 2 "
        );
        let long = text(&chain(&["the build failed", &"é".repeat(MODEL_LIMIT), "more"]));
        assert!(long.len() <= MODEL_LIMIT + CUT.len() && long.ends_with("é.."), "{} bytes", long.len());
    }

    #[test]
    fn long_texts_and_long_chains_are_cut() {
        let long = "ä".repeat(CHAIN_LIMIT);
        let text = ErrorChain::new(&chain(&[&long, "b"])).to_string();
        assert!(text.len() <= CHAIN_LIMIT + CUT.len() && text.ends_with("ä.."), "{} bytes", text.len());
        let parts: Vec<String> = (0..1000).map(|part| format!("<{part}>")).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        assert!(ErrorChain::new(&chain(&parts)).to_string().ends_with("<32>"));
    }

    #[test]
    fn a_source_that_was_cut_inside_a_message_is_not_repeated() {
        let source = chain(&[&"x".repeat(2 * SOURCE_LIMIT)]);
        let message = format!("the call failed: {}", ErrorChain::within(&source));
        let text = ErrorChain::new(&Link(message.clone(), Some(Box::new(source)))).to_string();
        assert_eq!(text, message);
    }
}
