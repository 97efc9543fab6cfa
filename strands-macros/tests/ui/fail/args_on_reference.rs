use strands::tool;

struct Input;

/// Books a room.
#[tool]
fn book(#[args] input: &Input) {
    let _ = input;
}

fn main() {}
