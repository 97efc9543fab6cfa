use strands::toolset;

struct Files;

#[toolset]
impl Clone for Files {
    fn clone(&self) -> Self {
        Files
    }
}

fn main() {}
