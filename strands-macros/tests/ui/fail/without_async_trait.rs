use strands::hook::{BeforeToolCall, Hook, HookResult};
use strands::serde_json::Value;
use strands::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec};

struct Audit;

impl Hook for Audit {
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }
}

struct Echo(ToolSpec);

impl Tool for Echo {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::json(input))
    }
}

fn main() {}
