use strands::tool;

struct Input;

/// Books a room.
#[tool]
fn book(
    #[args]
    #[host]
    input: Input,
) {
    let _ = input;
}

fn main() {}
