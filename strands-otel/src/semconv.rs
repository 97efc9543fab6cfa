//! Names of spans, attributes, events and metrics: the GenAI semantic conventions, and those of Strands.
//!
//! They are constants here rather than those of a crate, since the conventions for generative AI are experimental: a new release of
//! that crate must not rename the attributes of a running service.

/// Name of the instrumentation scope of spans and metrics.
pub const SCOPE: &str = "strands.telemetry.tracer";

/// Value of [`SYSTEM`] and [`PROVIDER_NAME`].
pub const STRANDS_AGENTS: &str = "strands-agents";

/// Value of an attribute of metrics in place of a name beyond the limit, or of a tool that does not exist.
pub const OTHER: &str = "_OTHER";

// Operations: the values of `OPERATION_NAME`, and names of spans.

/// Span of an invocation. The name of the agent follows in the span's name.
pub const INVOKE_AGENT: &str = "invoke_agent";
/// Span of a model call and the tool calls of its response.
pub const EXECUTE_CYCLE: &str = "execute_event_loop_cycle";
/// Span of one attempt of a model call.
pub const CHAT: &str = "chat";
/// Span of a tool call. The name of the tool follows in the span's name.
pub const EXECUTE_TOOL: &str = "execute_tool";
/// Span of a run of a graph. The name of the graph follows in the span's name.
pub const INVOKE_GRAPH: &str = "invoke_graph";
/// Span of a run of a swarm. The name of the swarm follows in the span's name.
pub const INVOKE_SWARM: &str = "invoke_swarm";
/// Span of one attempt of a node. The id of the node follows in the span's name.
pub const EXECUTE_NODE: &str = "execute_node";

// Attributes of all spans.

/// Operation of a span.
pub const OPERATION_NAME: &str = "gen_ai.operation.name";
/// Legacy name of [`PROVIDER_NAME`].
pub const SYSTEM: &str = "gen_ai.system";
/// Provider of the agent: [`STRANDS_AGENTS`].
pub const PROVIDER_NAME: &str = "gen_ai.provider.name";
/// Id of the agent's session.
pub const SESSION_ID: &str = "session.id";
/// Id of the user, if the program sets it.
pub const USER_ID: &str = "user.id";
/// Kind of an error.
pub const ERROR_TYPE: &str = "error.type";
/// Kind of a cancellation: `cancelled` by the caller, or `dropped`.
pub const CANCELLATION_TYPE: &str = "strands.cancellation.type";

// Attributes of `invoke_agent`.

/// Name of the agent.
pub const AGENT_NAME: &str = "gen_ai.agent.name";
/// Names of the agent's tools, as a JSON array.
pub const AGENT_TOOLS: &str = "gen_ai.agent.tools";
/// Specifications of the agent's tools, as JSON.
pub const TOOL_DEFINITIONS: &str = "gen_ai.tool.definitions";
/// Id of the invocation.
pub const INVOCATION_ID: &str = "strands.invocation.id";
/// Stop reason of the invocation.
pub const STOP_REASON: &str = "strands.stop_reason";

// Attributes of `invoke_graph`, `invoke_swarm` and `execute_node`.

/// Id of the run, which processes that continue it share.
pub const RUN_ID: &str = "strands.run.id";
/// True for the continuation of a run.
pub const RUN_RESUMED: &str = "strands.run.resumed";
/// Id of the node.
pub const NODE_ID: &str = "strands.node.id";
/// One-based number of the attempt, over all starts of the node in the run.
pub const NODE_ATTEMPT: &str = "strands.node.attempt";
/// Status of the node after the attempt.
pub const NODE_STATUS: &str = "strands.node.status";

// Attributes of `execute_event_loop_cycle`.

/// Id of the cycle.
pub const CYCLE_ID: &str = "event_loop.cycle_id";
/// Id of the cycle before.
pub const PARENT_CYCLE_ID: &str = "event_loop.parent_cycle_id";

// Attributes of `chat`.

/// Id of the requested model.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// Id of the model that responded, after a fallback.
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
/// Stop reasons of the response.
pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// One-based number of the attempt, above 1.
pub const ATTEMPT: &str = "strands.model.attempt";
/// Time to the first content, in milliseconds.
pub const TIME_TO_FIRST_TOKEN: &str = "gen_ai.server.time_to_first_token";
/// Duration of the call, in milliseconds.
pub const REQUEST_DURATION: &str = "gen_ai.server.request.duration";

