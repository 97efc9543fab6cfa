use strands::{tool, toolset};

// `Sync` but not `Send`, so that rustc reports one error.
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
