use strands::tool;

struct Failure;

/// Forecasts.
#[tool]
async fn forecast() -> Result<String, Failure> {
    Err(Failure)
}

fn main() {}
