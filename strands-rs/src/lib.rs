//! An agent SDK: plain functions as tools, a typed agent loop, and any model provider.
//!
//! `#[tool]` turns a function into a tool; an [`Agent`] lets a model call it, in a loop with streaming, retries, limits,
//! cancellation, human approval, sessions and usage metrics. Concepts and data formats are those of AWS Strands Agents.
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
//! # At a glance
//!
//! A model with settings, and an agent with a limit, a retry policy and a session; then a response, structured output, and
//! a stream:
//!
//! ```no_run
//! # #[cfg(all(feature = "anthropic", feature = "session"))]
//! # mod example {
//! # use strands::{Agent, AgentEvent, Deserialize, JsonSchema, Limits, RetryPolicy, StreamExt};
//! # use strands::{models::AnthropicModel, session::FileSessionManager, tool, tools};
//! # /// The current weather in a city.
//! # #[tool]
//! # async fn get_weather(city: String) -> String { city }
//! #[derive(Deserialize, JsonSchema)]
//! # #[serde(crate = "strands::serde")]
//! # #[schemars(crate = "strands::schemars")]
//! struct Trip {
//!     city: String,
//!     nights: u8,
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let model = AnthropicModel::builder() // the API key is in ANTHROPIC_API_KEY
//!     .model_id("claude-haiku-4-5")
//!     .temperature(0.2)
//!     .max_tokens(2_048)
//!     .build()?;
//!
//! let mut agent = Agent::builder()
//!     .model(model)
//!     .system_prompt("Be brief.")
//!     .tools(tools![GetWeather])
//!     .limits(Limits::new().turns(20))
//!     .retry(RetryPolicy::new().max_attempts(3)) // after rate limits and other transient errors
//!     .session_manager(FileSessionManager::builder("user-42").dir("./sessions").build().await?)
//!     .build()
//!     .await?;
//!
//! let response = agent.prompt("How is the weather in Oslo?").await?;
//! println!("{}", response.text());
//!
//! let trip = agent.prompt("Plan two nights in Oslo.").output::<Trip>().await?.into_output()?;
//! println!("{} nights in {}", trip.nights, trip.city);
//!
//! let mut events = agent.prompt("Tell me a story.").stream();
//! while let Some(event) = events.next().await {
//!     if let AgentEvent::TextDelta { text } = event? {
//!         print!("{text}");
//!     }
//! }
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! # Where to look
//!
//! | task | item | book |
//! |---|---|---|
//! | build and prompt an agent | [`Agent`], [`AgentBuilder`] | [Quickstart][b1] |
//! | choose a model; set temperature, max tokens, API key, base URL | the builders in [`models`] | [Models][b2] |
//! | write a tool, inject values into it | [`tool`](macro@tool), [`toolset`](macro@toolset), [`ToolContext`], [`AgentBuilder::inject`] | [Tools][b3] |
//! | get structured output | [`Invocation::output`] | [Structured output][b4] |
//! | stream text and tool calls | [`Invocation::stream`], [`AgentEvent`] | [Streaming events][b5] |
//! | limit turns, tokens and time | [`Limits`], [`AgentBuilder::limits`] | [Limits and cancellation][b6] |
//! | cancel | [`Invocation::cancel_with`] | [Limits and cancellation][b6] |
//! | handle a rate limit, retry, fall back to another model | [`RetryPolicy`], [`models::RateLimit`], [`models::Fallback`] | [Rate limits and retries][b7] |
//! | store a session | [`session`], [`AgentBuilder::session_manager`], [`Agent::snapshot`] | [Sessions][b8] |
//! | require human approval | [`ToolContext::interrupt`], [`Invocation::resume`] | [Human in the loop][b9] |
//! | offer an agent to others, or use one on another server | `a2a::A2aServer`, `a2a::A2aAgent` | [A2A][b20] |
//! | let an agent call another one | [`AgentTool`], [`AgentBuilder::as_tool`] | [Agents as tools][b18] |
//! | run agents and functions as a graph | [`multiagent`], `multiagent::Graph` | [Graphs of agents][b19] |
//! | make a graph of a common shape: a sequence, a router, a review | `multiagent::patterns` | [Workflow patterns][b21] |
//! | let agents hand a task over to each other | `multiagent::Swarm` | [Swarms][b22] |
//! | observe and steer the loop | [`hook::Hook`], [`Plugin`] | [Hooks and plugins][b10] |
//! | check and redact prompts, responses and tool results | [`guardrails`] | [Guardrails][b17] |
//! | keep a conversation in the context window | [`conversation`] | [Conversation managers][b11] |
//! | test an agent without a model | [`testing::ScriptedModel`] | [Cookbook][b12] |
//! | write a provider | [`models::Model`] | [A provider of your own][b13] |
//!
//! Readers who know another library start at [From rig][b14], [From Python Strands][b15] or the [glossary][b16].
//!
//! # Features
//!
//! Only `tracing` is on by default: without another feature no TLS, HTTP, AWS or database crate is compiled.
//!
//! | feature | adds |
//! |---|---|
//! | `anthropic` | `AnthropicModel`: Claude, over Anthropic's own API |
//! | `bedrock` | `BedrockModel`: Amazon Bedrock, over the AWS SDK |
//! | `gemini` | `GeminiModel`: Google's Gemini, at its own API and on Google Cloud |
//! | `llamacpp` | `LlamaCppModel`: local models, with llama.cpp's server |
//! | `mistral` | `MistralModel`: Mistral |
//! | `ollama` | `OllamaModel`: local models, or Ollama's cloud |
//! | `openai` | `OpenAiModel`, `OpenAiResponsesModel`: OpenAI, and compatible servers |
//! | `offline` | `OfflineModel`: rules instead of a model, for examples and tests without a key |
//! | `session` | `FileSessionManager`: persistent conversations in local files, or in any object store |
//! | `s3` | `S3SessionManager`: the same in Amazon S3 |
//! | `identity` | `identity`: identities, authorization by roles, approval and audit of tool calls |
//! | `jwt` | `identity::JwtVerifier`, `identity::ServiceTokenMinter`: identities from JSON Web Tokens, and tokens for services |
//! | `cedar` | `identity::CedarAuthorizer`: authorization by Cedar policies |
//! | `guardrails` | `guardrails::PiiRedactor`: redaction of personal data |
//! | `multiagent` | `multiagent::Graph`, `multiagent::Swarm`: graphs and swarms of agents |
//! | `mcp` | `mcp`: tools of MCP servers for agents, and agents and tools as MCP servers |
//! | `a2a` | `a2a`: agents as A2A servers, and agents on A2A servers as agents of a program |
//! | `service` | `serve::AgentService`: a service of agents for several users, with sessions, identities and limits |
//! | `serve` | `serve::http`: the service on HTTP, with streams that can be resumed, and graceful shutdown |
//! | `agentcore` | `serve::agentcore`: the service on Amazon Bedrock AgentCore Runtime |
//! | `lambda` | `serve::lambda`: the service on AWS Lambda, with response streaming |
//! | `serve-openai` | `serve::openai`: the HTTP interface of OpenAI for the service |
//! | `serve-tls` | `serve::tls`: TLS for the service |
//! | `serve-ui` | `serve::ui`: the chat page of the service |
//! | `durable-lambda` | `durable::lambda`: durable execution on AWS Lambda durable functions |
//! | `durable-restate` | `durable::restate`: durable execution on Restate |
//! | `otel` | `telemetry`: traces, metrics and logs over OTLP |
//! | `contract` | `testing::contract`: contract tests for your own models, tools, hooks, managers and others |
//! | `tracing` (default) | `tracing` events for retries, fallbacks, failures, repairs and limits, without content |
//!
//! [b1]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/quickstart.md
//! [b2]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/models.md
//! [b3]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/tools.md
//! [b4]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/structured-output.md
//! [b5]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/events.md
//! [b6]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/limits.md
//! [b7]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/retries.md
//! [b8]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/sessions.md
//! [b9]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/approval.md
//! [b10]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/hooks.md
//! [b11]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/conversation.md
//! [b12]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/cookbook.md
//! [b13]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/models.md#a-provider-of-your-own
//! [b14]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/from-rig.md
//! [b15]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/from-python-strands.md
//! [b16]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/glossary.md
//! [b18]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/agents-as-tools.md
//! [b19]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/graph.md
//! [b20]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/a2a.md
//! [b21]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/workflow-patterns.md
//! [b22]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/swarm.md
//! [b17]: https://github.com/strands-rs/strands-rs/blob/main/docs/src/guardrails.md

