use strands::toolset;

/// Greets.
#[toolset]
fn greet() {}

fn main() {}
