//! Lists and calls tools of an MCP server: `everything http URL` or `everything stdio PROGRAM ARGS..`.
#![allow(clippy::print_stdout, clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use strands_core::serde_json::json;
use strands_mcp::McpClient;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let client = match args[0].as_str() {
        "http" => McpClient::http(&args[1]).connect().await?,
        _ => McpClient::stdio(&args[1]).args(&args[2..]).connect().await?,
    };
    println!("{} {:?}", client.protocol_version().await?, client.server_instructions().await?.map(|text| text.len()));
    for tool in client.tools().await? {
        println!("{} {:.60}", tool.spec().name, tool.spec().description);
    }
    println!("{:?}", client.call_tool("echo", json!({"message": "hi"})).await?);
    client.close().await;
    Ok(())
}
