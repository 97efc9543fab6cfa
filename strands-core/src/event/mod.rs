//! Events and the response of an invocation, and their JSON, which goes over SSE and A2A to clients of other releases and in
//! other languages. Beside the vocabulary, so that tools can pass on the events of agents that they call.

mod json;
mod known;
mod milliseconds;
mod node;
mod response;
mod retyped;
mod schema;

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde_json::{Map, Value};

pub use response::AgentResponse;

use crate::interrupt::Interrupt;
use crate::message::{Citation, ContentBlock, Message, ProviderContent, ToolResult, ToolUse};
use json::event_with_json;
use milliseconds::Milliseconds;
use node::NodePath;

event_with_json! {
    /// An event of a running invocation. `T` is the type asked for with [`Invocation::output`](crate::Invocation::output).
    ///
    /// # JSON
    ///
    /// In JSON an event is an object whose `type` names it: `{"type": "text_delta", "text": "Hel"}`. This is version 1
    /// ([`JSON_VERSION`](Self::JSON_VERSION)) of the format. Within a version, names and meanings stay, and only event types and
    /// fields are added. Readers skip what they do not know: here, fields are dropped, and an event of an unknown type becomes
    /// [`Unknown`](Self::Unknown). A known type with a missing or wrong field is an error.
    ///
    /// ```
    /// use strands::AgentEvent;
    ///
    /// let event: AgentEvent = serde_json::from_str(r#"{"type": "text_delta", "text": "Hel"}"#)?;
    /// assert!(matches!(&event, AgentEvent::TextDelta { text } if text == "Hel"));
    /// assert_eq!(serde_json::to_string(&event)?, r#"{"type":"text_delta","text":"Hel"}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[derive(Clone, Debug, JsonSchema)]
    #[schemars(transform = schema::allow_unknown_types)]
    #[non_exhaustive]
    pub enum AgentEvent<T = Value> {
        /// The invocation begins. The first event, once per invocation; an invocation that is refused has none.
        #[non_exhaustive]
        Start {
            /// Version of the JSON of the events that follow: [`AgentEvent::JSON_VERSION`].
            version: u32,
            /// Id of the invocation.
            invocation_id: Arc<str>,
            /// Id of the agent.
            agent_id: Arc<str>,
            /// Name of the agent.
            agent_name: Arc<str>,
            /// Id of the session, if the agent has a session manager.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            session_id: Option<Arc<str>>,
        },
        /// A cycle begins: a model call, with its retries, and the tools that it calls.
        CycleStart {
            /// One-based number of the model call in this invocation.
            cycle: u32,
        },
        /// A piece of the response's text.
        TextDelta {
            /// The piece.
            text: String,
        },
        /// A piece of the model's reasoning.
        ReasoningDelta {
            /// The piece.
            text: String,
        },
        /// A source that the text cites.
        Citation {
            /// The source.
            citation: Box<Citation>,
        },
        /// Content that only the provider understands, such as a search of its own and the search results.
        ProviderContent {
            /// The content.
            content: Box<ProviderContent>,
        },
        /// A medium that the model has made, such as an image.
        Media {
            /// The content block of the response: an image, a video, audio, or a document.
            content: Box<ContentBlock>,
        },
        /// A model failed and the next one is called; see [`Fallback`](crate::models::Fallback).
        Fallback {
            /// The model that failed.
            from: String,
            /// The model that is called next.
            to: String,
            /// The failure.
            error: String,
        },
        /// The model begins a tool call. One of the structured output's tool has no [`ToolStart`](Self::ToolStart).
        ToolUseStart {
            /// Id of the call.
            tool_use_id: Arc<str>,
            /// Name of the tool.
            name: String,
        },
        /// A piece of a tool call's streamed arguments.
        ToolUseDelta {
            /// Id of the call.
            tool_use_id: Arc<str>,
            /// JSON text; only all pieces together are valid JSON.
            input: String,
        },
        /// The structured output so far, if one was asked for.
        ///
        /// It is a prefix of the value that the model is giving: strings may be cut, the last element of an array and the last
        /// field of an object may be incomplete, and numbers are there once they are complete. Each value continues the one
        /// before, and no two in a row are equal. Values of more than 1 KiB come once they have grown by a 32nd.
        ///
        /// Nothing comes before it is clear which part of the response is the output. If the type is not an object, and the
        /// model's JSON is one, that is when the wrapper's field begins, or else at the end.
        ///
        /// All values since the last [`CycleStart`](Self::CycleStart) or [`Retry`](Self::Retry) are void if the model's
        /// response is thrown away or does not fit the type. They come from one source only: the text of the response, or the
        /// first call that gives the output. If a later one counts, since the first does not fit, or if an object has a
        /// field twice, no more values come, and those that came are void, too. The output is in
        /// [`Result`](Self::Result).
        PartialOutput {
            /// The value so far.
            value: Value,
        },
        /// A model call failed and is made again after a wait. Output that was streamed since the cycle's start is void.
        Retry {
            /// One-based number of the attempt that failed.
            attempt: u32,
            /// The wait, in milliseconds.
            #[serde(rename = "delay_ms", with = "Milliseconds")]
            delay: Duration,
            /// The failure.
            error: String,
            /// True if output was streamed, which a display should remove.
            discards_output: bool,
        },
        /// The conversation was truncated, since it did not fit the model's context window or soon would not have.
        ContextReduced {
            /// Description of the change.
            what: String,
        },
        /// The conversation should have been truncated before it gets too long, and could not be. The invocation goes on.
        ContextReductionFailed {
            /// The failure.
            error: String,
        },
        /// Tools have changed since the last cycle: a tool provider has another list.
        ToolsChanged {
            /// Names of the tools that are new.
            added: Vec<String>,
            /// Names of the tools that are gone.
            removed: Vec<String>,
            /// Names of the tools that are described in another way.
            changed: Vec<String>,
        },
        /// The changed tools of a provider could not be listed or used. The invocation goes on with the tools as they were.
        ToolRefreshFailed {
            /// The failure.
            error: String,
        },
        /// A guardrail replaced text.
        Redacted {
            /// Replacement of the user's message.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            user: Option<String>,
            /// Replacement of the response. A display should remove the output that was streamed before.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            assistant: Option<String>,
        },
        /// A message joined the history: the prompt, the model's response, or tool results.
        Message {
            /// The message.
            message: Arc<Message>,
        },
        /// A tool is called.
        ToolStart {
            /// The call.
            tool_use: Arc<ToolUse>,
        },
        /// A running tool reports progress.
        ToolProgress {
            /// The call.
            tool_use: Arc<ToolUse>,
            /// The report, in a form that the tool chooses.
            data: Value,
        },
        /// A tool call has ended.
        ToolEnd {
            /// The call.
            tool_use: Arc<ToolUse>,
            /// The result.
            result: ToolResult,
            /// Duration of the call, in milliseconds.
            #[serde(rename = "duration_ms", with = "Milliseconds")]
            duration: Duration,
        },
        /// Humans are asked; the invocation ends.
        Interrupt {
            /// The questions.
            interrupts: Vec<Interrupt>,
        },
        /// The invocation has ended. Always the last event.
        Result {
            /// The response.
            response: Box<AgentResponse<T>>,
        },
        /// An event of a nested agent or of a node of a graph. See [`at_node`](Self::at_node).
        #[non_exhaustive]
        Node {
            /// Names of the nodes that the event came through, outermost first. Never empty.
            #[serde(with = "NodePath")]
            path: Vec<Arc<str>>,
            /// The event. Never a node's event itself.
            event: Box<AgentEvent>,
        },
        /// An event of a type that this version does not know, as it was read. It is written back with all its fields, and
        /// with numbers of 64 bits.
        #[serde(skip)]
        Unknown(Map<String, Value>),
    }
}

