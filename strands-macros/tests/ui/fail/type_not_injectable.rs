use strands::tool;

trait Clock {}

struct Local(*const u8);

/// Counts.
#[tool]
fn count(local: &Local, clock: &dyn Clock) {
    let _ = (local.0, clock);
}

fn main() {}
