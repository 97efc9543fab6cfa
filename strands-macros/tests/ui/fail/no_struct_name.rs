use strands::tool;

/// Greets.
#[tool]
fn _1() {}

/// Greets.
#[tool]
fn Greet() {}

fn main() {}
