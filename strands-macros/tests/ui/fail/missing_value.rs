use strands::tool;

/// Greets.
#[tool(name, timeout, struct, crate, read_only = "yes")]
fn greet(#[arg(range, len, pattern, rename, example)] times: u8) {
    let _ = times;
}

fn main() {}
