//! Requests to Cedar: the identity, the tool and the arguments as entities and context.

use std::collections::{HashMap, HashSet};
use std::error::Error as StdError;
use std::time::{SystemTime, UNIX_EPOCH};

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};
use serde_json::{Map, Value};
use strands_core::ToolAnnotations;

use super::names::uid;
use super::{CedarPolicies, values};
use crate::{AuthorizationRequest, Identity, ToolRequest};

type BoxError = Box<dyn StdError + Send + Sync>;

/// Principal, action and resource of a request, with all entities.
pub(super) struct Parties {
    pub(super) principal: EntityUid,
    pub(super) action: EntityUid,
    pub(super) resource: EntityUid,
    pub(super) entities: Entities,
}

/// A request about a call, with all entities.
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) entities: Entities,
}

/// Returns the hour of the day, in UTC.
pub(super) fn hour_utc() -> u64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default();
    seconds / 3600 % 24
}

/// Creates the request about a call.
pub(super) fn question(
    policies: &CedarPolicies,
    resource: Option<&EntityUid>,
    request: &AuthorizationRequest<'_>,
    facts: &Map<String, Value>,
) -> Result<Question, BoxError> {
    let Value::Object(input) = request.input else { return Err("the arguments are not an object".into()) };
    let context = Context::from_pairs([
        ("input".to_owned(), values::record("input", input)?),
        ("session".to_owned(), values::record("session", facts)?),
    ])?;
    let about_tool = ToolRequest::new(request.identity, request.tool, request.context);
    let Parties { principal, action, resource, entities } = parties(policies, resource, &about_tool)?;
    let request = Request::new(principal, action, resource, context, policies.schema.as_deref())?;
    Ok(Question { request, entities })
}

/// Creates the principal, the action and the resource of requests about a tool.
pub(super) fn parties(
    policies: &CedarPolicies,
    resource: Option<&EntityUid>,
    request: &ToolRequest<'_>,
) -> Result<Parties, BoxError> {
    let ToolRequest { identity, tool, context, .. } = request;
    let names = &policies.names;
    let principal = uid(&names.user, &identity.subject);
    let action = uid(&names.action, &tool.name);
    let resource = resource.cloned().unwrap_or_else(|| uid(&names.agent, context.agent_id()));
    let known = |entity: &EntityUid| policies.entities.ancestors(entity).into_iter().flatten().cloned();
    // The roles are those of the identity alone.
    let groups_of_user = known(&principal).filter(|group| *group.type_name() != names.role);
    let memberships = identity.roles.iter().map(|role| uid(&names.role, role)).chain(groups_of_user).collect();
    let mut added = vec![Entity::new(principal.clone(), attributes(identity)?, memberships)?];
    // A schema has the groups of its actions.
    if policies.schema.is_none() {
        let mut parents: HashSet<EntityUid> =
            groups(&tool.annotations).map(|group| uid(&names.action, group)).collect();
        parents.extend(known(&action));
        added.push(Entity::new_no_attrs(action.clone(), parents));
    }
    let entities = Entities::clone(&policies.entities).upsert_entities(added, None)?;
    Ok(Parties { principal, action, resource, entities })
}

/// Returns the groups of a tool's action. No tool has such a name.
fn groups(annotations: &ToolAnnotations) -> impl Iterator<Item = &'static str> {
    let hints = [
        (annotations.read_only, "tools:read_only"),
        (annotations.destructive, "tools:destructive"),
        (annotations.idempotent, "tools:idempotent"),
        (annotations.open_world, "tools:open_world"),
    ];
    hints.into_iter().filter(|(hint, _)| *hint == Some(true)).map(|(_, group)| group)
}

fn attributes(identity: &Identity) -> Result<HashMap<String, RestrictedExpression>, BoxError> {
    let text = |text: &String| RestrictedExpression::new_string(text.clone());
    let set = |texts: &[String]| RestrictedExpression::new_set(texts.iter().map(text));
    let mut attributes = HashMap::from([
        ("subject".to_owned(), text(&identity.subject)),
        ("roles".to_owned(), set(&identity.roles)),
        ("scopes".to_owned(), set(&identity.scopes)),
        ("claims".to_owned(), values::record("claims", &identity.claims)?),
    ]);
    attributes.extend(identity.name.as_ref().map(|name| ("name".to_owned(), text(name))));
    attributes.extend(identity.issuer.as_ref().map(|issuer| ("issuer".to_owned(), text(issuer))));
    Ok(attributes)
}
