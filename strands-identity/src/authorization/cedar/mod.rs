//! Authorization by policies in [Cedar](https://www.cedarpolicy.com).

mod annotations;
mod calls;
mod error;
mod evaluation;
mod names;
mod policies;
mod requests;
mod values;
mod visibility;

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use cedar_policy::EntityUid;
use futures_util::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use serde_json::{Map, Value};

pub use self::error::CedarError;
pub use self::policies::CedarPolicies;
use super::{AuthorizationRequest, Authorizer, Decision, ToolRequest};

/// Authorizer by Cedar policies.
///
/// # Requests
///
/// | Cedar | value |
/// |---|---|
/// | `principal` | `User::"<subject>"`, in `Role::"<role>"` for each role, with the attributes `subject`, `name`, `issuer`, `roles`, `scopes` and `claims` |
/// | `action` | `Action::"<tool>"`; without a schema in `Action::"tools:read_only"` and so on, by the tool's annotations |
/// | `resource` | `Agent::"<agent id>"`, or the [resource](Self::resource) that you set |
/// | `context.input` | the arguments |
/// | `context.session` | `hour_utc`; `call_count`, if the policies use it: the calls of the tool in this session, with this one; [facts](Self::session_facts) |
///
/// JSON values become Cedar's: strings, booleans, sets and records. A whole number is a `Long`, and another one a `decimal`. `null`
/// in a record is a missing attribute. `__entity` and `__extn` are plain names. A value that Cedar doesn't have denies the call:
/// `null` in a list, more than 4 decimals, more than 64 bits, more than 100 levels, or more than 100,000 values.
///
/// # Policies
///
/// Annotations of a policy:
///
/// | annotation | of | |
/// |---|---|---|
/// | `@id("..")` | all | its id in the audit; `policy0`, `policy1` and so on otherwise |
/// | `@reason("..")` | `forbid` | the reason of the denial, which the model reads |
/// | `@ask("..")` | `forbid` | a human may approve the call; the text is the reason to show. Other engines deny such a call |
/// | `@approvers("a, b")` | `@ask` | roles that may approve; all identities otherwise |
/// | `@other_than_requester` | `@ask` | the identity may not approve its own call |
///
/// If several `@ask` policies forbid a call, its approver needs a role that all of them name.
///
/// A `forbid` that fails, such as one that compares a missing argument, denies the call. Cedar itself
/// [skips](Self::skip_failing_policies) it.
///
/// # Hidden tools
///
/// A tool is hidden if the scope of no `permit` matches the principal, the action and the resource, or if that of a `forbid`
/// without conditions and without `@ask` does. Conditions are not evaluated without the arguments: write roles and tools in the
/// scope rather than in `when`.
///
/// # Examples
///
/// ```
/// use strands::identity::{CedarAuthorizer, CedarPolicies};
///
/// let policies = CedarPolicies::parse(
///     r#"
///     @id("travelers book")
///     permit(principal in Role::"traveler", action in [Action::"search", Action::"book"], resource);
///
///     @id("expensive bookings")
///     @ask("bookings above 500 need a manager")
///     @approvers("manager")
///     @other_than_requester
///     forbid(principal, action == Action::"book", resource) when { context.input.price > 500 };
///     "#,
/// )?;
/// let authorizer = CedarAuthorizer::new(policies);
/// // Later, while agents run: all decisions from now on are by the new policies.
/// authorizer.replace(CedarPolicies::parse("permit(principal, action, resource);")?);
/// # Ok::<(), strands::identity::CedarError>(())
/// ```
pub struct CedarAuthorizer {
    policies: RwLock<Arc<CedarPolicies>>,
    resource: Option<EntityUid>,
    facts: Option<Box<Facts>>,
    skips_failing: bool,
}

