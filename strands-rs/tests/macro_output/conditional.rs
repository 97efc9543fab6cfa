//! A `cfg` on the function applies to all generated items, at any position.
#![allow(
    clippy::all,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::unused_async,
    clippy::panic,
    reason = "the code of a test program is odd on purpose"
)]
#![deny(warnings)]

use strands::{Toolset, tool, toolset};

/// Not compiled.
#[cfg(any())]
#[tool]
fn above(x: Missing) {}

/// Not compiled.
#[tool]
#[cfg(any())]
fn below(x: Missing) {}

/// Not compiled.
#[tool]
#[cfg_attr(all(), cfg(any()))]
fn nested(x: Missing) {}

/// Compiled once.
#[tool]
#[cfg(all())]
fn either() -> u8 {
    1
}

/// Compiled once.
#[tool]
#[cfg(not(all()))]
fn either() -> Missing {}

/// Is a tool where the condition holds.
#[cfg_attr(all(), tool)]
fn attributed() {}

struct Set;

#[toolset]
impl Set {
    /// Not compiled.
    #[cfg(any())]
    #[tool]
    fn above(&self, x: Missing) {}

    /// Not compiled.
    #[tool]
    #[cfg(any())]
    fn below(&self, x: Missing) {}

    /// Compiled.
    #[tool]
    #[cfg(all())]
    fn there(&self) {}
}

#[toolset]
#[cfg(any())]
impl Missing {
    /// Not compiled.
    #[tool]
    fn there(&self) {}
}

fn main() {
    let _ = (Either, Attributed);
    let tools = Set.into_tools();
    assert_eq!(tools.len(), 1);
    assert_eq!(tools[0].spec().name, "there");
}
