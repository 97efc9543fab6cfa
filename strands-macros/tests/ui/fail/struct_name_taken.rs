use strands::tool;

struct Greet;

/// Greets.
#[tool]
fn greet() {}

fn main() {}
