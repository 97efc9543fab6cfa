//! Evaluation of policies, and its result as a decision.

use std::error::Error as StdError;

use cedar_policy::{AuthorizationError, Authorizer, Effect, PolicyId};

use super::CedarPolicies;
use super::requests::Question;
use crate::{ApprovalRequirement, Decision};

/// A policy that forbids calls failed to evaluate.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct FailedPolicy(AuthorizationError);

pub(super) fn decide(
    policies: &CedarPolicies,
    question: &Question,
    tool: &str,
    skips_failing: bool,
) -> Result<Decision, Box<dyn StdError + Send + Sync>> {
    let Question { request, entities } = question;
    let cedar = Authorizer::new();
    let response = cedar.is_authorized(request, &policies.set, entities);
    let failed = response.diagnostics().errors().find(|AuthorizationError::PolicyEvaluationError(error)| {
        policies.set.policy(error.policy_id()).is_none_or(|policy| policy.effect() == Effect::Forbid)
    });
    if let Some(failed) = failed.filter(|_| !skips_failing) {
        return Err(FailedPolicy(failed.clone()).into());
    }
    let mut led: Vec<&PolicyId> = response.diagnostics().reason().collect();
    led.sort_unstable();
    let ids = |led: &[&PolicyId]| led.iter().map(ToString::to_string).collect::<Vec<_>>();
    if response.decision() == cedar_policy::Decision::Allow {
        return Ok(Decision::allow().with_policies(ids(&led)));
    }
    let annotations = |id: &&PolicyId| policies.annotations.get(*id);
    let final_denials: Vec<&PolicyId> =
        led.iter().copied().filter(|id| annotations(id).is_none_or(|found| found.ask.is_none())).collect();
    if !final_denials.is_empty() {
        let reasons: Vec<&str> = final_denials.iter().filter_map(|id| annotations(id)?.reason.as_deref()).collect();
        let reason = match reasons.is_empty() {
            true => format!("a policy forbids this call of `{tool}`"),
            false => reasons.join("; "),
        };
        return Ok(Decision::deny(reason).with_policies(ids(&final_denials)));
    }
    // Only policies with `@ask` forbid the call, if any do: an approval helps if one permits it.
    let is_permitted = policies.without_asks.as_ref().filter(|_| !led.is_empty()).is_some_and(|decisive| {
        cedar.is_authorized(request, decisive, entities).decision() == cedar_policy::Decision::Allow
    });
    if !is_permitted {
        return Ok(Decision::deny(format!("no policy allows this call of `{tool}` for this user")));
    }
    let decision = match ApprovalRequirement::combined(led.iter().filter_map(|id| annotations(id)?.ask.as_ref())) {
        Some(requirement) => Decision::ask(requirement),
        None => Decision::deny(format!("no role may approve this call of `{tool}`")),
    };
    Ok(decision.with_policies(ids(&led)))
}
