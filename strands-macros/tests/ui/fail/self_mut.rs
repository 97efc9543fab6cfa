use strands::{tool, toolset};

struct Files;

#[toolset]
impl Files {
    /// Reads a file.
    #[tool]
    fn read(&mut self) {}

    /// Writes a file.
    #[tool]
    fn write(self: &mut Self) {}
}

fn main() {}
