//! A guardrail: redacts the code name of a project.

use std::error::Error;

use async_trait::async_trait;
use strands::guardrails::{Check, Guardrail, Redaction, Verdict, Window};

const CODE_NAME: &str = "Bluebird";

/// Redacts a code name, also while text streams: it needs no more text than the name has.
#[derive(Clone, Copy, Debug)]
pub struct CodeName;

#[async_trait]
impl Guardrail for CodeName {
    fn name(&self) -> &str {
        "code-name"
    }

    fn window(&self) -> Window {
        Window::Bytes(CODE_NAME.len())
    }

    async fn check(&self, check: &Check<'_>) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        let found = check.text.match_indices(CODE_NAME);
        let redacted = found.map(|(at, name)| Redaction::new(at..at + name.len(), "[project]"));
        Ok(Verdict::Redact(redacted.collect()))
    }
}
