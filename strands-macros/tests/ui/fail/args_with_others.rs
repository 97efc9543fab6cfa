use strands::tool;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Input {
    city: String,
}

/// Books a room.
#[tool]
fn book(nights: u8, #[args] input: Input) {
    let _ = (nights, input.city);
}

/// Books a car.
#[tool]
fn rent(#[args] input: Input, days: u8) {
    let _ = (days, input.city);
}

fn main() {}
