use strands::{tool, toolset};

// Can be shared but not sent: rustc then has one thing to say.
struct Local(*const u8);

unsafe impl Sync for Local {}

struct Files {
    local: Local,
}

#[toolset]
impl Files {
    /// Looks.
    #[tool]
    fn look(&self) -> bool {
        self.local.0.is_null()
    }
}

fn main() {}
