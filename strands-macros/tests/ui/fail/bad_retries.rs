use strands::{tool, toolset};

/// Books.
#[tool(retries = 3)]
fn book() {}

/// Books.
#[tool(retries = 3, idempotent = false, read_only = false)]
fn book_again() {}

/// Finds.
#[tool(read_only, retries = 11)]
fn find() {}

/// Finds.
#[tool(read_only, retries = -1)]
fn find_never() {}

/// Finds.
#[tool(read_only, retries = "3")]
fn find_text() {}

/// Finds.
#[tool(read_only, retries)]
fn find_often() {}

struct Trips;

#[toolset(retries = 2)]
impl Trips {
    /// Books.
    #[tool]
    fn book(&self) {}

    /// Finds.
    #[tool(read_only)]
    fn find(&self) {}

    /// Cancels.
    #[tool(retries = 0)]
    fn cancel(&self) {}
}

fn main() {}
