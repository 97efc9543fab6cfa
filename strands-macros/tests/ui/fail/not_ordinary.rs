use strands::tool;

/// Greets.
#[tool]
unsafe fn greet() {}

/// Greets.
#[tool]
extern "C" fn call() {}

/// Greets.
#[tool]
const fn compute() {}

/// Greets.
#[tool]
unsafe extern "C" fn many(count: u8, rest: ...) {
    let _ = (count, rest);
}

fn main() {}
