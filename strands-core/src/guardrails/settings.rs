//! Settings of a guardrail hook.

use std::sync::Arc;
use std::time::Duration;

use super::{GuardedContent, Guardrail};

/// Maximum size of the parts of a response that are held back at the same time.
const MAX_HELD_BYTES: usize = 16 << 20;

/// The guardrail of a hook, and its settings. Shared with the streams of responses.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) guardrail: Arc<dyn Guardrail>,
    /// Content that is checked; everything if there is no list.
    pub(super) only: Option<Vec<GuardedContent>>,
    pub(super) except: Vec<GuardedContent>,
    pub(super) timeout: Duration,
    pub(super) passes_on_failure: bool,
    pub(super) blocked_prompt: String,
    pub(super) max_held_bytes: usize,
}

impl Settings {
    pub(super) fn new(guardrail: Arc<dyn Guardrail>) -> Self {
        Self {
            guardrail,
            only: None,
            except: Vec::new(),
            timeout: Duration::from_secs(10),
            passes_on_failure: false,
            blocked_prompt: "[blocked by a guardrail]".to_owned(),
            max_held_bytes: MAX_HELD_BYTES,
        }
    }

    pub(super) fn guards(&self, content: &GuardedContent) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(content)) && !self.except.contains(content)
    }
}
