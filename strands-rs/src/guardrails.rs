//! Guardrails: checks of prompts, responses and tool results, and the redaction of personal data (feature `guardrails`).

#[doc(inline)]
pub use strands_core::guardrails::*;

#[cfg(feature = "guardrails")]
#[doc(inline)]
pub use strands_guardrails::{
    PiiBuildError, PiiKind, PiiRedactor, PiiRedactorBuilder, PiiVault, Restorer, RestoringTool,
};
