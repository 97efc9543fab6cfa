use strands::tool;

struct Input;

/// Books a room.
#[tool]
fn book(
    #[args]
    #[inject]
    input: Input,
) {
    let _ = input;
}

fn main() {}
