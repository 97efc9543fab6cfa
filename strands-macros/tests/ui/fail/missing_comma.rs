use strands::tool;

/// Greets.
#[tool(read_only idempotent)]
fn greet() {}

fn main() {}
