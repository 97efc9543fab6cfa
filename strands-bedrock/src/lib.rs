//! Amazon Bedrock for strands-rs: the Converse and ConverseStream APIs over the AWS SDK.
//!
//! [`BedrockModel`] is the provider. The SDK finds the endpoint and the credentials, signs, and moves the bytes; the body
//! of the request is written here, straight from the borrowed conversation, and the answer is read here frame by frame.
//! So tools, system prompt and history keep their order and bytes from turn to turn, and kinds of content that are newer
//! than the SDK get through.
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

mod blocks;
mod body;
mod builder;
mod cache;
mod capabilities;
mod client;
mod content_rules;
mod converse;
mod count;
mod document_names;
mod error;
mod exchange;
mod guardrail;
mod heal;
mod made_image;
mod model;
mod native_output;
mod own;
mod request;
mod settings;
mod stream;
mod tools;
mod turns;

/// The name under which Bedrock's answers begin.
const PROVIDER: &str = "bedrock";

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
