use strands::tool;

/// Greets.
#[tool(name = "greet me")]
fn greet() {}

/// Greets.
#[tool(name = "")]
fn nobody() {}

/// Greets.
#[tool]
fn grüße() {}

fn main() {}
