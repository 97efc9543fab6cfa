use strands::tool;

/// Greets.
#[tool(read_only, read_only)]
fn greet(
    #[arg(default = 1)]
    #[arg(default = 2)]
    times: u8,
) {
    let _ = times;
}

/// Greets.
#[tool]
#[tool]
fn twice() {}

fn main() {}
