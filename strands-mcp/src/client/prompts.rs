//! Prompts of a server: templates of messages that users choose.

use rmcp::model::{
    ArgumentInfo, CompleteRequestParams, CompletionContext, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
    JsonObject, Reference,
};
use rmcp::service::{Peer, RoleClient, ServiceError};
use serde_json::Value;
use strands_core::message::{Message, Role};

use super::content::message_content;
use super::description::{visible_line, visible_text};
use super::error::McpError;
use super::mcp_client::McpClient;
use super::reading::{Round, RoundInput};

/// Maximum size of a description, in bytes.
const MAX_DESCRIPTION: usize = 16 * 1024;

/// A prompt that a server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PromptInfo {
    /// Name, for [`McpClient::get_prompt`].
    pub name: String,
    /// Title for users.
    pub title: Option<String>,
    /// Description for users.
    pub description: Option<String>,
    /// Arguments.
    pub arguments: Vec<PromptArgument>,
}

/// An argument of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PromptArgument {
    /// Name.
    pub name: String,
    /// Title for users.
    pub title: Option<String>,
    /// Description for users.
    pub description: Option<String>,
    /// The argument is required.
    pub required: bool,
}

/// Messages of a prompt.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PromptMessages {
    /// Description for users.
    pub description: Option<String>,
    /// The messages, which an agent takes as a prompt. They are data of the server: models follow them.
    pub messages: Vec<Message>,
}

/// Suggestions for the value of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completion {
    /// Values, best first.
    pub values: Vec<String>,
    /// Number of all values, if the server knows it.
    pub total: Option<u32>,
    /// There are more values.
    pub has_more: bool,
}

impl McpClient {
    /// Lists the server's prompts, over all pages. The list is empty if the server does not offer prompts.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`connect`](Self::connect) and of the requests.
    pub async fn list_prompts(&self) -> Result<Vec<PromptInfo>, McpError> {
        if !self.inner.caller.offers(|capabilities| capabilities.prompts.is_some()).await? {
            return Ok(Vec::new());
        }
        let page = |peer: Peer<RoleClient>, params| async move {
            let page = peer.list_prompts(params).await?;
            Ok((page.prompts, page.next_cursor))
        };
        let prompts = self.inner.caller.read_pages(page).await?;
        Ok(prompts.into_iter().map(PromptInfo::of).collect())
    }

    /// Returns the messages of a prompt with these arguments.
    ///
    /// ```no_run
    /// use strands::mcp::McpClient;
    /// # async fn example(agent: &mut strands::Agent, client: McpClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let prompt = client.get_prompt("review", &[("language", "Rust")]).await?;
    /// let response = agent.prompt(prompt.messages).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`list_prompts`](Self::list_prompts), [`McpError::Rejected`] for an unknown prompt or a missing
    /// argument, and [`McpError::InputRequired`] if the server requests input for which there is no callback.
    pub async fn get_prompt(&self, name: &str, arguments: &[(&str, &str)]) -> Result<PromptMessages, McpError> {
        let arguments: JsonObject =
            arguments.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        let request = |peer: Peer<RoleClient>, RoundInput { responses, state }| {
            let mut params = GetPromptRequestParams::new(name);
            params.arguments = (!arguments.is_empty()).then(|| arguments.clone());
            (params.input_responses, params.request_state) = (responses, state);
            async move {
                Ok(match peer.get_prompt_once(params).await? {
                    GetPromptResponse::InputRequired(required) => Round::Input(required),
                    GetPromptResponse::Complete(result) => Round::Complete(result),
                    _ => return Err(ServiceError::UnexpectedResponse),
                })
            }
        };
        self.inner.caller.read_rounds(name, request).await.map(PromptMessages::of)
    }

    /// Returns suggestions for the value of a prompt's argument, from its beginning. `others` are arguments that have a value.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`list_prompts`](Self::list_prompts).
    pub async fn complete_prompt(
        &self,
        prompt: &str,
        argument: &str,
        beginning: &str,
        others: &[(&str, &str)],
    ) -> Result<Completion, McpError> {
        self.complete(Reference::for_prompt(prompt), argument, beginning, others).await
    }