#![cfg_attr(docsrs, feature(doc_cfg))]

// Each by its name, since a glob would copy the documentation of the crates below, too. `.ci/feature_labels.py` misses what
// is left out.
#[doc(inline)]
pub use strands_core::{
    Agent, AgentBuilder, AgentError, AgentEvent, AgentResponse, AgentState, AgentStream, AgentTool, BuildError,
    Continuation, ErrorChain, FromContext, InjectedKey, Interrupt, InterruptResponse, InterruptedCall, IntoTool,
    IntoToolOutput, Invocation, Journal, JournalError, JournalStep, JsonSchemaError, JsonSchemaErrorKind, Limits,
    Plugin, Prompt, PromptContent, PromptError, PromptRequest, PromptResponse, PromptScope, PromptStream, Promptable,
    Repair, Reservation, RetryPolicy, SharedAgent, Snapshot, SnapshotData, SnapshotError, StructuredOutput, Tool,
    ToolAnnotations, ToolCall, ToolCallOutcome, ToolContext, ToolError, ToolFailure, ToolLimiter, ToolOutput,
    ToolPolicy, ToolProvider, ToolRunner, ToolSet, ToolSetError, ToolSpec, Toolset, TraceContext, TraceContextError,
    conversation, hook, interrupt, lenient_json, message, metrics, schema, strict_json, testing, tool, tools, toolset,
};
// Crates and items of other crates that public signatures name.
#[doc(hidden)]
pub use strands_core::__private0;
#[doc(no_inline)]
pub use strands_core::{
    BoxFuture, CancellationToken, Deserialize, FusedStream, JsonSchema, Serialize, Stream, StreamExt, async_trait,
    bytes, indexmap, schemars, serde, serde_json, uuid,
};

#[cfg(feature = "a2a")]
#[doc(inline)]
pub use strands_a2a as a2a;
#[cfg(any(feature = "durable-lambda", feature = "durable-restate"))]
#[doc(inline)]
pub use strands_durable as durable;
#[cfg(feature = "identity")]
#[doc(inline)]
pub use strands_identity as identity;
#[cfg(feature = "mcp")]
#[doc(inline)]
pub use strands_mcp as mcp;
#[cfg(feature = "otel")]
#[doc(inline)]
pub use strands_otel as telemetry;
#[cfg(feature = "service")]
#[doc(inline)]
pub use strands_serve as serve;

pub mod guardrails;
pub mod models;
pub mod multiagent;
pub mod prelude;
pub mod session;
