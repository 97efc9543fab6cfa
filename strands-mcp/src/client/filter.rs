//! Filters that select tools of a server.

use std::fmt;
use std::sync::Arc;

use regex_lite::Regex;
use strands_core::ToolSpec;

use super::description::visible_text;
use super::tool_spec::unprefixed_spec;

/// Maximum length of a pattern in an error.
const MAX_QUOTED: usize = 128;

/// Selection of a server's tools, for `allow_tools` and `deny_tools` of a client's builder.
///
/// All filters see the server's own name of a tool, without the client's prefix. An agent gets a tool if an allow filter
/// selects it, or if there are no allow filters, and if no deny filter selects it.
///
/// # Examples
///
/// ```
/// use strands::mcp::ToolFilter;
///
/// let reading = ToolFilter::pattern("(read|list)_.*")?;
/// let exact = ToolFilter::names(["read_file", "list_files"]);
/// let harmless = ToolFilter::predicate(|tool| tool.annotations.read_only == Some(true));
/// # Ok::<(), strands::mcp::ToolPatternError>(())
/// ```
#[derive(Clone)]
pub struct ToolFilter(Kind);

#[derive(Clone)]
enum Kind {
    Names(Vec<String>),
    Pattern(Regex),
    Predicate(Arc<dyn Fn(&ToolSpec) -> bool + Send + Sync>),
}

/// An error of a pattern that is not a regular expression.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid tool pattern `{pattern}`: {reason}")]
#[non_exhaustive]
pub struct ToolPatternError {
    /// The pattern.
    pub pattern: String,
    /// The reason.
    pub reason: String,
}

strands_core::__debug_with_sources!(ToolPatternError);

impl ToolFilter {
    /// Selects a tool by its exact name.
    pub fn name(name: impl Into<String>) -> Self {
        Self::names([name])
    }

    /// Selects tools by their exact names.
    pub fn names(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(Kind::Names(names.into_iter().map(Into::into).collect()))
    }

    /// Selects tools whose whole name matches a regular expression, in the syntax of the crate `regex-lite`: `read` does not
    /// select `read_file`, but `read.*` does. Matching takes linear time.
    ///
    /// # Errors
    ///
    /// Returns [`ToolPatternError`] if the pattern is not a regular expression.
    pub fn pattern(pattern: &str) -> Result<Self, ToolPatternError> {
        let invalid = |error: regex_lite::Error| ToolPatternError {
            pattern: visible_text(pattern, MAX_QUOTED),
            reason: error.to_string(),
        };
        // Alone first: `a)|(b` is a regular expression only between the parentheses.
        Regex::new(pattern).map_err(invalid)?;
        Regex::new(&format!("^(?:{pattern})$")).map(Kind::Pattern).map(Self).map_err(invalid)
    }

    /// Selects tools for which a function returns true. It must not block. The spec has the server's own name.
    pub fn predicate(selects: impl Fn(&ToolSpec) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::Predicate(Arc::new(selects)))
    }

    /// Returns true if the filter selects a tool.
    pub(crate) fn selects(&self, tool: &rmcp::model::Tool) -> bool {
        match &self.0 {
            Kind::Names(names) => names.iter().any(|name| *name == tool.name),
            Kind::Pattern(pattern) => pattern.is_match(&tool.name),
            Kind::Predicate(selects) => selects(&unprefixed_spec(tool)),
        }
    }
}

/// Returns true if an agent gets a tool.
pub(crate) fn is_allowed(tool: &rmcp::model::Tool, allow: &[ToolFilter], deny: &[ToolFilter]) -> bool {
    let is_selected = |filters: &[ToolFilter]| filters.iter().any(|filter| filter.selects(tool));
    (allow.is_empty() || is_selected(allow)) && !is_selected(deny)
}

impl fmt::Debug for ToolFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Names(names) => f.debug_tuple("Names").field(names).finish(),
            Kind::Pattern(pattern) => f.debug_tuple("Pattern").field(&pattern.as_str()).finish(),
            Kind::Predicate(_) => f.write_str("Predicate"),
        }
    }
}

impl From<&str> for ToolFilter {
    /// Selects a tool by its exact name.
    fn from(name: &str) -> Self {
        Self::name(name)
    }
}

impl From<String> for ToolFilter {
    /// Selects a tool by its exact name.
    fn from(name: String) -> Self {
        Self::name(name)
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for ToolFilter {
    /// Selects tools by their exact names.
    fn from(names: [T; N]) -> Self {
        Self::names(names)
    }
}

impl<T: Into<String>> From<Vec<T>> for ToolFilter {
    /// Selects tools by their exact names.
    fn from(names: Vec<T>) -> Self {
        Self::names(names)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str) -> rmcp::model::Tool {
        let schema = json!({"type": "object"}).as_object().unwrap().clone();
        let read_only = rmcp::model::ToolAnnotations::new().read_only(name.starts_with("read"));
        rmcp::model::Tool::new(name.to_owned(), "A tool.", schema).with_annotations(read_only)
    }

    fn allowed<const N: usize>(names: [&str; N], allow: &[ToolFilter], deny: &[ToolFilter]) -> Vec<String> {
        names.into_iter().filter(|name| is_allowed(&tool(name), allow, deny)).map(str::to_owned).collect()
    }

    #[test]
    fn deny_filters_win_over_allow_filters() {
        let names = ["read", "read_all", "write"];
        assert_eq!(allowed(names, &[], &[]), names);
        assert_eq!(allowed(names, &["read".into()], &[]), ["read"]);
        assert_eq!(allowed(names, &[["read", "write"].into()], &["read".into()]), ["write"]);
        assert_eq!(allowed(names, &[], &["write".into()]), ["read", "read_all"]);
        let none: [&str; 0] = [];
        assert_eq!(allowed(names, &[ToolFilter::names(none)], &[]), none, "an empty list allows nothing");
    }

    #[test]
    fn patterns_match_whole_names() {
        let names = ["read", "read_all", "thread", "a", "ab"];
        let pattern = |pattern: &str| [ToolFilter::pattern(pattern).unwrap()];
        assert_eq!(allowed(names, &pattern("read"), &[]), ["read"]);
        assert_eq!(allowed(names, &pattern("read.*"), &[]), ["read", "read_all"]);
        assert_eq!(allowed(names, &pattern("a|ab"), &[]), ["a", "ab"]);
        assert_eq!(allowed(["a\n", "a"], &pattern("a"), &[]), ["a"]);
        for invalid in ["(", "a)|(b", "[z-a]"] {
            let error = ToolFilter::pattern(invalid).unwrap_err();
            assert!(error.to_string().starts_with(&format!("invalid tool pattern `{invalid}`: ")), "{error}");
        }
    }

    #[test]
    fn predicates_see_the_spec_with_the_name_of_the_server() {
        let read_only = ToolFilter::predicate(|tool| tool.annotations.read_only == Some(true));
        assert_eq!(allowed(["read", "read_all", "write"], &[read_only], &[]), ["read", "read_all"]);
        let named = ToolFilter::predicate(|tool| tool.name == "a.b/c");
        assert_eq!(allowed(["a.b/c", "a_b_c"], &[named], &[]), ["a.b/c"]);
    }
}
