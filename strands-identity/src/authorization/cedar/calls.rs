//! Count of the calls of each tool, in the agent's state, so that policies can limit them.

use serde_json::{Error, Map, Value, json};
use strands_core::AgentState;

use super::CedarPolicies;
use crate::{AuthorizationRequest, Effect};

/// State with the calls of each tool, as in Strands for Python.
const COUNTS: &str = "cedar-authorization";
/// State with the ids of counted calls that wait for an approval, since these are decided again.
const ASKED: &str = "cedar-authorization-asked";
/// Maximum number of these ids.
const MAX_ASKED: usize = 64;

/// A call that is counted, until it is denied.
pub(super) struct Counted<'a> {
    /// `None` if no policy uses the count.
    counted: Option<(&'a AgentState, u64)>,
    tool: &'a str,
    tool_use_id: &'a str,
}

impl<'a> Counted<'a> {
    /// Counts a call, unless it waits for an approval and is counted.
    pub(super) fn begin(policies: &CedarPolicies, request: &AuthorizationRequest<'a>) -> Result<Self, Error> {
        let (state, tool, tool_use_id) = (request.context.state(), request.tool.name.as_str(), request.tool_use_id);
        let counted = match policies.counts_calls {
            true => {
                let is_new = !asked(&state.get(ASKED).unwrap_or_default()).any(|id| id == tool_use_id);
                Some((state, change(state, tool, i64::from(is_new))?))
            }
            false => None,
        };
        Ok(Self { counted, tool, tool_use_id })
    }

    /// Returns the number of calls of the tool, with this one.
    pub(super) fn number(&self) -> Option<u64> {
        self.counted.map(|(_, number)| number)
    }

    /// Ends the decision, which failed without an effect. A denied call does not count.
    pub(super) fn end(self, effect: Option<&Effect>) -> Result<(), Error> {
        let Some((state, _)) = self.counted else { return Ok(()) };
        let asks = matches!(effect, Some(Effect::Ask(_)));
        let had = asked(&state.get(ASKED).unwrap_or_default()).any(|id| id == self.tool_use_id);
        if asks != had {
            state.update(ASKED, |ids| {
                let mut left: Vec<Value> = asked(ids).filter(|id| *id != self.tool_use_id).map(Into::into).collect();
                if asks {
                    left.push(self.tool_use_id.into());
                }
                let excess = left.len().saturating_sub(MAX_ASKED);
                left.drain(..excess);
                *ids = left.into();
            })?;
        }
        if matches!(effect, None | Some(Effect::Deny { .. })) {
            change(state, self.tool, -1)?;
        }
        Ok(())
    }
}

fn asked(ids: &Value) -> impl Iterator<Item = &str> {
    ids.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Changes the count of a tool, and returns it.
fn change(state: &AgentState, tool: &str, by: i64) -> Result<u64, Error> {
    state.update(COUNTS, |counts| {
        if !counts.is_object() {
            *counts = Map::new().into();
        }
        let number = counts.get(tool).and_then(Value::as_u64).unwrap_or_default().saturating_add_signed(by);
        if let Some(counts) = counts.as_object_mut() {
            counts.insert(tool.to_owned(), json!(number));
        }
        number
    })
}
