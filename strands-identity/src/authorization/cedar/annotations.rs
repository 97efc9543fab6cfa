//! Annotations of policies.

use cedar_policy::{Effect, Policy};

use crate::ApprovalRequirement;

/// Annotations that an `@ask` policy may have. A misspelled one would change who may approve.
const OF_ASK: [&str; 6] = ["approvers", "ask", "description", "id", "other_than_requester", "reason"];

/// Annotations of one policy.
#[derive(Debug, Default)]
pub(super) struct Annotations {
    /// Reason of a denial, which the model reads.
    pub(super) reason: Option<String>,
    /// Approval with which a forbidden call may run.
    pub(super) ask: Option<ApprovalRequirement>,
}

impl Annotations {
    /// Reads the annotations of a policy.
    ///
    /// # Errors
    ///
    /// Returns the reason for which they make no sense.
    pub(super) fn of(policy: &Policy) -> Result<Self, String> {
        let get = |name: &str| policy.annotation(name);
        let misplaced = |name: &str, place: &str| Err(format!("`@{name}` has no effect here; it belongs to a {place}"));
        if policy.effect() == Effect::Permit
            && let Some(name) = ["ask", "reason"].into_iter().find(|name| get(name).is_some())
        {
            return misplaced(name, "`forbid`");
        }
        let reason = get("reason").filter(|reason| !reason.trim().is_empty()).map(str::to_owned);
        let Some(ask) = get("ask") else {
            let of_ask = ["approvers", "other_than_requester"].into_iter().find(|name| get(name).is_some());
            return of_ask.map_or(Ok(Self { reason, ask: None }), |name| misplaced(name, "policy with `@ask`"));
        };
        if let Some((unknown, _)) = policy.annotations().find(|(name, _)| !OF_ASK.contains(name)) {
            return Err(format!(
                "unknown annotation `@{unknown}` of a policy with `@ask`: expected {}",
                OF_ASK.join(", ")
            ));
        }
        if ask.trim().is_empty() {
            return Err("`@ask` has no reason to show".to_owned());
        }
        let mut requirement = ApprovalRequirement::new(ask);
        if let Some(approvers) = get("approvers") {
            requirement.approvers = roles(approvers);
            if requirement.approvers.is_empty() {
                return Err("`@approvers` names no role".to_owned());
            }
        }
        match get("other_than_requester") {
            None => {}
            Some("") => requirement.other_than_requester = true,
            Some(_) => return Err("`@other_than_requester` has no value".to_owned()),
        }
        Ok(Self { reason, ask: Some(requirement) })
    }
}

fn roles(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|role| !role.is_empty()).map(str::to_owned).collect()
}
