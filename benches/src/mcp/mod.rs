//! Tool calls of an MCP server: `McpClient` beside rmcp alone. The server is a process of its own.

mod bare;
mod server;

use serde_json::{Value, json};
use std::sync::Arc;
use strands::Tool;
use strands::mcp::McpClient;
use strands::message::ToolResultContent;
use strands::testing::ToolContextBuilder;

pub(crate) use server::{COMMAND, HTTP, respond_over_http, serve};

use self::bare::Bare;
use crate::work::{Outcome, Row, Side, Work, block_on};

const CALLS: u32 = 100;

/// Returns the rows of this protocol.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("mcp call, http", CALLS, 60, |servers| {
            let url = format!("http://{}/mcp", servers.address(HTTP));
            Calls::boxed(Bare::http(&url), McpClient::http(url).build().unwrap())
        }),
        Row::new("mcp call, stdio", CALLS, 60, |_| {
            let program = std::env::current_exe().unwrap();
            let client = McpClient::stdio(&program).arg(COMMAND).build().unwrap();
            Calls::boxed(Bare::stdio(&program), client)
        }),
    ]
}

/// The arguments that all sides send.
fn arguments(call: u32) -> Value {
    json!({"city": "Oslo", "days": call, "units": ["celsius", "millimetres"]})
}

struct Calls {
    bare: Bare,
    client: McpClient,
    /// The tool as an agent gets it.
    tool: Arc<dyn Tool>,
    side: Side,
}

impl Calls {
    fn boxed(bare: Bare, client: McpClient) -> Box<dyn Work> {
        let tool = block_on(client.tools()).unwrap().remove(0);
        Box::new(Self { bare, client, tool, side: Side::HandWritten })
    }
}

impl Work for Calls {
    fn prepare(&mut self, side: Side) {
        self.side = side;
    }

    fn run(&mut self) -> Outcome {
        let mut text = String::new();
        block_on(async {
            match self.side {
                Side::HandWritten => {
                    for call in 0..CALLS {
                        text.push_str(&self.bare.call(arguments(call)).await);
                    }
                }
                Side::Awaited => {
                    for call in 0..CALLS {
                        let output = self.client.call_tool("forecast", arguments(call)).await.unwrap();
                        push(&mut text, output.content());
                    }
                }
                Side::Streamed => {
                    let context = ToolContextBuilder::new("forecast").build();
                    for call in 0..CALLS {
                        let output = self.tool.call(&context, arguments(call)).await.unwrap();
                        push(&mut text, output.content());
                    }
                }
            }
        });
        Outcome { text, usage: (0, 0) }
    }
}

fn push(text: &mut String, content: &[ToolResultContent]) {
    for part in content {
        let ToolResultContent::Text(part) = part else { panic!("a text is expected: {part:?}") };
        text.push_str(part);
    }
}
