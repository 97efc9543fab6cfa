use strands::tool;

#[derive(serde::Serialize)]
struct Forecast;

/// Forecasts.
#[tool(output)]
fn look_ahead() -> Result<Forecast, String> {
    Ok(Forecast)
}

fn main() {}
