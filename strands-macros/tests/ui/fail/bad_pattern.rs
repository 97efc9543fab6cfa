use strands::tool;

/// Greets.
#[tool]
fn greet(#[arg(pattern = "[a-z")] name: String) {
    let _ = name;
}

fn main() {}
