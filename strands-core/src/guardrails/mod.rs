//! Guardrails: checks that pass, redact, rewrite or block prompts, responses and tool results before they are stored, emitted
//! or sent to a model. [`Guardrail`] is the check, and [`GuardrailHook`] applies it.

mod checking;
mod held_text;
mod hook;
mod prompts;
mod response_filter;
mod results;
mod settings;
mod verdict;

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;

pub use crate::event::{GuardedContent, GuardrailAction, GuardrailReport};
pub use hook::GuardrailHook;
pub use verdict::{Check, Redaction, Verdict, Window};

/// A check of texts. [`GuardrailHook`] applies it to an agent.
///
/// # Contract
///
/// - [`check`](Self::check) may be called for several agents at once. An error, a panic or a timeout blocks the text, unless
///   the hook was told to [let it pass](GuardrailHook::pass_on_failure).
/// - A guardrail with [`Window::Bytes`] looks no further than its window: streamed text is released once no later text can
///   change the verdict about it. Then the result of a stream is that of the whole text, however it was split.
/// - Errors, names and messages of verdicts contain nothing of the text.
///
/// `Arc<G>` and `Box<G>` are guardrails as well.
///
/// # Examples
///
/// A guardrail that blocks a topic. It has the default window, so it gets each text as a whole:
///
/// ```
/// use std::error::Error;
/// use strands::Agent;
/// use strands::async_trait;
/// use strands::guardrails::{Check, Guardrail, GuardrailHook, Verdict};
/// use strands::models::StopReason;
/// use strands::testing::ScriptedModel;
///
/// struct NoWeapons;
///
/// #[async_trait]
/// impl Guardrail for NoWeapons {
///     fn name(&self) -> &str {
///         "no-weapons"
///     }
///
///     async fn check(&self, check: &Check<'_>) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
///         Ok(if check.text.contains("sword") {
///             Verdict::block("I can't talk about weapons.")
///         } else {
///             Verdict::Pass
///         })
///     }
/// }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let model = ScriptedModel::responding("Take the sword.");
/// let mut agent = Agent::builder().model(model).hook(GuardrailHook::new(NoWeapons)).build().await?;
/// let response = agent.prompt("What should I take along?").await?;
/// assert_eq!(response.text(), "I can't talk about weapons.");
/// assert_eq!(response.stop_reason, StopReason::GuardrailIntervened);
/// # Ok::<(), Box<dyn Error>>(())
/// # }).unwrap();
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a guardrail",
    label = "this is not a guardrail",
    note = "a type is a guardrail by implementing `strands::guardrails::Guardrail` under `#[async_trait]`"
)]
pub trait Guardrail: Send + Sync {
    /// Name of the guardrail, for reports and diagnostics.
    fn name(&self) -> &str;

    /// Text that the guardrail needs around the place that it decides about. Default: each text as a whole, of at most 1 MiB.
    fn window(&self) -> Window {
        Window::Whole { max_bytes: 1 << 20 }
    }

    /// Returns the end of the part of an incomplete text that is decided: later text changes no finding that starts before it.
    /// Everything before `decided` is decided already.
    ///
    /// Only called with [`Window::Bytes`]. It is an optimization for guardrails that can release text earlier than their
    /// window: the text before the last `n` bytes is decided in any case. Default: that text.
    fn decided(&self, text: &str, decided: usize) -> usize {
        let _ = text;
        decided
    }

    /// Checks a text.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no verdict. The text is blocked then.
    async fn check(&self, check: &Check<'_>) -> Result<Verdict, Box<dyn StdError + Send + Sync>>;
}

macro_rules! forward_guardrail {
    ($($holder:ty),+) => {
        $(
            #[async_trait]
            #[deny(clippy::missing_trait_methods)]
            #[diagnostic::do_not_recommend]
            impl<G: Guardrail + ?Sized> Guardrail for $holder {
                fn name(&self) -> &str {
                    (**self).name()
                }

                fn window(&self) -> Window {
                    (**self).window()
                }

                fn decided(&self, text: &str, decided: usize) -> usize {
                    (**self).decided(text, decided)
                }

                async fn check(&self, check: &Check<'_>) -> Result<Verdict, Box<dyn StdError + Send + Sync>> {
                    (**self).check(check).await
                }
            }
        )+
    };
}

forward_guardrail!(Arc<G>, Box<G>);