type BoxError = Box<dyn StdError + Send + Sync>;
type Facts =
    dyn Fn(&AuthorizationRequest<'_>) -> BoxFuture<'static, Result<Map<String, Value>, BoxError>> + Send + Sync;

impl CedarAuthorizer {
    /// Creates an authorizer.
    pub fn new(policies: CedarPolicies) -> Self {
        Self { policies: RwLock::new(Arc::new(policies)), resource: None, facts: None, skips_failing: false }
    }

    /// Sets the resource of all requests, such as `Resource::"agent"`, that of Strands for Python.
    ///
    /// # Errors
    ///
    /// Returns [`CedarError::InvalidName`] if it is not an entity in Cedar.
    pub fn resource(mut self, entity: &str) -> Result<Self, CedarError> {
        let uid = EntityUid::from_str(entity);
        self.resource = Some(uid.map_err(|error| CedarError::invalid_name(entity, &error))?);
        Ok(self)
    }

    /// Sets a function that returns further facts for `context.session`, such as those of a database or of a service. `hour_utc`
    /// and `call_count` stay as they are.
    ///
    /// It is called for each decision, and its time counts as that of the [decision](crate::AuthorizationHook::timeout). If it
    /// fails, the call is denied. The future does not borrow the request: clone what it needs.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use strands::identity::{AuthorizationRequest, CedarAuthorizer, CedarPolicies};
    /// use strands::serde_json::{Map, json};
    ///
    /// struct Budgets;
    ///
    /// impl Budgets {
    ///     async fn left(&self, user: &str) -> Result<u32, std::io::Error> {
    ///         // A request to another service.
    /// #       assert_eq!(user, "alice");
    ///         Ok(500)
    ///     }
    /// }
    ///
    /// let policies = CedarPolicies::parse(
    ///     r#"permit(principal, action, resource) when { context.input.price <= context.session.budget_left };"#,
    /// )?;
    /// let budgets = Arc::new(Budgets);
    /// let authorizer = CedarAuthorizer::new(policies).session_facts(move |request: &AuthorizationRequest<'_>| {
    ///     let (budgets, user) = (Arc::clone(&budgets), request.identity.subject.clone());
    ///     async move {
    ///         let left = budgets.left(&user).await?;
    ///         Ok::<_, std::io::Error>(Map::from_iter([("budget_left".to_owned(), json!(left))]))
    ///     }
    /// });
    /// # drop(authorizer);
    /// # Ok::<(), strands::identity::CedarError>(())
    /// ```
    #[must_use]
    pub fn session_facts<F, R, E>(mut self, facts: F) -> Self
    where
        F: Fn(&AuthorizationRequest<'_>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Map<String, Value>, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.facts = Some(Box::new(move |request| facts(request).map_err(Into::into).boxed()));
        self
    }

    /// Skips a `forbid` that fails to evaluate, as Cedar and Strands for Python do, so that it forbids nothing. Default: the call
    /// is denied.
    #[must_use]
    pub fn skip_failing_policies(mut self) -> Self {
        self.skips_failing = true;
        self
    }

    /// Replaces the policies, with their schema and entities, all at once: each decision is by the old ones or by the new ones.
    pub fn replace(&self, policies: CedarPolicies) {
        *self.policies.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policies);
    }

    fn policies(&self) -> Arc<CedarPolicies> {
        Arc::clone(&self.policies.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Authorizer for CedarAuthorizer {
    async fn authorize(&self, request: &AuthorizationRequest<'_>) -> Result<Decision, BoxError> {
        // Before the call is counted, since the future may be dropped meanwhile.
        let mut facts = match &self.facts {
            Some(facts) => facts(request).await?,
            None => Map::new(),
        };
        let policies = self.policies();
        let count = calls::Counted::begin(&policies, request)?;
        facts.insert("hour_utc".to_owned(), requests::hour_utc().into());
        if let Some(count) = count.number() {
            facts.insert("call_count".to_owned(), count.into());
        }
        let question = requests::question(&policies, self.resource.as_ref(), request, &facts);
        let decided = question
            .and_then(|question| evaluation::decide(&policies, &question, &request.tool.name, self.skips_failing));
        count.end(decided.as_ref().ok().map(|decision| &decision.effect))?;
        decided
    }

    async fn may_call(&self, request: &ToolRequest<'_>) -> Result<bool, BoxError> {
        let policies = self.policies();
        let parties = requests::parties(&policies, self.resource.as_ref(), request)?;
        Ok(visibility::may_be_permitted(&policies, &parties))
    }
}

impl fmt::Debug for CedarAuthorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CedarAuthorizer")
            .field("policies", &self.policies())
            .field("skips_failing", &self.skips_failing)
            .finish_non_exhaustive()
    }
}
