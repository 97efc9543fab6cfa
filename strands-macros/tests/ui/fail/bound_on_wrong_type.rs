use strands::tool;

/// Greets.
#[tool]
fn greet(#[arg(range = 1..=2)] name: bool, #[arg(len = 1..=2)] age: u8, #[arg(pattern = "a")] size: u8) {
    let _ = (name, age, size);
}

fn main() {}
