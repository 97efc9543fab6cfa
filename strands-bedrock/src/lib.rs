//! Amazon Bedrock for strands-rs: the Converse and ConverseStream APIs over the AWS SDK.
//!
//! [`BedrockModel`] is the model provider. The SDK resolves the endpoint and the credentials, and signs and sends requests.
//! This crate serializes the body of the request from the borrowed conversation, and parses the response frame by frame. So
//! tools, system prompt and history keep their order and bytes from turn to turn, and content of kinds that are newer than
//! the SDK is supported.
//!
//! ```no_run
//! use strands::models::BedrockModel;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let model = BedrockModel::builder()
//!     .model_id("us.anthropic.claude-haiku-4-5-20251001-v1:0")
//!     .max_tokens(4_096)
//!     .build()
//!     .await?;
//! # let _ = model; Ok(()) }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

mod apply_guardrail;
mod blocks;
mod body;
mod builder;
mod cache;
mod capabilities;
mod client;
mod content_rules;
mod conversation;
mod converse;
mod document_names;
mod error;
mod exchange;
mod frame;
mod generated_image;
mod guardrail;
mod model;
mod native_output;
mod provider_content;
mod request;
mod request_adaptation;
mod settings;
mod stream_reader;
mod token_count;
mod tools;
mod turn_facts;
mod turns;

/// Provider name in responses and in provider content.
const PROVIDER: &str = "bedrock";

pub use apply_guardrail::{BedrockGuardrail, BedrockGuardrailBuilder};
pub use builder::{BedrockBuildError, BedrockModelBuilder};
pub use error::BedrockCallError;
pub use model::BedrockModel;
pub use settings::{
    CacheConfig, CacheSection, CacheStrategy, Guardrail, GuardrailStreamMode, GuardrailTrace, ServiceTier,
    ToolResultStatusPolicy,
};

// Crates that public signatures name.
#[doc(no_inline)]
pub use {aws_config, aws_sdk_bedrockruntime};
