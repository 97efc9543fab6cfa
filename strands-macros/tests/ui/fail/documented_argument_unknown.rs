use strands::tool;

/// Greets.
///
/// # Arguments
///
/// * `citty` - Where
/// * somebody
#[tool]
fn greet(city: String) {
    let _ = city;
}

fn main() {}