    /// Returns suggestions for a parameter of a resource template, from its beginning. `others` are parameters that have a value.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`list_prompts`](Self::list_prompts).
    pub async fn complete_resource(
        &self,
        uri_template: &str,
        parameter: &str,
        beginning: &str,
        others: &[(&str, &str)],
    ) -> Result<Completion, McpError> {
        self.complete(Reference::for_resource(uri_template), parameter, beginning, others).await
    }

    async fn complete(
        &self,
        reference: Reference,
        argument: &str,
        beginning: &str,
        others: &[(&str, &str)],
    ) -> Result<Completion, McpError> {
        let mut params = CompleteRequestParams::new(reference, ArgumentInfo::new(argument, beginning));
        if !others.is_empty() {
            let others = others.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            params.context = Some(CompletionContext::with_arguments(others));
        }
        let request = |peer: Peer<RoleClient>| {
            let params = params.clone();
            async move { peer.complete(params).await }
        };
        let completion = self.inner.caller.read(request).await?.completion;
        Ok(Completion {
            values: completion.values,
            total: completion.total,
            has_more: completion.has_more.unwrap_or(false),
        })
    }
}

impl PromptInfo {
    fn of(prompt: rmcp::model::Prompt) -> Self {
        Self {
            name: prompt.name,
            title: prompt.title.as_deref().map(visible_line),
            description: prompt.description.as_deref().map(described),
            arguments: prompt.arguments.unwrap_or_default().into_iter().map(PromptArgument::of).collect(),
        }
    }
}

impl PromptArgument {
    fn of(argument: rmcp::model::PromptArgument) -> Self {
        Self {
            name: argument.name,
            title: argument.title.as_deref().map(visible_line),
            description: argument.description.as_deref().map(described),
            required: argument.required.unwrap_or(false),
        }
    }
}

impl PromptMessages {
    fn of(result: GetPromptResult) -> Self {
        let message = |message: rmcp::model::PromptMessage| {
            let role = match message.role {
                rmcp::model::Role::Assistant => Role::Assistant,
                rmcp::model::Role::User => Role::User,
            };
            Message::new(role, message_content(message.content))
        };
        Self {
            description: result.description.as_deref().map(described),
            messages: result.messages.into_iter().map(message).collect(),
        }
    }
}

fn described(description: &str) -> String {
    visible_text(description, MAX_DESCRIPTION)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn converts_the_messages_of_a_prompt() {
        let result = json!({
            "description": "a\u{202e}b",
            "messages": [
                {"role": "user", "content": {"type": "text", "text": "Review this."}},
                {"role": "assistant", "content": {"type": "text", "text": "I will."}},
                {"role": "user", "content": {"type": "resource", "resource": {"uri": "file:///a.rs", "text": "fn a() {}"}}},
                {"role": "user", "content": {"type": "audio", "data": "UklGRgAA", "mimeType": "audio/x-wav"}},
                {"role": "user", "content": {"type": "audio", "data": "AAAA", "mimeType": "audio/midi"}},
            ],
        });
        let prompt = PromptMessages::of(serde_json::from_value::<GetPromptResult>(result).unwrap());
        assert_eq!(prompt.description.as_deref(), Some("a\\u{202e}b"));
        assert_eq!(
            serde_json::to_value(&prompt.messages).unwrap(),
            json!([
                {"role": "user", "content": [{"text": "Review this."}]},
                {"role": "assistant", "content": [{"text": "I will."}]},
                {"role": "user", "content": [{"text": "[Resource `file:///a.rs`:]\nfn a() {}"}]},
                {"role": "user", "content": [{"audio": {"format": "wav", "source": {"bytes": {"__bytes_encoded__": true, "data": "UklGRgAA"}}}}]},
                {"role": "user", "content": [{"text": "[Data of type `audio/midi`, 3 bytes, that can't be shown to this model.]"}]},
            ])
        );
    }
}
