use strands::tool;

/// Books a room.
#[tool]
fn book(#[cfg(windows)] city: String, nights: u8) {
    let _ = (city, nights);
}

fn main() {}
