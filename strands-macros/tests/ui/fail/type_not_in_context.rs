use strands::tool;

struct Db;

/// Counts.
#[tool]
fn count(#[inject] db: Db) {
    let _ = db;
}

fn main() {}
