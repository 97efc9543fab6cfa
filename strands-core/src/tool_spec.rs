//! Specs, annotations and policies of tools.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Description of a tool for a model.
///
/// JSON: `{"name": .., "description": .., "inputSchema": {"json": {..}}}`, with optional `outputSchema` and `annotations`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolSpec {
    /// Name: 1 to 64 characters of `a-z A-Z 0-9 _ -`.
    pub name: String,
    /// Description, which the model reads to decide when to call the tool.
    pub description: String,
    /// JSON Schema (draft 2020-12) of the arguments, an object.
    #[serde(serialize_with = "wrap", deserialize_with = "unwrap")]
    pub input_schema: Value,
    /// JSON Schema of the output. It is not sent to providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// Hints on the effects of the tool. They are not sent to providers.
    #[serde(default, skip_serializing_if = "ToolAnnotations::is_empty")]
    pub annotations: ToolAnnotations,
    /// Requests that the provider enforces the input schema, if it can.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

fn wrap<S: Serializer>(schema: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map([("json", schema)])
}

fn unwrap<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped {
        json: Value,
    }
    Wrapped::deserialize(deserializer).map(|wrapped| wrapped.json)
}

impl ToolSpec {
    /// Creates a spec from a name, a description and the schema of the arguments.
    pub fn new(name: impl Into<String>, description: impl Into<String>, input_schema: Value) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            input_schema,
            output_schema: None,
            annotations: ToolAnnotations::new(),
            strict: false,
        }
    }

    /// Sets the schema of the output.
    #[must_use]
    pub fn with_output_schema(mut self, schema: Value) -> Self {
        self.output_schema = Some(schema);
        self
    }

    /// Sets the hints on the effects of the tool.
    #[must_use]
    pub fn with_annotations(mut self, annotations: ToolAnnotations) -> Self {
        self.annotations = annotations;
        self
    }

    /// Requests that the provider enforces the input schema, if it can.
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }
}

/// Hints on the effects of a tool, as in MCP. They are not enforced, but a call is repeated only if they allow it: an approved
/// call whose outcome is unknown after a crash if the tool is `idempotent`, and a failed call, by the
/// [policy](ToolPolicy::with_retries) of its tool, if that is `idempotent` or `read_only`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolAnnotations {
    /// The tool changes nothing.
    #[serde(default, rename = "readOnlyHint", skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// The changes can't be undone.
    #[serde(default, rename = "destructiveHint", skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
    /// Calling the tool twice has the same effect as calling it once.
    #[serde(default, rename = "idempotentHint", skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// The tool accesses things outside of the program, such as the web.
    #[serde(default, rename = "openWorldHint", skip_serializing_if = "Option::is_none")]
    pub open_world: Option<bool>,
}

impl ToolAnnotations {
    /// Creates annotations without any hints.
    pub const fn new() -> Self {
        Self { read_only: None, destructive: None, idempotent: None, open_world: None }
    }

    /// Sets whether the tool changes nothing.
    #[must_use]
    pub const fn with_read_only(mut self, hint: bool) -> Self {
        self.read_only = Some(hint);
        self
    }

    /// Sets whether the changes can't be undone.
    #[must_use]
    pub const fn with_destructive(mut self, hint: bool) -> Self {
        self.destructive = Some(hint);
        self
    }

    /// Sets whether calling the tool twice has the same effect as calling it once.
    #[must_use]
    pub const fn with_idempotent(mut self, hint: bool) -> Self {
        self.idempotent = Some(hint);
        self
    }

    /// Sets whether the tool accesses things outside of the program.
    #[must_use]
    pub const fn with_open_world(mut self, hint: bool) -> Self {
        self.open_world = Some(hint);
        self
    }

    /// Returns true if a call can be repeated: the tool is declared idempotent or read-only.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.idempotent == Some(true) || self.read_only == Some(true)
    }

    fn is_empty(&self) -> bool {
        *self == Self::new()
    }
}

/// Maximum number of retries of one call by the policy of its tool.
pub(crate) const MAX_TOOL_RETRIES: u32 = 10;

