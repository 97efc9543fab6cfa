use strands::{tool, toolset};

struct Files {
    count: *const u8,
}

#[toolset]
impl Files {
    /// Counts.
    #[tool]
    fn count(&self) -> bool {
        self.count.is_null()
    }
}

fn main() {}
