use strands::tool;

const MOST: u8 = 7;

/// Forecasts.
#[tool]
fn forecast(
    #[arg(range = 7..=1)] days: u8,
    #[arg(range = 1..=MOST)] hours: u8,
    #[arg(range = 5)] minutes: u8,
    #[arg(range = ..)] seconds: u8,
    #[arg(range = 0.0..1.0)] chance: f64,
    #[arg(len = -1..)] city: String,
) {
    let _ = (days, hours, minutes, seconds, chance, city);
}

fn main() {}
