//! Optional text as a setter's argument.

use std::borrow::Cow;

/// A text or none, as [`ErrorDetails`](super::ErrorDetails) takes it: made from `&str`, `String`, `Cow<str>`, or an `Option`
/// of one of these. An empty text counts as none.
///
/// ```
/// use strands::models::ErrorDetails;
///
/// let header: Option<String> = None;
/// let details = ErrorDetails::new().with_code("rate_limit_exceeded").with_request_id(header);
/// assert_eq!((details.code(), details.request_id()), (Some("rate_limit_exceeded"), None));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionalText(Option<String>);

impl OptionalText {
    /// Returns the text, truncated to at most `limit` bytes.
    pub(super) fn truncated(self, limit: usize) -> Option<String> {
        let mut text = self.0?;
        text.truncate(text.floor_char_boundary(limit));
        Some(text)
    }
}

impl From<String> for OptionalText {
    fn from(text: String) -> Self {
        Self(Some(text).filter(|text| !text.is_empty()))
    }
}

impl From<&str> for OptionalText {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&String> for OptionalText {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<Cow<'_, str>> for OptionalText {
    fn from(text: Cow<'_, str>) -> Self {
        text.into_owned().into()
    }
}

impl<T: Into<Self>> From<Option<T>> for OptionalText {
    fn from(text: Option<T>) -> Self {
        text.map(Into::into).unwrap_or_default()
    }
}
