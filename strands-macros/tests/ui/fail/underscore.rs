use strands::tool;

/// Greets.
#[tool]
fn greet(_name: String, __: u8) {}

fn main() {}
