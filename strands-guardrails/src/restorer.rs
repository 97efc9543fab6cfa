//! Restoring of placeholders in streamed text.

use crate::PiiVault;
use crate::placeholders::start_of_open;

/// Restores placeholders in streamed text, whose chunks may split them. Created by [`PiiVault::restorer`].
///
/// ```
/// use strands::guardrails::PiiVault;
///
/// let vault = PiiVault::from_entries([("[EMAIL_1]".to_owned(), "ada@example.org".to_owned())]);
/// let mut restorer = vault.restorer();
/// assert_eq!(restorer.push("I wrote to [EMA"), "I wrote to ");
/// assert_eq!(restorer.push("IL_1]."), "ada@example.org.");
/// assert_eq!(restorer.finish(), "");
/// ```
#[derive(Debug)]
pub struct Restorer {
    vault: PiiVault,
    /// The beginning of a possible placeholder.
    held: String,
}

impl Restorer {
    pub(crate) fn new(vault: PiiVault) -> Self {
        Self { vault, held: String::new() }
    }

    /// Adds a chunk. Returns the restored text, without the beginning of a placeholder at its end.
    pub fn push(&mut self, chunk: &str) -> String {
        self.held.push_str(chunk);
        let open = self.held.split_off(start_of_open(&self.held));
        self.vault.restore(&std::mem::replace(&mut self.held, open))
    }

    /// Returns the rest of the text.
    pub fn finish(self) -> String {
        self.held
    }
}
