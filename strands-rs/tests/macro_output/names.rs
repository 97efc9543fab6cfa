//! Names in user code that generated code might use too.
#![allow(
    clippy::all,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::unused_async,
    clippy::panic,
    reason = "the code of a test program is odd on purpose"
)]
#![allow(dead_code, non_camel_case_types)]

use strands::{Tool, ToolContext, tool, toolset};

// Names of the standard prelude and of crates, with other meanings.
struct Option;
struct Result;
struct String;
struct Vec;
struct Box;
struct Some;
struct Ok;
struct Err;
struct Default;
struct Clone;
struct Send;
struct core;
struct std;

const SPEC: u8 = 1;
const KEYS: u8 = 2;
#[allow(non_upper_case_globals)]
const arguments: u8 = 3;

/// One letter.
#[tool]
fn h() {}

/// Named like a local variable.
#[tool]
fn args(args: u8) -> u8 {
    args
}

/// Named like a parameter of `call`.
#[tool]
async fn ctx(ctx: u8, context: &ToolContext) -> u8 {
    let _ = context;
    ctx
}

/// Named like a parameter of `call`.
#[tool]
fn input(input: u8, #[arg(default = arguments)] output: u8, value: u8, error: u8, shared: u8, owner: u8) -> u8 {
    input + output + value + error + shared + owner
}

/// Named like a method.
#[tool]
async fn call(argument0: u8, argument1: u8) -> u8 {
    argument0 - argument1
}

/// Named like a method.
#[tool(inline)]
fn spec(#[arg(default = SPEC)] policy: u8, #[arg(default = KEYS)] requires: u8) -> u8 {
    policy + requires
}

/// Raw.
#[tool]
fn r#type(r#match: u8) -> u8 {
    r#match
}

/// With a struct of its own name.
#[tool(struct = Handle)]
fn self_(x: u8) -> u8 {
    x
}

struct Set;

#[toolset]
impl Set {
    /// Named like the trait's method.
    #[tool]
    fn into_tools(&self, tools: u8, shared: u8, tool: u8) -> u8 {
        tools + shared + tool
    }

    /// Named like a method of `Arc` and of `Tool`.
    #[tool]
    async fn spec(&self) -> u8 {
        1
    }
}

fn main() {
    assert_eq!(H.spec().name, "h");
    assert_eq!(Type.spec().name, "type");
    assert_eq!(Handle.spec().name, "self_");
    assert_eq!(strands::Toolset::into_tools(Set).len(), 2);
}
