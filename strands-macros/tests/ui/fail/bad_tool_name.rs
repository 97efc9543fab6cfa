use strands::tool;

/// Greets.
#[tool(name = "greet me")]
fn greet() {}

/// Greets.
#[tool(name = "")]
fn unnamed() {}

/// Greets.
#[tool]
fn grüße() {}

fn main() {}
