use strands::tool;

/// Adds.
#[tool]
fn add((a, b): (i32, i32), _: i32) -> i32 {
    a + b
}

fn main() {}
