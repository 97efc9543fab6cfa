//! A program needs no other dependency: derives use serde and schemars through `strands`.
#![allow(
    clippy::all,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::unused_async,
    clippy::panic,
    reason = "the code of a test program is odd on purpose"
)]

use strands::{Deserialize, JsonSchema, Serialize, Tool, tool};

#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(crate = "strands::serde")]
#[schemars(crate = "strands::schemars")]
struct Leg {
    to: String,
}

/// Books a leg.
#[tool(output)]
fn book(leg: Leg) -> Leg {
    leg
}

fn main() {
    assert_eq!(Book.spec().input_schema["required"][0], "leg");
}
