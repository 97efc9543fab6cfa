use strands::tool;

struct Forecast;

/// Forecasts.
#[tool]
fn look_ahead() -> Forecast {
    Forecast
}

/// Forecasts.
#[tool]
async fn look_far_ahead() -> Result<Forecast, String> {
    Ok(Forecast)
}

fn main() {}
