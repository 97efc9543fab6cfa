use strands::tool;

/// Greets.
///
/// # Arguments
///
/// * `city` - City
/// * `name` - Guest
/// * `name` - Visitor
#[tool]
fn greet(
    /// City
    city: String,
    name: String,
) {
    let _ = (city, name);
}

fn main() {}
