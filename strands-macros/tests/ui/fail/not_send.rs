use strands::tool;

struct Local(*const u8);

async fn next() {}

/// Waits.
#[tool]
async fn wait() {
    let local = Local(&1);
    next().await;
    let _ = local.0;
}

fn main() {}
