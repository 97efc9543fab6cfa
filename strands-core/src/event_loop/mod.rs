//! The agentic loop: the driver that performs the steps of a [`run`](crate::run), with hooks, events, retries and
//! cancellation.

mod attempt;
mod begin;
mod call_outcome;
mod conclude;
mod driver;
mod effects;
mod emitter;
mod json_letter;
mod json_text;
mod model_call;
mod model_outcome;
mod output_request;
mod output_type;
mod partial_json;
mod partial_output;
mod preparation;
mod reading;
mod recorded;
mod reduction;
mod retry_cause;
mod stop;
mod structured_output;
mod tool_phase;
mod tool_refresh;
mod turn_calls;

pub(crate) use driver::Driver;
pub(crate) use emitter::{Emitter, Slot};
pub(crate) use output_type::OutputType;
pub(crate) use preparation::{Request, ToolSelection, end_of};
