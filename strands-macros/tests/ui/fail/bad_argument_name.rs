use strands::tool;

/// Greets.
#[tool]
fn greet(#[arg(rename = "first name")] name: String, größe: u8) {
    let _ = (name, größe);
}

fn main() {}
