use strands::tool;

/// Greets.
#[tool(concurrency = 0)]
fn never() {}

/// Greets.
#[tool(concurrency = 100_000)]
fn often() {}

/// Greets.
#[tool(concurrency = "2")]
fn text() {}

/// Greets.
#[tool(concurrency)]
fn unlimited() {}

/// Greets.
#[tool(rate = "0/s")]
fn no_calls() {}

/// Greets.
#[tool(rate = "10")]
fn no_interval() {}

/// Greets.
#[tool(rate = "10/parsec")]
fn no_unit() {}

/// Greets.
#[tool(rate = "10/0s")]
fn empty_interval() {}

/// Greets.
#[tool(rate = 10)]
fn number() {}

fn main() {}
