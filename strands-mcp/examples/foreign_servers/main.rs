//! Drives servers that others wrote, for the scripts in `.ci/mcp`: their tools, restarts in the middle of a run, and the
//! state that a run leaves behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failure stops the check"
)]

mod everything;
mod reading;
mod replay;
mod restarts;

use strands::mcp::McpClient;
use strands::message::ToolResultContent;

const USAGE: &str = "usage:
  foreign_servers everything URL|PROGRAM [ARGUMENT..]    calls every tool of server-everything, and reads its prompts and resources
  foreign_servers restarts COUNT SEED stdio PROGRAM [ARGUMENT..]
  foreign_servers restarts COUNT SEED URL PROGRAM [ARGUMENT..]
                                                         agents of ten calls each, while the server is killed and restarted
  foreign_servers replay FILE PROGRAM [ARGUMENT..]       runs the calls of a JSON file with an agent, and prints the results";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["everything", server @ ..] if !server.is_empty() => everything::check(server).await,
        ["restarts", count, seed, transport, command @ ..] if !command.is_empty() => {
            restarts::check(count.parse().unwrap(), seed.parse().unwrap(), transport, command).await;
        }
        ["replay", file, command @ ..] if !command.is_empty() => replay::run(file, command).await,
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    }
}

/// A builder of a client for a program.
fn child(command: &[&str]) -> strands::mcp::McpClientBuilder<strands::mcp::Stdio> {
    McpClient::stdio(command[0]).args(command[1..].iter().copied())
}

fn text(content: &[ToolResultContent]) -> String {
    let parts = content.iter().filter_map(|part| match part {
        ToolResultContent::Text(text) => Some(text.clone()),
        ToolResultContent::Json(json) => Some(json.to_string()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("\n")
}
