//! Settings of the interface.

use http::HeaderName;

/// Headers of OpenAI's SDKs in browsers.
const SDK_HEADERS: [&str; 13] = [
    "openai-beta",
    "openai-organization",
    "openai-project",
    "x-stainless-arch",
    "x-stainless-async",
    "x-stainless-helper-method",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-retry-count",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
    "x-stainless-timeout",
];

/// Settings of the HTTP interface of OpenAI.
///
/// ```
/// use strands::serve::openai::{ClientInput, OpenAiSettings};
///
/// // Open WebUI sends the ids of its chats in this header, if it is configured to forward information about users.
/// let settings = OpenAiSettings::new("travel-agent")
///     .session_header("x-openwebui-chat-id".parse()?)
///     .instructions(ClientInput::Refuse);
/// # drop(settings);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct OpenAiSettings {
    pub(super) model: String,
    pub(crate) session_header: HeaderName,
    pub(super) instructions: ClientInput,
    pub(super) tools: ClientInput,
}

/// Reaction to input of a client that an agent does not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientInput {
    /// The input is ignored.
    Ignore,
    /// The request is refused with status 400.
    Refuse,
}

impl OpenAiSettings {
    /// Creates settings with a name of the agent, which is the `model` of requests. Requests with another one are refused.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            session_header: super::session::HEADER,
            instructions: ClientInput::Ignore,
            tools: ClientInput::Refuse,
        }
    }

    /// Returns the headers that pages of other origins may send.
    pub(crate) fn request_headers(&self) -> impl Iterator<Item = HeaderName> {
        let of_sdk = SDK_HEADERS.iter().map(|name| HeaderName::from_static(name));
        of_sdk.chain([self.session_header.clone()])
    }

    /// Sets the header in which clients name the session. Default: `x-session-id`.
    pub fn session_header(mut self, name: HeaderName) -> Self {
        self.session_header = name;
        self
    }

    /// Sets the reaction to system and developer messages, and to `instructions`. Default: [`ClientInput::Ignore`].
    pub fn instructions(mut self, reaction: ClientInput) -> Self {
        self.instructions = reaction;
        self
    }

    /// Sets the reaction to tools and functions of a client. Default: [`ClientInput::Refuse`].
    pub fn tools(mut self, reaction: ClientInput) -> Self {
        self.tools = reaction;
        self
    }
}