// Usage, on `chat` and `invoke_agent`.

/// Legacy name of [`INPUT_TOKENS`].
pub const PROMPT_TOKENS: &str = "gen_ai.usage.prompt_tokens";
/// Prompt tokens, with those from a cache.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Legacy name of [`OUTPUT_TOKENS`].
pub const COMPLETION_TOKENS: &str = "gen_ai.usage.completion_tokens";
/// Output tokens.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// All tokens.
pub const TOTAL_TOKENS: &str = "gen_ai.usage.total_tokens";
/// Prompt tokens read from a cache.
pub const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
/// Prompt tokens written to a cache.
pub const CACHE_CREATION_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
/// Legacy name of [`CACHE_READ_TOKENS`].
pub const LEGACY_CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read_input_tokens";
/// Legacy name of [`CACHE_CREATION_TOKENS`].
pub const LEGACY_CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_write_input_tokens";

// Attributes of `execute_tool`.

/// Name of the tool.
pub const TOOL_NAME: &str = "gen_ai.tool.name";
/// Id of the call.
pub const TOOL_CALL_ID: &str = "gen_ai.tool.call.id";
/// Description of the tool.
pub const TOOL_DESCRIPTION: &str = "gen_ai.tool.description";
/// Schema of the tool's arguments, as JSON.
pub const TOOL_JSON_SCHEMA: &str = "gen_ai.tool.json_schema";
/// Status of the result: `success` or `error`.
pub const TOOL_STATUS: &str = "gen_ai.tool.status";
/// Number of attempts by the policy of the tool, above 1.
pub const TOOL_ATTEMPTS: &str = "strands.tool.attempts";

// Content, only if it is captured.

/// System prompt, as JSON.
pub const SYSTEM_INSTRUCTIONS: &str = "gen_ai.system_instructions";
/// Messages of a request, as JSON.
pub const INPUT_MESSAGES: &str = "gen_ai.input.messages";
/// Messages of a response, as JSON.
pub const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
/// Arguments of a tool call, as JSON.
pub const TOOL_CALL_ARGUMENTS: &str = "gen_ai.tool.call.arguments";
/// Result of a tool call, as JSON.
pub const TOOL_CALL_RESULT: &str = "gen_ai.tool.call.result";
/// Event of the latest conventions, with content.
pub const DETAILS_EVENT: &str = "gen_ai.client.inference.operation.details";
/// Legacy event of a system prompt.
pub const SYSTEM_MESSAGE_EVENT: &str = "gen_ai.system.message";
/// Legacy event of a message of the user.
pub const USER_MESSAGE_EVENT: &str = "gen_ai.user.message";
/// Legacy event of a message of the model.
pub const ASSISTANT_MESSAGE_EVENT: &str = "gen_ai.assistant.message";
/// Legacy event of tool results, or of a tool call.
pub const TOOL_MESSAGE_EVENT: &str = "gen_ai.tool.message";
/// Legacy event of a response.
pub const CHOICE_EVENT: &str = "gen_ai.choice";
/// Content of a legacy event.
pub const CONTENT: &str = "content";
/// Response of a legacy event.
pub const MESSAGE: &str = "message";
/// Stop reason of a legacy event.
pub const FINISH_REASON: &str = "finish_reason";
/// Role of a legacy event.
pub const ROLE: &str = "role";
/// Call id of a legacy event.
pub const ID: &str = "id";

// Events without content.

/// A repeated model call, with the kind of the error in [`ERROR_TYPE`].
pub const RETRY_EVENT: &str = "strands.retry";
/// A step of a fallback to the next model.
pub const FALLBACK_EVENT: &str = "strands.fallback";
/// An interrupt that waits for a response.
pub const INTERRUPT_EVENT: &str = "strands.interrupt";
/// A handoff in a swarm.
pub const HANDOFF_EVENT: &str = "strands.handoff";
/// Id of the member that hands over.
pub const HANDOFF_FROM: &str = "strands.handoff.from";
/// Id of the member that is next.
pub const HANDOFF_TO: &str = "strands.handoff.to";
/// Id of the model that failed.
pub const FALLBACK_FROM: &str = "strands.fallback.from";
/// Id of the next model.
pub const FALLBACK_TO: &str = "strands.fallback.to";
/// Name of an interrupt.
pub const INTERRUPT_NAME: &str = "strands.interrupt.name";
/// Text of an error, only if content is captured.
pub const EXCEPTION_MESSAGE: &str = "exception.message";
/// Kind of an error in an exception event.
pub const EXCEPTION_TYPE: &str = "exception.type";
/// Event of an error.
pub const EXCEPTION_EVENT: &str = "exception";

