//! Tools that no policy can permit, decided by the scopes of the policies alone.

use cedar_policy::{
    ActionConstraint, Effect, Entities, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint,
};

use super::CedarPolicies;
use super::requests::Parties;

/// Returns false only if no arguments could make the policies permit a call.
pub(super) fn may_be_permitted(policies: &CedarPolicies, parties: &Parties) -> bool {
    let applies = |policy: &&Policy| scope_matches(policy, parties);
    let is_forbidden = policies.set.policies().filter(applies).any(|policy| {
        let can_be_approved = policies.annotations.get(policy.id()).is_some_and(|found| found.ask.is_some());
        policy.effect() == Effect::Forbid && !policy.has_non_scope_constraint() && !can_be_approved
    });
    !is_forbidden && policies.set.policies().filter(applies).any(|policy| policy.effect() == Effect::Permit)
}

fn scope_matches(policy: &Policy, parties: &Parties) -> bool {
    let Parties { principal, action, resource, entities } = parties;
    let within = |child: &EntityUid, ancestor: &EntityUid| is_in(entities, child, ancestor);
    let is = |entity: &EntityUid, ty: &EntityTypeName| entity.type_name() == ty;
    let principal_matches = match policy.principal_constraint() {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::In(ancestor) => within(principal, &ancestor),
        PrincipalConstraint::Eq(entity) => *principal == entity,
        PrincipalConstraint::Is(ty) => is(principal, &ty),
        PrincipalConstraint::IsIn(ty, ancestor) => is(principal, &ty) && within(principal, &ancestor),
    };
    let action_matches = match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::In(groups) => groups.iter().any(|group| within(action, group)),
        ActionConstraint::Eq(entity) => *action == entity,
    };
    let resource_matches = match policy.resource_constraint() {
        ResourceConstraint::Any => true,
        ResourceConstraint::In(ancestor) => within(resource, &ancestor),
        ResourceConstraint::Eq(entity) => *resource == entity,
        ResourceConstraint::Is(ty) => is(resource, &ty),
        ResourceConstraint::IsIn(ty, ancestor) => is(resource, &ty) && within(resource, &ancestor),
    };
    principal_matches && action_matches && resource_matches
}

fn is_in(entities: &Entities, child: &EntityUid, ancestor: &EntityUid) -> bool {
    child == ancestor || entities.is_ancestor_of(ancestor, child)
}
