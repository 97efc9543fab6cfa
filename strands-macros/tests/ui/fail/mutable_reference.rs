use strands::tool;

struct Db;

/// Books a room.
#[tool]
fn book(db: &mut Db) {
    let _ = db;
}

fn main() {}
