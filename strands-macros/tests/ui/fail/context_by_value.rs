use strands::{AgentState, CancellationToken, ToolContext, tool};

/// Waits.
#[tool]
async fn wait(token: CancellationToken, state: AgentState, ctx: ToolContext) {
    let _ = (token, state, ctx);
}

fn main() {}
