//! Agents in Rust: plain functions as tools, a typed agentic loop, any model provider.
//!
//! `#[tool]` turns an ordinary function into a tool. An [`Agent`] lets a model call it, in a loop with streaming, retries,
//! cancellation, human approval and usage metrics. Concepts, terms and data formats are those of AWS Strands Agents.
//!
//! ```
//! use strands::{Agent, tool, tools};
//! # use strands::testing::{ScriptedModel, ScriptedTurn};
//!
//! /// The current weather in a city.
//! #[tool]
//! async fn get_weather(
//!     /// City name, e.g. "Seattle".
//!     city: String,
//! ) -> String {
//!     format!("It is sunny in {city}.")
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! # let call = ScriptedTurn::tool_use("get_weather", strands::serde_json::json!({"city": "Oslo"}));
//! # let model = ScriptedModel::new([call, ScriptedTurn::text("Sunny in Oslo.")]);
//! let mut agent = Agent::builder().model(model).tools(tools![GetWeather]).build().await?;
//!
//! let response = agent.prompt("How is the weather in Oslo?").await?;
//! assert_eq!(response.text(), "Sunny in Oslo.");
//! println!("{:#}", response.metrics.summary());
//!
//! // `get_weather` is still an ordinary function.
//! assert_eq!(get_weather("Bergen".into()).await, "It is sunny in Bergen.");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # Features
//!
//! Only `tracing` is on by default: without another feature no TLS, HTTP, AWS or database crate is compiled.
//!
//! | feature | adds |
//! |---|---|
//! | `tracing` (default) | events of `tracing` for retries, fallbacks, failures, repairs and limits, without content |
//! | `offline` | `OfflineModel`: rules instead of a language model, for examples and tests without an API key |
//! | `anthropic` | `AnthropicModel`: Claude, over Anthropic's own API |
//! | `gemini` | `GeminiModel`: Google's Gemini, at its own API and on Google Cloud |
//! | `llamacpp` | `LlamaCppModel`: local models, with llama.cpp's server |
//! | `mistral` | `MistralModel`: Mistral |
//! | `ollama` | `OllamaModel`: local models, or models in Ollama's cloud |
//! | `openai` | `OpenAiModel`, `OpenAiResponsesModel`: OpenAI and compatible servers |
//! | `bedrock` | `BedrockModel`: Amazon Bedrock, over the AWS SDK |
//! | `session` | `FileSessionManager` and others: sessions in local files, object stores and databases |
//! | `s3` | `S3SessionManager`: sessions in Amazon S3 |
//! | `contract` | `testing::contract`: test suites for custom models, tools, hooks, managers and stores |
//!
//! # Where to look
//!
//! | to | see |
//! |---|---|
//! | write a tool | [`tool`](macro@tool), [`toolset`](macro@toolset), [`ToolContext`] |
//! | build an agent | [`AgentBuilder`], [`models`] |
//! | stream, cancel, limit, get structured output | [`Invocation`], [`AgentEvent`] |
//! | customize the loop | [`hook::Hook`], [`conversation::ConversationManager`], [`RetryPolicy`] |
//! | require human approval | [`ToolContext::interrupt`], [`Invocation::resume`] |
//! | persist conversations | [`session`], [`Agent::snapshot`] |
//! | test an agent | [`testing::ScriptedModel`] |
//! | write a provider | [`models::Model`] |

#![cfg_attr(docsrs, feature(doc_cfg))]

// Each by its name, since a glob would copy the documentation of the crates below, too. `.ci/feature_labels.py` misses what
// is left out.
#[doc(inline)]
pub use strands_core::{
    Agent, AgentBuilder, AgentError, AgentEvent, AgentResponse, AgentState, AgentStream, BuildError, ErrorChain,
    FromContext, InjectedKey, Interrupt, InterruptResponse, IntoToolOutput, Invocation, Journal, JournalError,
    JournalStep, JsonSchemaError, JsonSchemaErrorKind, Limits, Plugin, Prompt, PromptRequest, PromptStream, Promptable,
    Repair, RetryPolicy, SharedAgent, Snapshot, SnapshotData, SnapshotError, StructuredOutput, Tool, ToolAnnotations,
    ToolCall, ToolCallOutcome, ToolContext, ToolError, ToolOutput, ToolPolicy, ToolProvider, ToolRunner, ToolSet,
    ToolSetError, ToolSpec, Toolset, conversation, hook, interrupt, lenient_json, message, metrics, schema, testing,
    tool, tools, toolset,
};
// Crates and items of other crates that public signatures name.
#[doc(hidden)]
pub use strands_core::__private0;
#[doc(no_inline)]
pub use strands_core::{
    BoxFuture, CancellationToken, Deserialize, FusedStream, JsonSchema, Serialize, Stream, StreamExt, async_trait,
    bytes, indexmap, schemars, serde, serde_json, uuid,
};

pub mod models;
pub mod prelude;
pub mod session;