impl AgentEvent {
    /// Version of the JSON format, which [`Start`](Self::Start) carries. It grows when a reader of an earlier version would
    /// misunderstand the events.
    pub const JSON_VERSION: u32 = 1;

    /// Creates a [`Start`](Self::Start), for a [`Promptable`](crate::Promptable) of your own, whose first event it is.
    ///
    /// ```
    /// use serde_json::json;
    /// use strands::AgentEvent;
    ///
    /// let event = AgentEvent::start("5f0c7c1e", "panel", "Panel of experts").with_session("user-17");
    /// assert_eq!(
    ///     serde_json::to_value(&event)?,
    ///     json!({
    ///         "type": "start",
    ///         "version": 1,
    ///         "invocation_id": "5f0c7c1e",
    ///         "agent_id": "panel",
    ///         "agent_name": "Panel of experts",
    ///         "session_id": "user-17",
    ///     }),
    /// );
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn start(
        invocation_id: impl Into<Arc<str>>,
        agent_id: impl Into<Arc<str>>,
        agent_name: impl Into<Arc<str>>,
    ) -> Self {
        Self::Start {
            version: Self::JSON_VERSION,
            invocation_id: invocation_id.into(),
            agent_id: agent_id.into(),
            agent_name: agent_name.into(),
            session_id: None,
        }
    }

    /// Sets the session id of a [`Start`](Self::Start). Other events have none and stay as they are.
    #[must_use]
    pub fn with_session(mut self, id: impl Into<Arc<str>>) -> Self {
        if let Self::Start { session_id, .. } = &mut self {
            *session_id = Some(id.into());
        }
        self
    }
}
