use strands::{tool, toolset};

struct Files;

#[toolset]
impl Files {
    /// Reads a file.
    #[tool]
    fn read(self) {}

    /// Writes a file.
    #[tool]
    fn write(self: Self) {}
}

fn main() {}
