//! The agentic loop: the driver that executes the steps of a [`run`](crate::run) with hooks, events, retries and
//! cancellation.

mod code_fence;
mod context_reduction;
mod decisions;
mod delegation;
mod driver;
mod effects;
mod emitter;
mod finished_call;
mod history_updates;
mod invocation_end;
mod invocation_start;
mod journal_records;
mod json_char;
mod model_attempt;
mod model_call;
mod model_outcome;
mod open_turn;
mod output_request;
mod partial_json;
mod partial_output;
mod preparation;
mod retry_cause;
mod stop_signal;
mod stream_reader;
mod structured_output;
mod tool_execution;
mod tool_phase;
mod tool_refresh;
mod turn_calls;

pub(crate) use driver::Driver;
pub(crate) use emitter::{Emitter, Listener};
pub(crate) use preparation::{Request, ToolSelection};
pub(crate) use stop_signal::stop_requested;
