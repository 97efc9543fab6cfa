use strands::tool;

/// Greets.
#[tool(output)]
fn greet() {}

/// Counts.
#[tool(output)]
fn count() -> impl serde::Serialize {
    1
}

fn main() {}
