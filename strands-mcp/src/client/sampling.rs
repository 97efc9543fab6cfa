//! Sampling: requests of servers for a response of the program's model.
#![expect(deprecated, reason = "servers of protocol versions before 2026-07-28 still request sampling")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{
    CreateMessageRequestParams, CreateMessageResult, Role, SamplingContent, SamplingMessage,
    SamplingMessageContentBlock,
};
use strands_core::message::{ContentBlock, ImageBlock, ImageFormat, Message};
use strands_core::models::{Model, StopReason};
use strands_core::{Agent, ErrorChain, Limits};

/// Limits of a client's sampling model, over its lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct SamplingLimits {
    /// Number of responses. Default: 10.
    pub responses: u64,
    /// Number of input and output tokens. The response that exceeds it is the last one. Default: 50,000.
    pub total_tokens: u64,
}

impl SamplingLimits {
    /// Creates the default limits.
    pub const fn new() -> Self {
        Self { responses: 10, total_tokens: 50_000 }
    }

    /// Sets the number of responses.
    pub const fn with_responses(mut self, responses: u64) -> Self {
        self.responses = responses;
        self
    }

    /// Sets the number of input and output tokens.
    pub const fn with_total_tokens(mut self, tokens: u64) -> Self {
        self.total_tokens = tokens;
        self
    }
}

impl Default for SamplingLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// A model for sampling, with its limits.
pub(super) struct Sampling {
    model: Arc<dyn Model>,
    limits: SamplingLimits,
    responses: AtomicU64,
    tokens: AtomicU64,
}

impl Sampling {
    pub(super) fn new(model: Arc<dyn Model>, limits: SamplingLimits) -> Self {
        Self { model, limits, responses: AtomicU64::new(0), tokens: AtomicU64::new(0) }
    }

    /// Returns the model's response, or the reason of a refusal, for the server.
    pub(super) async fn sample(&self, params: CreateMessageRequestParams) -> Result<CreateMessageResult, String> {
        if params.tools.is_some_and(|tools| !tools.is_empty()) {
            return Err("the sampling model calls no tools".to_owned());
        }
        let mut messages = params.messages.into_iter().map(message).collect::<Result<Vec<_>, _>>()?;
        let prompt = messages.pop().ok_or("the request has no messages")?;
        self.claim()?;
        let builder = Agent::builder().model(Arc::clone(&self.model)).messages(messages);
        let builder = builder.limits(Limits::new().turns(1).output_tokens(u64::from(params.max_tokens)));
        let builder = match params.system_prompt {
            Some(prompt) => builder.system_prompt(prompt),
            None => builder,
        };
        // The server gets no details: providers quote requests and parts of keys.
        let failed = |error: &(dyn std::error::Error + 'static)| {
            tracing::warn!(error = %ErrorChain::new(error), "the sampling model failed");
            "the sampling model failed".to_owned()
        };
        let mut agent = builder.build().await.map_err(|error| failed(&error))?;
        let response = agent.prompt(prompt).await.map_err(|error| failed(&error))?;
        self.tokens.fetch_add(response.metrics.accumulated_usage().total_tokens, Ordering::Relaxed);
        let stop_reason = match response.stop_reason {
            StopReason::MaxTokens => CreateMessageResult::STOP_REASON_END_MAX_TOKEN,
            StopReason::StopSequence => CreateMessageResult::STOP_REASON_END_SEQUENCE,
            _ => CreateMessageResult::STOP_REASON_END_TURN,
        };
        let text = SamplingMessageContentBlock::text(response.text());
        let result =
            CreateMessageResult::new(SamplingMessage::new(Role::Assistant, text), self.model.model_id().to_owned());
        Ok(result.with_stop_reason(stop_reason))
    }

    /// Counts a response, unless a limit is reached.
    fn claim(&self) -> Result<(), String> {
        if self.tokens.load(Ordering::Relaxed) >= self.limits.total_tokens {
            return Err(format!("the limit of {} tokens is reached", self.limits.total_tokens));
        }
        let next = |used: u64| (used < self.limits.responses).then_some(used + 1);
        let claimed = self.responses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        claimed.map(drop).map_err(|_| format!("the limit of {} responses is reached", self.limits.responses))
    }
}

fn message(message: SamplingMessage) -> Result<Message, String> {
    let blocks = match message.content {
        SamplingContent::Single(block) => vec![block],
        SamplingContent::Multiple(blocks) => blocks,
    };
    let blocks = blocks.into_iter().map(block).collect::<Result<Vec<_>, _>>()?;
    let role = match message.role {
        Role::Assistant => strands_core::message::Role::Assistant,
        Role::User => strands_core::message::Role::User,
    };
    Ok(Message::new(role, blocks))
}

fn block(block: SamplingMessageContentBlock) -> Result<ContentBlock, String> {
    match block {
        SamplingMessageContentBlock::Text(text) => Ok(ContentBlock::text(text.text)),
        SamplingMessageContentBlock::Image(image) => {
            let format = image.mime_type.strip_prefix("image/").unwrap_or(&image.mime_type);
            let bytes = STANDARD.decode(image.data).map_err(|_| "the image is not valid base64".to_owned())?;
            Ok(ImageBlock::new(ImageFormat::from(format), bytes).into())
        }
        _ => Err("the sampling model takes texts and images only".to_owned()),
    }
}
