//! Types of the Amazon Bedrock provider.

#[doc(inline)]
pub use strands_bedrock::{
    BedrockBuildError, BedrockCallError, BedrockGuardrail, BedrockGuardrailBuilder, BedrockModel, BedrockModelBuilder,
    CacheConfig, CacheSection, CacheStrategy, Guardrail, GuardrailStreamMode, GuardrailTrace, ServiceTier,
    ToolResultStatusPolicy,
};
// Crates that public signatures name.
#[doc(no_inline)]
pub use strands_bedrock::{aws_config, aws_sdk_bedrockruntime};
