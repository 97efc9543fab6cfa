use strands::tool;

struct Forecast;

/// Forecasts.
#[tool]
fn forecast() -> Option<Forecast> {
    None
}

fn main() {}