/// Default of [`ToolPolicy::retry_delay`].
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Settings of a tool's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolPolicy {
    /// Timeout of a call, after which the model gets an error result. `None`: the agent's default. Each attempt of a call that
    /// is repeated has this timeout.
    pub timeout: Option<Duration>,
    /// Never run concurrently with another tool of the same turn.
    pub exclusive: bool,
    /// Interrupt for a human's approval before each call.
    pub approval: bool,
    /// Accept strings such as `"3"` as numbers, where the input schema allows a number and not a string.
    pub numeric_strings: bool,
    /// Accept an input schema that can't be compiled for validation.
    pub unsupported_schema: bool,
    /// Number of times that a call is repeated after transient failures, for tools that are declared idempotent or read-only.
    pub retries: u32,
    /// Maximum wait before the first retry; it doubles with each one.
    pub retry_delay: Duration,
    /// The result of a successful call is the response to the prompt.
    pub ends_turn: bool,
}

impl Default for ToolPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl ToolPolicy {
    /// Creates a policy without a timeout and retries, for concurrent calls without approval.
    pub const fn new() -> Self {
        Self {
            timeout: None,
            exclusive: false,
            approval: false,
            numeric_strings: false,
            unsupported_schema: false,
            retries: 0,
            retry_delay: RETRY_DELAY,
            ends_turn: false,
        }
    }

    /// Sets the timeout of a call.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets whether the tool never runs concurrently with another tool of the same turn.
    #[must_use]
    pub const fn with_exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
        self
    }

    /// Sets whether each call needs a human's approval.
    #[must_use]
    pub const fn with_approval(mut self, approval: bool) -> Self {
        self.approval = approval;
        self
    }

    /// Sets how many times a call is repeated after a transient failure, at most 10. Default: 0.
    ///
    /// Only tools whose [annotations](ToolAnnotations) are `idempotent` or `read_only` are repeated; for others, the setting
    /// has no effect. Transient failures are timeouts, errors made by [`ToolError::retryable`](crate::ToolError::retryable), and
    /// converted errors, which were not written for the model. Invalid arguments, other errors for the model, panics,
    /// interrupts and denials are final.
    ///
    /// Between attempts is a random wait of at most [`retry_delay`](Self::with_retry_delay), which doubles with each retry, up
    /// to 30 seconds; cancellation ends it. Hooks and approval see one call with one result, that of the last attempt.
    #[must_use]
    pub const fn with_retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sets the maximum wait before the first retry. Default: 500 ms.
    #[must_use]
    pub const fn with_retry_delay(mut self, delay: Duration) -> Self {
        self.retry_delay = delay;
        self
    }

    /// Sets whether the result of a successful call is the response to the prompt, without another model call. Default: false.
    ///
    /// Such a call must be the only one of its turn: otherwise no tool of the turn runs, and the model gets error results that
    /// say so. After an error result the model is called as for other tools, and also if structured output was requested, unless the
    /// tool was [added for the prompt](crate::PromptRequest::tools). The response has the call as
    /// [`ended_by`](crate::AgentResponse::ended_by).
    #[must_use]
    pub const fn with_ends_turn(mut self, ends_turn: bool) -> Self {
        self.ends_turn = ends_turn;
        self
    }

    /// Sets whether strings are accepted as numbers, where the input schema allows a number and not a string, for models that
    /// quote numbers. Default: false.
    ///
    /// The string must be a JSON number: `"3"` and `"-1.5e3"` are accepted, `"3 km"` and `"1,000"` are rejected. A tool that
    /// [checks its input](crate::Tool::checks_input) has to convert strings itself, as `#[tool(numeric_strings)]` does.
    #[must_use]
    pub const fn with_numeric_strings(mut self, numeric_strings: bool) -> Self {
        self.numeric_strings = numeric_strings;
        self
    }

    /// Sets whether an input schema is accepted that can't be compiled for validation, such as one with a pattern that looks
    /// ahead. Default: false, an error when the tool is registered.
    ///
    /// Models get such a schema like any other. Only [`Tool::call`](crate::Tool::call) validates the arguments then: use it for
    /// the tools of a remote server, which does.
    #[must_use]
    pub const fn with_unsupported_schema(mut self, accepted: bool) -> Self {
        self.unsupported_schema = accepted;
        self
    }
}

/// Returns true for a name that every provider accepts for a tool: 1 to 64 characters of `a-z A-Z 0-9 _ -`.
pub(crate) fn is_valid_tool_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Returns a tool name for a display name, with `_` for other characters. `None` for an empty name.
pub(crate) fn tool_name_of(name: &str) -> Option<String> {
    let replaced = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    let name: String = name.chars().map(replaced).take(64).collect();
    is_valid_tool_name(&name).then_some(name)
}
