//! A set of policies, parsed and validated, with its schema and entities.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{Entities, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use serde_json::Value;

use super::CedarError;
use super::annotations::Annotations;
use super::names::Names;
use crate::authorization::position::line_and_column;

/// Cedar policies, parsed and validated, with their schema and entities. Cheap to clone.
///
/// See [`CedarAuthorizer`](crate::CedarAuthorizer) for the requests and the annotations of policies. Templates, with slots such
/// as `?principal`, are not accepted.
#[derive(Clone)]
pub struct CedarPolicies {
    pub(super) set: Arc<PolicySet>,
    /// The policies without those with `@ask`. `None` if there are none of these.
    pub(super) without_asks: Option<Arc<PolicySet>>,
    pub(super) annotations: Arc<HashMap<PolicyId, Annotations>>,
    pub(super) schema: Option<Arc<Schema>>,
    pub(super) entities: Arc<Entities>,
    pub(super) names: Names,
    /// True if a policy or the schema has the call count.
    pub(super) counts_calls: bool,
}

impl CedarPolicies {
    /// Parses policies.
    ///
    /// # Errors
    ///
    /// Returns [`CedarError::InvalidSyntax`] or [`CedarError::InvalidPolicy`], with the position.
    pub fn parse(policies: &str) -> Result<Self, CedarError> {
        Self::create(policies, None)
    }

    /// Parses policies, and validates them against a schema in Cedar's syntax. Requests that do not fit the schema are denied:
    /// it has an action for each tool, with all of its arguments.
    ///
    /// # Errors
    ///
    /// Returns an error with the position if the schema or a policy is invalid.
    pub fn with_schema(policies: &str, schema: &str) -> Result<Self, CedarError> {
        Self::create(policies, Some(schema))
    }

    /// Adds entities, in Cedar's JSON format: for example roles with parents, or groups of actions and of users. The attributes
    /// and the roles of a user are those of the identity.
    ///
    /// # Errors
    ///
    /// Returns [`CedarError::InvalidEntities`] if they are invalid, or do not fit the schema.
    pub fn with_entities(mut self, entities: Value) -> Result<Self, CedarError> {
        let own = Arc::unwrap_or_clone(self.entities);
        let added = own.add_entities_from_json_value(entities, self.schema.as_deref());
        self.entities = Arc::new(added.map_err(|error| CedarError::InvalidEntities { message: error.to_string() })?);
        Ok(self)
    }

    /// Sets the namespace of `User`, `Role`, `Action` and `Agent`. Default: none.
    ///
    /// # Errors
    ///
    /// Returns [`CedarError::InvalidName`] if it is not a name in Cedar.
    pub fn with_namespace(mut self, namespace: &str) -> Result<Self, CedarError> {
        self.names = Names::with_prefix(&format!("{namespace}::"))?;
        Ok(self)
    }

    fn create(text: &str, schema_text: Option<&str>) -> Result<Self, CedarError> {
        let parsed = PolicySet::from_str(text);
        let parsed = parsed.map_err(|error| CedarError::invalid_syntax(text, &(&error).into()))?;
        if let Some(template) = parsed.templates().next() {
            let message = "policies with slots such as `?principal` are not supported";
            return Err(invalid(text, template.id().as_ref(), &template.to_cedar(), message));
        }
        let (mut set, mut without_asks, mut annotations) = (PolicySet::new(), PolicySet::new(), HashMap::new());
        for policy in parsed.policies() {
            let policy = match policy.annotation("id") {
                Some(id) => policy.new_id(PolicyId::new(id)),
                None => policy.clone(),
            };
            let source = policy.to_cedar().unwrap_or_default();
            let invalid = |message: &str| invalid(text, policy.id().as_ref(), &source, message);
            let own = Annotations::of(&policy).map_err(|message| invalid(&message))?;
            let is_decisive = own.ask.is_none();
            annotations.insert(policy.id().clone(), own);
            let taken = |_| invalid("another policy has this id");
            if is_decisive {
                without_asks.add(policy.clone()).map_err(taken)?;
            }
            set.add(policy.clone()).map_err(taken)?;
        }
        let schema = schema_text.map(|schema| parse_schema(schema).map(Arc::new)).transpose()?;
        let mut entities = Entities::empty();
        if let Some(schema) = &schema {
            validate(text, &set, schema)?;
            let actions = schema.action_entities();
            entities = actions.map_err(|error| CedarError::InvalidEntities { message: error.to_string() })?;
        }
        let has_asks = without_asks.num_of_policies() < set.num_of_policies();
        let counts_calls = [Some(text), schema_text].into_iter().flatten().any(|text| text.contains("call_count"));
        Ok(Self {
            set: Arc::new(set),
            without_asks: has_asks.then(|| Arc::new(without_asks)),
            annotations: Arc::new(annotations),
            schema,
            entities: Arc::new(entities),
            names: Names::with_prefix("")?,
            counts_calls,
        })
    }
}

/// Creates an error of a policy whose text is `source`.
fn invalid(text: &str, policy: &str, source: &str, message: &str) -> CedarError {
    let (line, column) = line_and_column(text, text.find(source).unwrap_or_default());
    CedarError::InvalidPolicy { policy: policy.to_owned(), line, column, message: message.to_owned() }
}

fn parse_schema(text: &str) -> Result<Schema, CedarError> {
    let (schema, warnings) =
        Schema::from_cedarschema_str(text).map_err(|error| CedarError::invalid_schema(text, &(&error).into()))?;
    for warning in warnings {
        tracing::warn!(%warning, "Cedar schema");
    }
    Ok(schema)
}

fn validate(text: &str, policies: &PolicySet, schema: &Schema) -> Result<(), CedarError> {
    let validated = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    for warning in validated.validation_warnings() {
        tracing::warn!(%warning, "Cedar policies");
    }
    match validated.validation_errors().next() {
        Some(error) => Err(CedarError::invalid_policy(text, error.policy_id().as_ref(), &error.into())),
        None => Ok(()),
    }
}

impl fmt::Debug for CedarPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CedarPolicies")
            .field("policies", &self.set.num_of_policies())
            .field("has_schema", &self.schema.is_some())
            .finish_non_exhaustive()
    }
}
