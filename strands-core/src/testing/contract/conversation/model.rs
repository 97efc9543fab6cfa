//! A model that refuses long requests, with a tool whose results are of all sizes.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use fastrand::Rng;
use serde_json::{Value, json};

use super::super::sample::words;
use super::super::valid::check_request;
use super::super::violation::{ContractViolation, Promise};
use super::watch::Watch;
use crate::models::{ErrorDetails, Model, ModelError, ModelRequest, ModelStream, estimate_tokens};
use crate::testing::{ScriptedModel, ScriptedTurn};
use crate::tool::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec};
use crate::usage::Usage;

/// The context window at first, in tokens.
const WINDOW: u64 = 3_000;

/// The most requests of one prompt that the model refuses.
const MOST_REFUSALS: u32 = 100;

/// The most rounds of tool calls for one prompt.
const MOST_ROUNDS: u32 = 4;

/// A model that refuses what is too long, and checks what it is sent.
#[derive(Clone)]
pub(super) struct Strict {
    scripted: ScriptedModel,
    limits: Arc<Limits>,
}

struct Limits {
    window: AtomicU64,
    /// Since the last prompt.
    refusals: AtomicU32,
    rounds: AtomicU32,
}

impl Strict {
    pub(super) fn new(seed: u64, watch: &Arc<Watch>) -> Self {
        let limits = Limits { window: AtomicU64::new(WINDOW), refusals: AtomicU32::new(0), rounds: AtomicU32::new(0) };
        let limits = Arc::new(limits);
        let rng = Mutex::new(Rng::with_seed(seed));
        let (of_model, watch) = (Arc::clone(&limits), Arc::clone(watch));
        let scripted = ScriptedModel::from_fn(move |request| {
            let rng = &mut *rng.lock().unwrap_or_else(PoisonError::into_inner);
            of_model.answer(request, rng, &watch)
        });
        Self { scripted, limits }
    }

    pub(super) fn next_prompt(&self) {
        self.limits.refusals.store(0, Ordering::Relaxed);
        self.limits.rounds.store(0, Ordering::Relaxed);
    }

    /// From here on, requests may have any length.
    pub(super) fn take_everything(&self) {
        self.limits.window.store(u64::MAX, Ordering::Relaxed);
    }
}

impl Limits {
    fn answer(&self, request: &ModelRequest<'_>, rng: &mut Rng, watch: &Watch) -> ScriptedTurn {
        // A request of the manager's own, such as for a summary.
        if request.tools.is_empty() {
            return ScriptedTurn::text("A summary.");
        }
        watch.noted.note(check_request(Promise::ConversationValidInput, request.messages));
        let tokens = estimate_tokens(request);
        if tokens > self.window.load(Ordering::Relaxed) {
            return ScriptedTurn::error(self.refuse(watch));
        }
        let calls = rng.usize(0..4);
        let turn = if calls > 0 && self.rounds.fetch_add(1, Ordering::Relaxed) < MOST_ROUNDS {
            ScriptedTurn::tool_uses((0..calls).map(|_| ("look", json!({"at": words(rng, 10)}))))
        } else {
            ScriptedTurn::text(words(rng, 80))
        };
        turn.costing(Usage::new(tokens, 5))
    }

    fn refuse(&self, watch: &Watch) -> ModelError {
        let details = || ErrorDetails::new().boxed();
        if self.refusals.fetch_add(1, Ordering::Relaxed) < MOST_REFUSALS {
            return ModelError::ContextOverflow { details: details() };
        }
        let expected = format!("a request that the model takes after {MOST_REFUSALS} reductions");
        let violation =
            ContractViolation::new(Promise::ConversationReductionEnds, expected, "another one that is too long");
        watch.noted.note(Err(violation));
        ModelError::InvalidRequest { details: details() }
    }
}

#[async_trait]
impl Model for Strict {
    fn model_id(&self) -> &str {
        "strict"
    }

    fn context_window(&self) -> Option<u64> {
        Some(self.limits.window.load(Ordering::Relaxed))
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        self.scripted.stream(request).await
    }
}

/// A tool whose results are of all sizes.
pub(super) struct Look {
    spec: ToolSpec,
    rng: Mutex<Rng>,
}

impl Look {
    pub(super) fn new(seed: u64) -> Self {
        let schema = json!({"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]});
        Self { spec: ToolSpec::new("look", "Looks at something.", schema), rng: Mutex::new(Rng::with_seed(seed)) }
    }
}

#[async_trait]
impl Tool for Look {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        let text = {
            let rng = &mut *self.rng.lock().unwrap_or_else(PoisonError::into_inner);
            match rng.u8(0..4) {
                0 => words(rng, 600),
                1 => return Err(ToolError::new(words(rng, 5))),
                _ => words(rng, 40),
            }
        };
        Ok(ToolOutput::text(text))
    }
}
