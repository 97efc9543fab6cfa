//! Items that most programs need: `use strands::prelude::*;`.

#[doc(no_inline)]
pub use crate::{
    Agent, AgentError, AgentEvent, AgentResponse, CancellationToken, Limits, StreamExt, Tool, ToolContext, ToolError,
    ToolOutput, Toolset, tool, tools, toolset,
};
