use strands::tool;

/// Greets.
#[tool]
fn greet(name: String, #[arg(rename = "name")] other: String) {
    let _ = (name, other);
}

fn main() {}
