//! Travel desk on the MCP server `travel-mcp`, over streamable HTTP: one client for each user, with the user's own token.

use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value, json};
use strands::{
    Tool, ToolContext, ToolError, ToolOutput, ToolPolicy, ToolSpec, async_trait,
    identity::{Identity, ServiceTokenMinter, secrecy::ExposeSecret as _},
    mcp::{McpClient, McpError},
    message::{ToolResultContent, ToolResultStatus},
};
use tokio::{sync::OnceCell, time::timeout};

use super::{DeskSecret, desk_tools};
use crate::{
    access::{self, AGENT},
    error::TravelError,
    trip::Traveller,
};

/// The audience of service tokens.
pub(crate) const AUDIENCE: &str = "travel-mcp";

/// Maximum number of users with a client. The least recent one is dropped first.
const MAX_USERS: usize = 500;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum time to reach a server again that ended: a restart takes less.
const RECONNECT_TIMEOUT: Duration = Duration::from_millis(1500);
/// Maximum time for a traveller's profile, without which the turn goes on.
const PROFILE_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum time for the costs of a trip: less than that of a decision.
const COSTS_TIMEOUT: Duration = Duration::from_secs(4);
const MAX_RESPONSE: usize = 1024 * 1024;

/// The travel desk behind a URL.
pub struct RemoteDesk {
    url: String,
    tokens: Arc<Tokens>,
    /// The users, the most recent one last.
    users: Mutex<VecDeque<UserClient>>,
}

/// The client of one user. Nothing of it is shared with another one.
#[derive(Clone)]
struct UserClient {
    user: Identity,
    client: McpClient,
    profile: Arc<OnceCell<Traveller>>,
}

/// The tokens of all users.
struct Tokens {
    secret: DeskSecret,
    minter: OnceCell<ServiceTokenMinter>,
}

impl Tokens {
    /// Returns a token for a user. The secret is read for the first one.
    async fn token(&self, user: &Identity) -> Result<String, Box<dyn Error + Send + Sync>> {
        let minter = async || {
            let minter = ServiceTokenMinter::hs256(self.secret.read().await?).agent(AGENT).issuer(AGENT);
            let claims = |user: &Identity| {
                let full_name = access::full_name(user).map(|name| ("full_name".to_owned(), json!(name)));
                Map::from_iter(full_name.into_iter().chain([("roles".to_owned(), json!(user.roles))]))
            };
            Ok::<_, Box<dyn Error + Send + Sync>>(minter.audience(AUDIENCE).user_claims(claims).build()?)
        };
        let token = self.minter.get_or_try_init(minter).await?.token_for(user)?;
        Ok(token.expose_secret().to_owned())
    }
}

impl RemoteDesk {
    /// Creates the desk. It connects for the first call of each user.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Desk`] if the URL is invalid, or if tokens would leave this machine in plain text.
    pub fn new(url: &str, secret: DeskSecret) -> Result<Self, TravelError> {
        let tokens = Arc::new(Tokens { secret, minter: OnceCell::new() });
        let desk = Self { url: url.to_owned(), tokens, users: Mutex::default() };
        desk.connect(&Identity::new("nobody"))?;
        Ok(desk)
    }

    /// Returns the tools of the desk for a user.
    pub(super) fn tools(&self, user: &Identity) -> Result<Vec<Arc<dyn Tool>>, TravelError> {
        let UserClient { client, .. } = self.client(user)?;
        let remote = |local| Arc::new(RemoteTool { local, client: client.clone() }) as Arc<dyn Tool>;
        Ok(desk_tools().into_iter().map(remote).collect())
    }

    /// Returns the profile of a user, or the name alone if the desk does not respond.
    pub(super) async fn traveller(&self, user: &Identity) -> Result<Traveller, TravelError> {
        let UserClient { client, profile, .. } = self.client(user)?;
        let requested = profile.get_or_try_init(async || {
            let profile = client.call_tool("my_profile", json!({})).await.map_err(TravelError::desk)?;
            serde_json::from_value(json_of(&profile)).map_err(TravelError::desk)
        });
        match timeout(PROFILE_TIMEOUT, requested).await {
            Ok(Ok(profile)) => Ok(profile.clone()),
            Ok(Err(_)) | Err(_) => {
                let username = access::username(user);
                let name = user.claim("name").and_then(Value::as_str).unwrap_or(username);
                Ok(Traveller::without_profile(username, name))
            }
        }
    }

    pub(super) async fn above_cost_limit(&self, user: &Identity, order: &Value) -> Result<bool, TravelError> {
        let UserClient { client, .. } = self.client(user)?;
        let asked = timeout(COSTS_TIMEOUT, client.call_tool("needs_approval", order.clone())).await;
        let output = asked.map_err(TravelError::desk)?.map_err(TravelError::desk)?;
        json_of(&output).as_bool().ok_or_else(|| TravelError::desk("it can't tell whether the trip needs an approval"))
    }

