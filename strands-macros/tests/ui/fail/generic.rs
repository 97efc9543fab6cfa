use strands::tool;

/// Echoes.
#[tool]
fn echo<T, const N: usize>(values: [T; N]) {
    let _ = values;
}

fn main() {}
