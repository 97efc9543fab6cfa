use strands::tool;

/// Books a room.
#[tool]
fn book(#[arg] city: String, #[inject(x)] db: std::sync::Arc<u8>) {
    let _ = (city, db);
}

fn main() {}
