use strands::tool;

/// Greets.
#[tool(inline)]
async fn greet() {}

fn main() {}
