use strands::tool;

/// Greets.
///
/// # Arguments
///
/// * `city` - Where
/// * `name` - Who
/// * `name` - Whom
#[tool]
fn greet(
    /// Where
    city: String,
    name: String,
) {
    let _ = (city, name);
}

fn main() {}