// Attributes of a request to a server.

/// HTTP method.
pub const HTTP_METHOD: &str = "http.request.method";
/// Route with placeholders.
pub const HTTP_ROUTE: &str = "http.route";
/// HTTP status code.
pub const HTTP_STATUS: &str = "http.response.status_code";

/// Names of metrics, and of their attributes.
pub mod metric {
    /// Cycles: model calls with their tools.
    pub const CYCLES: &str = "strands.event_loop.cycle_count";
    /// Cycles that began.
    pub const STARTED_CYCLES: &str = "strands.event_loop.start_cycle";
    /// Cycles that ended.
    pub const ENDED_CYCLES: &str = "strands.event_loop.end_cycle";
    /// Duration of a cycle, in seconds.
    pub const CYCLE_DURATION: &str = "strands.event_loop.cycle_duration";
    /// Duration of a model call, in milliseconds.
    pub const MODEL_LATENCY: &str = "strands.event_loop.latency";
    /// Prompt tokens of a model call.
    pub const INPUT_TOKENS: &str = "strands.event_loop.input.tokens";
    /// Output tokens of a model call.
    pub const OUTPUT_TOKENS: &str = "strands.event_loop.output.tokens";
    /// Prompt tokens of a model call that were read from a cache.
    pub const CACHE_READ_TOKENS: &str = "strands.event_loop.cache_read.input.tokens";
    /// Prompt tokens of a model call that were written to a cache.
    pub const CACHE_WRITE_TOKENS: &str = "strands.event_loop.cache_write.input.tokens";
    /// Time to the first content of a response, in milliseconds.
    pub const TIME_TO_FIRST_TOKEN: &str = "strands.model.time_to_first_token";
    /// Model calls that failed.
    pub const MODEL_ERRORS: &str = "strands.model.error_count";
    /// Model calls that were repeated.
    pub const MODEL_RETRIES: &str = "strands.model.retry_count";
    /// Steps of fallbacks to other models.
    pub const FALLBACKS: &str = "strands.model.fallback_count";
    /// Tool calls.
    pub const TOOL_CALLS: &str = "strands.tool.call_count";
    /// Tool calls that succeeded.
    pub const TOOL_SUCCESSES: &str = "strands.tool.success_count";
    /// Tool calls that failed.
    pub const TOOL_ERRORS: &str = "strands.tool.error_count";
    /// Duration of a tool call, in seconds.
    pub const TOOL_DURATION: &str = "strands.tool.duration";
    /// Invocations that ended.
    pub const INVOCATIONS: &str = "strands.invocation.count";
    /// Duration of an invocation, in seconds.
    pub const INVOCATION_DURATION: &str = "strands.invocation.duration";
    /// Invocations that failed.
    pub const INVOCATION_ERRORS: &str = "strands.invocation.error_count";
    /// Invocations that run.
    pub const IN_FLIGHT: &str = "strands.invocation.in_flight";

    /// All names, in the order above.
    pub const ALL: [&str; 21] = [
        CYCLES,
        STARTED_CYCLES,
        ENDED_CYCLES,
        CYCLE_DURATION,
        MODEL_LATENCY,
        INPUT_TOKENS,
        OUTPUT_TOKENS,
        CACHE_READ_TOKENS,
        CACHE_WRITE_TOKENS,
        TIME_TO_FIRST_TOKEN,
        MODEL_ERRORS,
        MODEL_RETRIES,
        FALLBACKS,
        TOOL_CALLS,
        TOOL_SUCCESSES,
        TOOL_ERRORS,
        TOOL_DURATION,
        INVOCATIONS,
        INVOCATION_DURATION,
        INVOCATION_ERRORS,
        IN_FLIGHT,
    ];

    /// Attribute of metrics of tools: the tool's name.
    pub const TOOL_NAME: &str = "tool_name";
    /// Attribute of ended invocations: `ok`, `error`, `interrupt`, `cancelled`, `limit` or `dropped`.
    pub const OUTCOME: &str = "outcome";
}
