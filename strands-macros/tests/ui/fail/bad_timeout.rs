use strands::tool;

/// Greets.
#[tool(timeout = "5 parsecs")]
fn greet() {}

/// Greets.
#[tool(timeout = "0s")]
fn at_once() {}

fn main() {}
