//! The travel desk as an MCP server: each request has the token that the agent has minted for its user. It is verified before anything
//! else, and the user and the roles are its claims.

use std::{error::Error, sync::Arc};

use serde_json::{Value, json};
use strands::{
    CancellationToken, async_trait,
    identity::{Audit, AuthorizationHook, Identity, JwtVerifier, Role as Rules, RoleAuthorizer},
    mcp::{Caller, IdentifyCaller, McpServer, Refusal},
    serve::axum::{
        Router,
        http::{StatusCode, header, request::Parts},
        routing::get,
    },
    tool, tools,
};
use tokio::sync::OnceCell;

use crate::{
    access::{AGENT, Role},
    clock::Clock,
    desk::{self, AUDIENCE, DeskSecret, desk_tools},
    error::TravelError,
    services::Services,
    store::Store,
    trip::{Traveller, TripOrder},
};

type BoxError = Box<dyn Error + Send + Sync>;

/// Maximum size of a request's body, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// The employee for whom the tools act.
#[tool(read_only)]
fn my_profile(traveller: &Traveller) -> Traveller {
    traveller.clone()
}

/// True if a trip can be booked with the approval of a manager only.
#[tool(read_only)]
fn needs_approval(#[args] order: TripOrder, store: &Store, clock: &Clock) -> Result<bool, TravelError> {
    desk::needs_approval(store, &order, clock.today())
}

/// The verification of the agent's tokens. The secret is read for the first one.
#[derive(Debug)]
pub struct ServiceTokens {
    secret: DeskSecret,
    audit: Audit,
    verifier: OnceCell<JwtVerifier>,
}

impl ServiceTokens {
    /// Creates the verification, with an audit of refused tokens.
    pub fn new(secret: DeskSecret, audit: Audit) -> Self {
        Self { secret, audit, verifier: OnceCell::new() }
    }

    /// Returns the user of a request with this `Authorization` header. `None` if it is not valid.
    ///
    /// # Errors
    ///
    /// Returns an error if tokens can't be verified now.
    pub async fn user(&self, authorization: Option<&str>) -> Result<Option<Identity>, BoxError> {
        let verifier = async || {
            let verifier = JwtVerifier::builder().hs256_secret(self.secret.read().await?);
            let verifier = verifier.issuer(AGENT).audience(AUDIENCE).audit(self.audit.clone());
            let verifier = verifier.require_claim_value("sub", AGENT);
            Ok::<_, BoxError>(verifier.subject_claim("user_id").name_claim("user_name").build()?)
        };
        Ok(self.verifier.get_or_try_init(verifier).await?.verify_bearer(authorization).await.ok())
    }
}

/// The employee of each request.
struct Employees {
    tokens: ServiceTokens,
    store: Arc<Store>,
}

#[async_trait]
impl IdentifyCaller for Employees {
    async fn identify(&self, request: &Parts) -> Result<Caller, Refusal> {
        let mut headers = request.headers.get_all(header::AUTHORIZATION).iter();
        let authorization = headers.next().and_then(|value| value.to_str().ok()).filter(|_| headers.next().is_none());
        let user = match self.tokens.user(authorization).await {
            Ok(Some(user)) => user,
            Ok(None) => return Err(Refusal::unauthorized("Bearer")),
            Err(error) => return Err(unavailable(&*error)),
        };
        let employee = user.clone();
        let traveller = Arc::clone(&self.store).run(move |store| store.employee(&employee)).await;
        match traveller {
            Ok(traveller) => Ok(Caller::new(user.subject.as_str()).inject(traveller).inject(user)),
            Err(error) if error.is_of_the_database() => Err(unavailable(&error)),
            Err(error) => Err(Refusal::forbidden(error.to_string())),
        }
    }
}

fn unavailable(error: &(dyn Error + 'static)) -> Refusal {
    tracing::error!(error = strands::ErrorChain::new(error).to_string(), "a request can't be served now");
    let mut refusal = Refusal::forbidden("the travel desk is not available now");
    refusal.status = StatusCode::SERVICE_UNAVAILABLE.as_u16();
    refusal
}

/// Returns what each role may do, whatever the agent has allowed. Approvals are the agent's.
fn roles(audit: Audit) -> AuthorizationHook {
    const OF_TRAVELERS: [&str; 8] =
        ["my_*", "get_*", "search_*", "check_policy", "needs_approval", "weather", "book_trip", "cancel_booking"];
    const OF_AUDITORS: [&str; 5] = ["my_profile", "get_travel_policies", "search_policies", "weather", ALL_BOOKINGS];
    const ALL_BOOKINGS: &str = "all_bookings";
    let allow = |tools: &'static [&str]| move |role| tools.iter().fold(role, |role: Rules, tool| role.allow(*tool));
    let roles = RoleAuthorizer::new()
        .role(Role::Traveler.as_str(), allow(&OF_TRAVELERS))
        .role(Role::Manager.as_str(), |role| allow(&OF_TRAVELERS)(role).allow(ALL_BOOKINGS))
        .role(Role::Auditor.as_str(), allow(&OF_AUDITORS));
    AuthorizationHook::new(roles).audit(audit)
}

/// Returns the server's router: `/mcp` and `/healthz`. It serves these hosts; `*` stands for any.
///
/// # Errors
///
/// Returns an error if the tools conflict.
pub fn router(
    (store, clock, services): (Arc<Store>, Clock, Services),
    (secret, audit): (DeskSecret, Audit),
    hosts: &[String],
    shutdown: CancellationToken,
) -> Result<Router, BoxError> {
    let tokens = ServiceTokens::new(secret, audit.clone());
    let server = McpServer::new(tools![MyProfile, NeedsApproval].into_iter().chain(desk_tools()).collect::<Vec<_>>())?
        .name("travel-mcp")
        .identify_caller(Employees { tokens, store: Arc::clone(&store) })
        .hook(roles(audit))
        .inject(store)
        .inject(clock)
        .inject(services)
        .without_sessions()
        .max_message_bytes(MAX_BODY)
        .shutdown_with(shutdown);
    // Each request needs a token that no browser adds by itself, so that any host is safe as well.
    let is_any = hosts.iter().any(|host| host == "*");
    let server = if is_any { server.allow_any_host() } else { server.allowed_hosts(hosts) };
    Ok(server.into_router().route("/healthz", get(async || "ok")))
}

/// Runs the authorizer of the server's API on AWS Lambda: an HTTP API with payload 2.0 and simple responses.
///
/// # Errors
///
/// Returns an error if the runtime API fails.
#[cfg(feature = "lambda")]
pub async fn authorizer(tokens: ServiceTokens) -> Result<(), BoxError> {
    use lambda_http::lambda_runtime::{LambdaEvent, run, service_fn};
    run(service_fn(async |event: LambdaEvent<Value>| authorize(&tokens, &event.payload).await)).await
}

/// Returns the response of the authorizer to an event.
///
/// # Errors
///
/// Returns an error if tokens can't be verified now.
pub async fn authorize(tokens: &ServiceTokens, event: &Value) -> Result<Value, BoxError> {
    // The identity source of the API is the header; without one, the header is where it always is.
    let source = event.pointer("/identitySource/0").or_else(|| event.pointer("/headers/authorization"));
    Ok(match tokens.user(source.and_then(Value::as_str)).await? {
        Some(user) => json!({"isAuthorized": true, "context": {"user_id": user.subject}}),
        None => json!({"isAuthorized": false}),
    })
}
