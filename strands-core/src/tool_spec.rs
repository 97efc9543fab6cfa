//! How a tool is described to a model, and how the loop is to treat it.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// How a tool is described to a model.
///
/// JSON: `{"name": .., "description": .., "inputSchema": {"json": {..}}}`, with `outputSchema` and `annotations` where
/// there are any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolSpec {
    /// 1 to 64 of `a-z A-Z 0-9 _ -`.
    pub name: String,
    /// What the model reads to decide when to call.
    pub description: String,
    /// The JSON Schema (2020-12) of the arguments: an object.
    #[serde(serialize_with = "wrap", deserialize_with = "unwrap")]
    pub input_schema: Value,
    /// The JSON Schema of the answer. Providers are not sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// What the tool does to the world. Providers are not sent it.
    #[serde(default, skip_serializing_if = "ToolAnnotations::is_empty")]
    pub annotations: ToolAnnotations,
    /// Asks the provider to let the model write nothing but what fits the schema, where it can.
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
    /// A tool by this name, for this purpose, with arguments that fit this schema.
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

    /// With the schema of the answer.
    #[must_use]
    pub fn with_output_schema(mut self, schema: Value) -> Self {
        self.output_schema = Some(schema);
        self
    }

    /// With what the tool does to the world.
    #[must_use]
    pub fn with_annotations(mut self, annotations: ToolAnnotations) -> Self {
        self.annotations = annotations;
        self
    }

    /// Asks the provider to let the model write nothing but what fits the schema.
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }
}

/// Effects of a tool, in the words of MCP. Hints: nothing is enforced by them, but an approved call whose
/// outcome is unknown after a crash is made again only if the tool is `idempotent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolAnnotations {
    /// It changes nothing.
    #[serde(default, rename = "readOnlyHint", skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// What it changes can't be undone.
    #[serde(default, rename = "destructiveHint", skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
    /// Calling it twice is the same as calling it once.
    #[serde(default, rename = "idempotentHint", skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// It reaches things outside the program, such as the web.
    #[serde(default, rename = "openWorldHint", skip_serializing_if = "Option::is_none")]
    pub open_world: Option<bool>,
}

impl ToolAnnotations {
    /// Nothing said.
    pub const fn new() -> Self {
        Self { read_only: None, destructive: None, idempotent: None, open_world: None }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub const fn with_read_only(mut self, hint: bool) -> Self {
        self.read_only = Some(hint);
        self
    }

    /// Whether what it changes can't be undone.
    #[must_use]
    pub const fn with_destructive(mut self, hint: bool) -> Self {
        self.destructive = Some(hint);
        self
    }

    /// Whether calling it twice is the same as calling it once.
    #[must_use]
    pub const fn with_idempotent(mut self, hint: bool) -> Self {
        self.idempotent = Some(hint);
        self
    }

    /// Whether it reaches things outside the program.
    #[must_use]
    pub const fn with_open_world(mut self, hint: bool) -> Self {
        self.open_world = Some(hint);
        self
    }

    fn is_empty(&self) -> bool {
        *self == Self::new()
    }
}

/// How the loop is to treat a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolPolicy {
    /// How long a call may take; the model gets an error result after that. `None`: the agent's own limit.
    pub timeout: Option<Duration>,
    /// Never beside another tool of the same turn.
    pub exclusive: bool,
    /// Only with a human's consent: the loop interrupts before it calls.
    pub approval: bool,
    /// Strings such as `"3"` are read as numbers wherever the input schema takes a number and no string.
    pub numeric_strings: bool,
}

impl ToolPolicy {
    /// No limit, beside others, without consent.
    pub const fn new() -> Self {
        Self { timeout: None, exclusive: false, approval: false, numeric_strings: false }
    }

    /// With a limit on how long a call may take.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Never beside another tool of the same turn.
    #[must_use]
    pub const fn with_exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
        self
    }

    /// Only with a human's consent.
    #[must_use]
    pub const fn with_approval(mut self, approval: bool) -> Self {
        self.approval = approval;
        self
    }

    /// Reads strings as numbers wherever the input schema takes a number and no string, for models that quote them. A tool
    /// that [checks its input](crate::Tool::checks_input) reads them itself; `#[tool(numeric_strings)]` does. The string has to be a number of JSON: `"3"` and `"-1.5e3"` are, `"3 km"` and `"1,000"` are refused. Default: off, every
    /// string in place of a number is refused.
    #[must_use]
    pub const fn with_numeric_strings(mut self, numeric_strings: bool) -> Self {
        self.numeric_strings = numeric_strings;
        self
    }
}

/// What every provider accepts as a tool's name: 1 to 64 of `a-z A-Z 0-9 _ -`.
pub(crate) fn is_valid_tool_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
