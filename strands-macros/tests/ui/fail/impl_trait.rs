use strands::tool;

/// Greets.
#[tool]
fn greet(name: impl Into<String>) -> String {
    name.into()
}

/// Greets.
#[tool]
fn greet_borrowed(name: &impl ToString) -> String {
    name.to_string()
}

fn main() {}
