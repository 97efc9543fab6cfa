use strands::tool;

struct Db;

/// Books a room.
#[tool]
fn book(#[arg(default = Db, rename = "x")] db: &Db) {
    let _ = db;
}

fn main() {}