    /// Returns the client of a user. Another role or name makes another client.
    fn client(&self, user: &Identity) -> Result<UserClient, TravelError> {
        // Each login has other claims.
        let full_name = user.claim("name").cloned();
        let user = full_name.into_iter().fold(user.without_claims(), |user, name| user.with_claim("name", name));
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let known = users.iter().position(|known| known.user == user).and_then(|at| users.remove(at));
        let found = match known {
            Some(known) => known,
            None => UserClient { client: self.connect(&user)?, user, profile: Arc::default() },
        };
        if users.len() >= MAX_USERS {
            users.pop_front();
        }
        users.push_back(found.clone());
        Ok(found)
    }

    /// Makes the client of a user, which connects when it is used.
    fn connect(&self, user: &Identity) -> Result<McpClient, TravelError> {
        let (tokens, user) = (Arc::clone(&self.tokens), user.clone());
        let client = McpClient::http(&self.url)
            .name("travel-desk")
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .reconnect_timeout(RECONNECT_TIMEOUT)
            .max_response_bytes(MAX_RESPONSE)
            .bearer_token_fn(move || {
                let (tokens, user) = (Arc::clone(&tokens), user.clone());
                async move { tokens.token(&user).await }
            });
        client.build().map_err(TravelError::desk)
    }
}

/// A tool of the desk. Its spec is that of this program, whatever the server lists.
struct RemoteTool {
    local: Arc<dyn Tool>,
    client: McpClient,
}

#[async_trait]
impl Tool for RemoteTool {
    fn spec(&self) -> &ToolSpec {
        self.local.spec()
    }

    fn policy(&self) -> ToolPolicy {
        self.local.policy()
    }

    async fn call(&self, ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let name = self.spec().name.as_str();
        let is_read_only = self.spec().annotations.read_only == Some(true);
        let listed = self.client.tools().await.map_err(|error| explained(&error, true))?;
        let Some(tool) = listed.into_iter().find(|tool| tool.spec().name == name) else {
            return Err(ToolError::new(format!("the travel desk has no tool `{name}` for this user now")));
        };
        let called = tool.call(ctx, input).await;
        let output =
            called.map_err(|error| match error.source().and_then(|source| source.downcast_ref::<McpError>()) {
                Some(failure) => explained(failure, is_read_only),
                // The client's text about an unknown outcome names what users don't know.
                None if error.is_explicit() && !error.is_invalid_input() && !error.is_interrupt() => {
                    tracing::warn!(error = error.to_string(), "the travel desk failed");
                    unanswered(is_read_only)
                }
                None => error,
            })?;
        // The protocol has texts: a result is the JSON that it is in this process.
        Ok(match output.status() {
            ToolResultStatus::Success => match json_of(&output) {
                Value::Null => output,
                json => ToolOutput::serialize(&json)?,
            },
            _ => output,
        })
    }
}

/// Returns the JSON of an output that is one text or one JSON value.
fn json_of(output: &ToolOutput) -> Value {
    match (output.status(), output.content()) {
        (ToolResultStatus::Success, [ToolResultContent::Text(text)]) => serde_json::from_str(text).unwrap_or_default(),
        (ToolResultStatus::Success, [ToolResultContent::Json(json)]) => json.clone(),
        _ => Value::Null,
    }
}

/// Returns the error for the model. Addresses and causes are for the log.
fn explained(error: &McpError, is_read_only: bool) -> ToolError {
    tracing::warn!(error = format!("{error:?}"), "the travel desk failed");
    match error {
        McpError::Unauthorized { .. } => ToolError::new("the travel desk refuses this user: ask an administrator"),
        error if error.is_outcome_unknown() => unanswered(is_read_only),
        McpError::Rejected { message, .. } => ToolError::new(format!("the travel desk rejected the call: {message}")),
        _ => ToolError::retryable("the travel desk can't be reached now; nothing was changed; try again later"),
    }
}

/// Returns the error of a call that may have been executed.
fn unanswered(is_read_only: bool) -> ToolError {
    ToolError::new(match is_read_only {
        true => "the travel desk did not respond; nothing was changed; try again later",
        false => {
            "the travel desk did not respond; it may have done what was asked: look with my_bookings before you repeat it"
        }
    })
}

impl fmt::Debug for RemoteDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteDesk").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;

    #[tokio::test]
    async fn keeps_a_bounded_number_of_clients_each_of_one_identity() {
        let desk = RemoteDesk::new("http://127.0.0.1:9/mcp", DeskSecret::Value("x".repeat(32).into())).unwrap();
        let traveler = |name: &str| access::trusted(name, Role::Traveler);
        let profile = |user: &Identity| desk.client(user).unwrap().profile;
        let (alice, bob) = (profile(&traveler("alice")), profile(&traveler("bob")));
        assert!(Arc::ptr_eq(&alice, &profile(&traveler("alice").with_claim("exp", 4711))), "another login");
        for other in [access::trusted("alice", Role::Manager), traveler("alice").with_issuer("https://id.example")] {
            assert!(!Arc::ptr_eq(&alice, &profile(&other)), "{other:?}");
        }
        for number in 0..MAX_USERS {
            profile(&traveler(&number.to_string()));
            profile(&traveler("alice"));
        }
        assert_eq!(desk.users.lock().unwrap().len(), MAX_USERS);
        assert!(Arc::ptr_eq(&alice, &profile(&traveler("alice"))), "the most recent ones stay");
        assert!(!Arc::ptr_eq(&bob, &profile(&traveler("bob"))), "the least recent one is dropped");
    }
}
