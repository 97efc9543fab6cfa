//! Text of an error with its sources: the one form in which public errors print themselves.

use std::error::Error as StdError;
use std::fmt::{self, Write as _};

/// Maximum length of the text of an error with its sources, in bytes.
const CHAIN_LIMIT: usize = 4 * 1024;
/// Maximum length of the text of a source inside the message of another error, in bytes.
const SOURCE_LIMIT: usize = 1024;
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
/// use strands_core::ErrorChain;
/// use strands_core::session::SessionError;
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
}

impl<'a> ErrorChain<'a> {
    /// Creates the text of an error.
    pub fn new(error: &'a (dyn StdError + 'a)) -> Self {
        Self { error, limit: CHAIN_LIMIT }
    }

    /// Creates the text of an error's source, short enough to be a part of the error's own message.
    pub(crate) fn within(error: &'a (dyn StdError + 'a)) -> Self {
        Self { error, limit: SOURCE_LIMIT }
    }
}

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chain = Line::new(self.limit);
        // An error that can't print itself has no more to say.
        let _ = write!(chain, "{}", self.error);
        let mut source = self.error.source();
        for _ in 0..DEPTH_LIMIT {
            let Some(error) = source else { break };
            // A source that is a part of an error's message was cut there, too.
            let mut text = Line::new(SOURCE_LIMIT - CUT.len());
            let _ = write!(text, "{error}");
            if !chain.text.contains(text.text.trim_end()) {
                let _ = write!(chain, ": {}", text.text);
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

/// End of a text that was cut.
const CUT: &str = "..";

/// Text of bounded length without control characters.
struct Line {
    text: String,
    limit: usize,
    is_cut: bool,
}

impl Line {
    fn new(limit: usize) -> Self {
        Self { text: String::new(), limit, is_cut: false }
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
            self.text.push(if letter.is_control() { ' ' } else { letter });
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
        ] {
            assert_eq!(ErrorChain::new(&chain(texts)).to_string(), expected);
        }
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
