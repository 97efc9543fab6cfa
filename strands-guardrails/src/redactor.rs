//! Redactor of personal data.

use std::error::Error as StdError;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use strands_core::guardrails::{Check, Guardrail, Redaction, Verdict, Window};

use crate::detectors::{CustomPattern, Detectors, Finding};
use crate::placeholders::is_label;
use crate::{PiiBuildError, PiiKind, PiiVault};

/// Redactor of personal data: a [`Guardrail`] that replaces e-mail addresses, phone numbers, card numbers and others.
///
/// Without a [`PiiVault`], data is replaced by its label (`[EMAIL]`), for good. With one, injected into the agent or the
/// invocation, it is replaced by a numbered placeholder (`[EMAIL_1]`), and the vault has the original. Data within
/// other data is replaced together with it.
///
/// Streamed text is held back only while its end may be the beginning of such data: often one word. With a custom pattern,
/// it is held back for the length of the longest match.
///
/// A redactor finds data in the forms that it knows. It does not know names and addresses, and it does not find data that is
/// spelled out, encoded, or in images and documents.
///
/// # Examples
///
/// ```
/// use strands::guardrails::{PiiKind, PiiRedactor};
///
/// let redactor = PiiRedactor::builder()
///     .kind(PiiKind::UsSsn)
///     .pattern("CUSTOMER", r"\bC-[0-9]{6}\b")
///     .build()?;
/// assert_eq!(redactor.redact("C-004711, 078-05-1120, +1 415 555 2671"), "[CUSTOMER], [SSN], [PHONE]");
/// # Ok::<(), strands::guardrails::PiiBuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PiiRedactor {
    detectors: Arc<Detectors>,
}

/// Builder for [`PiiRedactor`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct PiiRedactorBuilder {
    kinds: Vec<PiiKind>,
    patterns: Vec<(String, String)>,
}

impl PiiRedactor {
    /// Creates a redactor of [`PiiKind::DEFAULT`]: e-mail addresses, phone numbers, card numbers and bank accounts.
    pub fn new() -> Self {
        Self { detectors: Arc::new(Detectors::new(&PiiKind::DEFAULT, Vec::new())) }
    }

    /// Returns a builder, with [`PiiKind::DEFAULT`].
    pub fn builder() -> PiiRedactorBuilder {
        PiiRedactorBuilder { kinds: PiiKind::DEFAULT.to_vec(), patterns: Vec::new() }
    }

    /// Returns a text with the labels of the data in place of the data.
    pub fn redact(&self, text: &str) -> String {
        self.redacted(text, None)
    }

    /// Returns a text with placeholders in place of the data, whose originals are added to a vault.
    pub fn redact_into(&self, text: &str, vault: &PiiVault) -> String {
        self.redacted(text, Some(vault))
    }

    fn redacted(&self, text: &str, vault: Option<&PiiVault>) -> String {
        let mut redacted = String::with_capacity(text.len());
        let mut at = 0;
        for Redaction { range, replacement, .. } in self.redactions(text, 0..text.len(), vault) {
            // Empty if the finding overlaps the one before.
            redacted.push_str(text.get(at..range.start).unwrap_or_default());
            redacted.push_str(&replacement);
            at = range.end;
        }
        redacted.push_str(text.get(at..).unwrap_or_default());
        redacted
    }

    /// Returns the redactions that start in a range. A finding within another one is left out. One that overlaps an earlier one
    /// stands for the rest of its text, so that a vault has each part once.
    fn redactions(&self, text: &str, range: Range<usize>, vault: Option<&PiiVault>) -> Vec<Redaction> {
        // Findings before the range may overlap its first ones.
        let before = text.floor_char_boundary(range.start.saturating_sub(self.detectors.window()));
        let mut covered = 0;
        let mut redactions = Vec::new();
        for Finding { range: found, label } in self.detectors.find(text, before..range.end) {
            if found.end <= covered {
                continue;
            }
            let original = text.get(found.start.max(covered)..found.end).unwrap_or_default();
            covered = found.end;
            if range.contains(&found.start) {
                let numbered = vault.and_then(|vault| vault.placeholder(label, original));
                redactions.push(Redaction::new(found, numbered.unwrap_or_else(|| format!("[{label}]"))));
            }
        }
        redactions
    }
}

impl Default for PiiRedactor {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Guardrail for PiiRedactor {
    fn name(&self) -> &str {
        "pii"
    }

    fn window(&self) -> Window {
        Window::Bytes(self.detectors.window())
    }

    fn decided(&self, text: &str, decided: usize) -> usize {
        self.detectors.decided(text, decided)
    }

    async fn check(&self, check: &Check<'_>) -> Result<Verdict, Box<dyn StdError + Send + Sync>> {
        let vault = check.context.injected::<PiiVault>();
        let redactions = self.redactions(check.text, check.range.clone(), vault);
        Ok(if redactions.is_empty() { Verdict::Pass } else { Verdict::Redact(redactions) })
    }
}

impl PiiRedactorBuilder {
    /// Adds a kind of data.
    pub fn kind(mut self, kind: PiiKind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Sets the kinds of data, in place of the default ones.
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = PiiKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// Adds a regular expression, in the syntax of the crate `regex`, with a label for its matches: letters from A to Z, digits
    /// and underscores.
    ///
    /// Its matches have at most 4,096 bytes, so repetitions are bounded. A match is found at each position of its start, whatever was
    /// found before it.
    pub fn pattern(mut self, label: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.patterns.push((label.into(), pattern.into()));
        self
    }

    /// Builds the redactor.
    ///
    /// # Errors
    ///
    /// Returns [`PiiBuildError`] for a pattern that is invalid, matches texts of any length or an empty one, or is anchored to
    /// the whole text, and for an invalid label.
    pub fn build(self) -> Result<PiiRedactor, PiiBuildError> {
        let Self { mut kinds, patterns } = self;
        let mut custom = Vec::with_capacity(patterns.len());
        for (label, pattern) in patterns {
            if !is_label(&label) {
                return Err(PiiBuildError::InvalidLabel { label });
            }
            custom.push(CustomPattern::new(&label, &pattern)?);
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok(PiiRedactor { detectors: Arc::new(Detectors::new(&kinds, custom)) })
    }
}
