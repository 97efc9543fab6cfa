use strands::tool;

/// Greets.
#[tool(nam = "x", timeout = "soon")]
fn greet<T>(name: &mut String, _age: u8, (a, b): (T, T)) {
    let _ = (name, a, b);
}

// What follows still finds the struct and its trait.
fn main() {
    let tools: Vec<std::sync::Arc<dyn strands::Tool>> = vec![std::sync::Arc::new(Greet)];
    let _ = tools;
}
