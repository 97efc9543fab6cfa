use strands::tool;

struct Db;

/// Counts.
#[tool]
fn count(#[host] db: Db) {
    let _ = db;
}

fn main() {}
