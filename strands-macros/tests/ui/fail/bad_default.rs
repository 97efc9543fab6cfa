use strands::tool;

/// Greets.
#[tool]
fn greet(#[arg(default = "once")] times: u8, #[arg(default = 1.5)] age: u8) {
    let _ = (times, age);
}

fn main() {}
