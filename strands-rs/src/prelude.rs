//! Items that most programs need: `use strands::prelude::*;`.

pub use strands_core::{
    Agent, AgentError, AgentEvent, AgentResponse, CancellationToken, Limits, StreamExt, Tool, ToolContext, ToolError,
    ToolOutput, Toolset, tool, tools, toolset,
};
