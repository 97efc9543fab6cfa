use strands::tool;

/// Greets.
#[tool]
fn greet(name: Option<&str>, others: Vec<&str>, bytes: (u8, &[u8])) {
    let _ = (name, others, bytes);
}

fn main() {}
