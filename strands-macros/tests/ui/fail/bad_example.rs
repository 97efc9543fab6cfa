use strands::tool;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct City;

/// Greets.
#[tool]
fn greet(#[arg(example = City)] city: City) {
    let _ = city;
}

fn main() {}
