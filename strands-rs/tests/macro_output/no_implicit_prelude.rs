//! Generated code does not depend on the prelude.
#![allow(
    clippy::all,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::unused_async,
    clippy::panic,
    reason = "the code of a test program is odd on purpose"
)]
#![no_implicit_prelude]

use ::strands::{ToolContext, tool, toolset};

/// Takes all sources of arguments.
#[tool(output, timeout = "1s", read_only)]
fn sync(
    text: &str,
    list: &[u8],
    #[arg(default = 3, range = 1..=5, example = 2)] number: u8,
    #[arg(default, len = ..3, pattern = "a")] maybe: ::std::option::Option<::std::string::String>,
    ctx: &ToolContext,
    #[inject] shared: ::std::sync::Arc<u8>,
) -> ::std::string::String {
    let _ = (text, list, number, maybe, ctx, shared);
    ::std::string::String::new()
}

/// Fails.
#[tool]
async fn fails() -> ::std::result::Result<(), ::std::string::String> {
    ::std::result::Result::Ok(())
}

struct Set;

#[toolset]
impl Set {
    /// A method.
    #[tool]
    fn method(&self, number: u8) -> u8 {
        number
    }
}

fn main() {
    let _ = (Sync, Fails, ::strands::Toolset::into_tools(Set));
}
