use strands::tool;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Input {
    city: String,
}

/// Books a room.
#[tool]
fn book(
    #[args]
    #[arg(rename = "x")]
    input: Input,
) {
    let _ = input.city;
}

fn main() {}
