//! A `cfg` on the function is one on everything made of it, wherever it stands.
#![deny(warnings)]

use strands::{Toolset, tool, toolset};

/// Is not there.
#[cfg(any())]
#[tool]
fn above(x: Missing) {}

/// Is not there.
#[tool]
#[cfg(any())]
fn below(x: Missing) {}

/// Is not there.
#[tool]
#[cfg_attr(all(), cfg(any()))]
fn nested(x: Missing) {}

/// Is there once.
#[tool]
#[cfg(all())]
fn either() -> u8 {
    1
}

/// Is there once.
#[tool]
#[cfg(not(all()))]
fn either() -> Missing {}

/// Is a tool where the condition holds.
#[cfg_attr(all(), tool)]
fn attributed() {}

struct Set;

#[toolset]
impl Set {
    /// Is not there.
    #[cfg(any())]
    #[tool]
    fn above(&self, x: Missing) {}

    /// Is not there.
    #[tool]
    #[cfg(any())]
    fn below(&self, x: Missing) {}

    /// Is there.
    #[tool]
    #[cfg(all())]
    fn there(&self) {}
}

#[toolset]
#[cfg(any())]
impl Missing {
    /// Is not there.
    #[tool]
    fn there(&self) {}
}

fn main() {
    let _ = (Either, Attributed);
    let tools = Set.into_tools();
    assert_eq!(tools.len(), 1);
    assert_eq!(tools[0].spec().name, "there");
}
