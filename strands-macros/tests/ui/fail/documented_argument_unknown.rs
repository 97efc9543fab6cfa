use strands::tool;

/// Greets.
///
/// # Arguments
///
/// * `citty` - Where
/// * guest
#[tool]
fn greet(city: String) {
    let _ = city;
}

fn main() {}
