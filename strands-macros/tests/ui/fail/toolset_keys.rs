use strands::{tool, toolset};

struct Files;

#[toolset(prefix, into, perfix = "x")]
impl Files {
    /// Reads.
    #[tool(struct = Read, crate = strands)]
    fn read(&self) {}

    /// Writes.
    #[tool = "write"]
    fn write(&self) {}
}

fn main() {}
