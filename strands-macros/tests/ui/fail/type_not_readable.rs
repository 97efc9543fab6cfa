use strands::tool;

struct City;

/// Greets.
#[tool]
fn greet(city: City, others: (u8, City)) {
    let _ = (city, others);
}

fn main() {}
