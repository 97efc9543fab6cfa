use strands::{tool, toolset};

struct Files;

#[toolset(prefix = "my files/")]
impl Files {
    /// Reads.
    #[tool]
    fn read(&self) {}
}

fn main() {}
