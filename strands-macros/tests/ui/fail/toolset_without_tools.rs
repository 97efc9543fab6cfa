use strands::toolset;

struct Files;

#[toolset]
impl Files {
    fn read(&self) {}
}

fn main() {}
