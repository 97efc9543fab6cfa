use strands::tool;

/// Rings.
#[tool(numeric_strings)]
fn ring() {}

/// Waits.
#[tool(numeric_strings)]
fn wait(_for: &std::sync::atomic::AtomicU64) {}

/// Counts.
#[tool(numeric_strings = "yes")]
fn count(to: u32) -> u32 {
    to
}

fn main() {}
