//! Responses that are continued: interrupts, and conversations that the promptable does not keep.

use super::super::violation::{ContractViolation, Promise, ensure, ensure_eq};
use super::observed_prompt::{ObservedPrompt, rest};
use crate::continuation::Continuation;
use crate::depth;
use crate::event::AgentResponse;
use crate::interrupt::Interrupt;
use crate::models::StopReason;
use crate::prompt::Prompt;
use crate::promptable::{PromptRequest, Promptable};

const PROMISE: Promise = Promise::PromptableContinues;

/// A response that waits for others has interrupts, which a request without a prompt and responses returns again. A conversation that
/// was asked for is continued by the next prompt.
pub(super) async fn continues<P: Promptable + ?Sized>(
    promptable: &P,
    request: &impl Fn() -> PromptRequest,
) -> Result<(), ContractViolation> {
    let first = responds(promptable, request().keep_conversation(), "a response with its conversation").await?;
    let interrupts = ids(&first.interrupts);
    let is_interrupted = first.stop_reason == StopReason::Interrupt;
    ensure(
        is_interrupted != interrupts.is_empty(),
        PROMISE,
        "interrupts in a response that waits, and in no other",
        || format!("{} interrupts in one that ends with {:?}", interrupts.len(), first.stop_reason),
    )?;
    let continuation = first.continuation.map(elsewhere).transpose()?;
    let mut next = request();
    next.continuation.clone_from(&continuation);
    if is_interrupted {
        (next.prompt, next.resume) = (Prompt::none(), Vec::new());
        let again = responds(promptable, next, "the interrupts again, without responses to them").await?;
        return ensure_eq(PROMISE, "the interrupts of an unanswered response", &interrupts, &ids(&again.interrupts));
    }
    if continuation.is_some() {
        responds(promptable, next, "a response to a prompt with a continuation").await?;
    }
    Ok(())
}

fn ids(interrupts: &[Interrupt]) -> Vec<String> {
    interrupts.iter().map(|interrupt| interrupt.id.clone()).collect()
}

async fn responds<P: Promptable + ?Sized>(
    promptable: &P,
    request: PromptRequest,
    expected: &str,
) -> Result<AgentResponse, ContractViolation> {
    let mut observed = ObservedPrompt::new(promptable, request);
    rest(&mut observed.stream).await?.map_err(|error| ContractViolation::error(PROMISE, expected, error))
}

/// Returns a continuation as another process gets it.
fn elsewhere(continuation: Continuation) -> Result<Continuation, ContractViolation> {
    let fits = depth::check(continuation.value()).is_ok();
    ensure(fits, PROMISE, "a continuation of at most 100 levels", || "one that nests deeper".to_owned())?;
    let stored = serde_json::to_string(&continuation);
    let read = stored.and_then(|stored| serde_json::from_str(&stored));
    read.map_err(|error| ContractViolation::new(PROMISE, "a continuation that JSON can store", error.to_string()))
}
