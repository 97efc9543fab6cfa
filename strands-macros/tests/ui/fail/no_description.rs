use strands::tool;

#[tool]
fn greet(name: String) -> String {
    name
}

/// # Errors
///
/// A heading is not a description.
#[tool]
fn farewell(name: String) -> String {
    name
}

fn main() {}
