use strands::tool;

struct Db;

/// Books a room.
#[tool]
fn book(#[host] db: &Db) {
    let _ = db;
}

fn main() {}
