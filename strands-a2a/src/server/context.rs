//! [`A2aContext`]: the task that an agent works on, for its tools and hooks.

/// Ids of the message that an agent responds to. It is injected into each request.
///
/// ```
/// use strands::a2a::A2aContext;
/// use strands::tool;
///
/// /// Returns the id of the conversation.
/// #[tool]
/// async fn conversation_id(context: &A2aContext) -> String {
///     context.context_id().to_owned()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct A2aContext {
    pub(super) caller: Option<String>,
    pub(super) context_id: String,
    pub(super) task_id: String,
    pub(super) message_id: String,
}

impl A2aContext {
    /// Returns the id of the caller, or `None` for the anonymous one.
    pub fn caller(&self) -> Option<&str> {
        self.caller.as_deref()
    }

    /// Returns the id of the context: the conversation. Another caller with the same id has another conversation.
    pub fn context_id(&self) -> &str {
        &self.context_id
    }

    /// Returns the id of the task.
    pub fn task_id(&self) -> &str {
        &self.task_id
    }

    /// Returns the id of the message, which its sender has chosen.
    pub fn message_id(&self) -> &str {
        &self.message_id
    }
}
