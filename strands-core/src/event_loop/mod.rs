//! The agentic loop: a state machine without I/O ([`run`]), and the driver that performs its steps.

pub(crate) mod driver;
mod limits;
mod model_call;
mod reading;
mod retry;
pub(crate) mod run;
mod shortening;
mod tool_call;
mod tool_phase;
mod typed_output;

pub use limits::Limits;
pub use retry::RetryPolicy;
