use strands::tool;

/// Greets.
#[tool(nam = "x", timeout = "soon")]
fn greet<T>(name: &mut String, _age: u8, (a, b): (T, T)) {
    let _ = (name, a, b);
}

// The struct and its trait impl exist despite the errors.
fn main() {
    let tools: Vec<std::sync::Arc<dyn strands::Tool>> = vec![std::sync::Arc::new(Greet)];
    let _ = tools;
}
