use strands::tool;

/// Greets.
#[tool(timout = "5s", colour)]
fn greet(#[arg(defualt = 1)] times: u8) {
    let _ = times;
}

fn main() {}
