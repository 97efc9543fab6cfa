//! Tools in a crate that does not depend on `strands`, but on a crate that re-exports it.
#![deny(missing_docs, unused_qualifications, clippy::pedantic)]

use consumer_renamed::agents::{tool, toolset};

/// Adds.
#[must_use]
#[tool(crate = consumer_renamed::agents)]
pub fn add(a: i64, #[arg(default = 1)] b: i64) -> i64 {
    a.saturating_add(b)
}

/// A counter.
#[derive(Debug)]
pub struct Counter(u64);

#[toolset(crate = ::consumer_renamed::agents)]
impl Counter {
    /// The count.
    #[must_use]
    #[tool]
    pub fn count(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Add, Counter};
    use consumer_renamed::agents::{Tool, Toolset};

    #[test]
    fn the_path_given_is_taken() {
        assert_eq!(Add.spec().name, "add");
        assert_eq!(Counter(1).into_tools().len(), 1);
    }
}
