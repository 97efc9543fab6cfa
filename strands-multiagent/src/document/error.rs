//! [`DocumentError`], the error of a document from which no run can be restored.

use strands_core::multiagent::MultiAgentKind;

/// The error of a document from which a run can't be restored. The document is not changed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The document is of another kind, such as a swarm with the id of this graph.
    #[error(
        "the document is of type `{found}`, and not of a {expected}; give each graph and swarm of a session its own id"
    )]
    OtherKind {
        /// The expected kind.
        expected: MultiAgentKind,
        /// The type in the document, truncated.
        found: String,
    },
    /// The document is of a graph or swarm with another id.
    #[error("the document is of `{found}`, and not of `{expected}`")]
    OtherId {
        /// The expected id.
        expected: String,
        /// The id in the document, truncated.
        found: String,
    },
    /// A later release of this crate wrote the document.
    #[error(
        "the document has version {found} of a run, and this release reads version {known}; update it to continue the run"
    )]
    LaterVersion {
        /// The version in the document.
        found: u64,
        /// The version that this release writes.
        known: u64,
    },
    /// A field is missing or has another form. The error has nothing of its content.
    #[error("field `{field}` of the document can't be read: it is missing, or of another form")]
    InvalidField {
        /// Name of the field.
        field: String,
    },
    /// The run names a node that the graph or swarm does not have, and would have to run it.
    #[error(
        "the run would continue with node `{node}`, which does not exist; add it, or start the run in another session"
    )]
    UnknownNode {
        /// Id of the node, truncated.
        node: String,
    },
    /// The state of the graph can't be converted to JSON.
    #[error("the state of the graph can't be converted to JSON")]
    State(#[source] serde_json::Error),
    /// The stored state can't be read, or is not of the type of the graph's state. The error has nothing of its content.
    #[error("the stored state can't be read, or is not of the type of the graph's state")]
    OtherState,
    /// The state of the run nests too deep to be stored.
    #[error(
        "the state of the run nests deeper than {max} levels of arrays and objects; make the state of the graph flatter"
    )]
    TooDeep {
        /// Maximum number of levels.
        max: usize,
    },
}

strands_core::__debug_with_sources!(DocumentError);

impl DocumentError {
    /// Creates the error of a state that can't be read. What serde says may quote it.
    pub(crate) fn other_state(_: serde_json::Error) -> Self {
        Self::OtherState
    }

    /// Creates the error of the state of this crate that can't be read.
    pub(crate) fn own_state(_: serde_json::Error) -> Self {
        Self::InvalidField { field: "_internal_state.run.state".to_owned() }
    }

    /// Creates the error of a run that would continue with a node that does not exist.
    pub(crate) fn unknown_node(node: &str) -> Self {
        Self::UnknownNode { node: shown(node) }
    }

    /// Creates the error of a field. What serde says may quote it.
    pub(super) fn field(field: &str) -> impl FnOnce(serde_json::Error) -> Self + use<'_> {
        move |_| Self::InvalidField { field: field.to_owned() }
    }
}

/// Maximum length of a text of a document in an error, in characters.
const SHOWN: usize = 64;

/// Returns the start of a text of a document, with control characters escaped.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).flat_map(char::escape_debug).collect()
}
