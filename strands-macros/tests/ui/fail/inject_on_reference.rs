use strands::tool;

struct Db;

/// Books a room.
#[tool]
fn book(#[inject] db: &Db) {
    let _ = db;
}

fn main() {}
