//! A model that rejects long requests, with a tool whose results have all sizes.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use fastrand::Rng;
use serde_json::{Value, json};

use super::super::sample::words;
use super::super::validity::check_request;
use super::super::violation::{ContractViolation, Promise};
use super::observed_manager::Observations;
use crate::models::{ErrorDetails, Model, ModelError, ModelRequest, ModelStream, estimate_tokens};
use crate::testing::{ScriptedModel, ScriptedTurn};
use crate::tool::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec};
use crate::usage::Usage;

/// The initial context window, in tokens.
const WINDOW: u64 = 3_000;

/// The most requests of one prompt that the model rejects.
const MAX_REJECTIONS: u32 = 100;

/// The most rounds of tool calls for one prompt.
const MAX_ROUNDS: u32 = 4;

/// A model that rejects long requests, and checks all requests.
#[derive(Clone)]
pub(super) struct LimitedModel {
    scripted: ScriptedModel,
    limits: Arc<Limits>,
}

struct Limits {
    window: AtomicU64,
    /// Since the last prompt.
    rejections: AtomicU32,
    rounds: AtomicU32,
}

impl LimitedModel {
    pub(super) fn new(seed: u64, observations: &Arc<Observations>) -> Self {
        let limits =
            Limits { window: AtomicU64::new(WINDOW), rejections: AtomicU32::new(0), rounds: AtomicU32::new(0) };
        let limits = Arc::new(limits);
        let rng = Mutex::new(Rng::with_seed(seed));
        let (model_limits, observations) = (Arc::clone(&limits), Arc::clone(observations));
        let scripted = ScriptedModel::from_fn(move |request| {
            let rng = &mut *rng.lock().unwrap_or_else(PoisonError::into_inner);
            model_limits.respond(request, rng, &observations)
        });
        Self { scripted, limits }
    }

    pub(super) fn next_prompt(&self) {
        self.limits.rejections.store(0, Ordering::Relaxed);
        self.limits.rounds.store(0, Ordering::Relaxed);
    }

    /// Accepts requests of any length from now on.
    pub(super) fn accept_everything(&self) {
        self.limits.window.store(u64::MAX, Ordering::Relaxed);
    }
}

impl Limits {
    fn respond(&self, request: &ModelRequest<'_>, rng: &mut Rng, observations: &Observations) -> ScriptedTurn {
        // A request from the manager, such as for a summary.
        if request.tools.is_empty() {
            return ScriptedTurn::text("A summary.");
        }
        observations.first_violation.note(check_request(Promise::ConversationValidInput, request.messages));
        let tokens = estimate_tokens(request);
        if tokens > self.window.load(Ordering::Relaxed) {
            return ScriptedTurn::error(self.reject(observations));
        }
        let calls = rng.usize(0..4);
        let turn = if calls > 0 && self.rounds.fetch_add(1, Ordering::Relaxed) < MAX_ROUNDS {
            ScriptedTurn::tool_uses((0..calls).map(|_| ("look", json!({"at": words(rng, 10)}))))
        } else {
            ScriptedTurn::text(words(rng, 80))
        };
        turn.with_usage(Usage::new(tokens, 5))
    }

    fn reject(&self, observations: &Observations) -> ModelError {
        let details = || ErrorDetails::new().boxed();
        if self.rejections.fetch_add(1, Ordering::Relaxed) < MAX_REJECTIONS {
            return ModelError::ContextOverflow { details: details() };
        }
        let expected = format!("a request within the context window after {MAX_REJECTIONS} reductions");
        let violation =
            ContractViolation::new(Promise::ConversationReductionEnds, expected, "another one over the context window");
        observations.first_violation.note(Err(violation));
        ModelError::InvalidRequest { details: details() }
    }
}

#[async_trait]
impl Model for LimitedModel {
    fn model_id(&self) -> &str {
        "limited"
    }

    fn context_window(&self) -> Option<u64> {
        Some(self.limits.window.load(Ordering::Relaxed))
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        self.scripted.stream(request).await
    }
}

/// A tool whose results have all sizes.
pub(super) struct Lookup {
    spec: ToolSpec,
    rng: Mutex<Rng>,
}

impl Lookup {
    pub(super) fn new(seed: u64) -> Self {
        let schema = json!({"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]});
        Self { spec: ToolSpec::new("look", "Looks at something.", schema), rng: Mutex::new(Rng::with_seed(seed)) }
    }
}

#[async_trait]
impl Tool for Lookup {
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
