//! [`ObjectAgent`]: an agent that runs as a durable object, called by other agents, graphs and programs.

mod call;
mod charges;
mod discard;
mod error;
mod exchange;
mod ingress;
mod inner_turn;
mod place;
mod prompt;
mod repetition;

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, TryFutureExt as _, stream};
use hyper::Uri;
use reqwest::Url;
use restate_sdk::ingress::Client;
use secrecy::SecretString;
use serde_json::{Map, Value};
use strands_core::{AgentError, AgentEvent, AgentTool, BoxFuture, PromptRequest, PromptStream, Promptable};
use strands_http::{HttpOptions, is_loopback};

use call::Call;
pub use error::{ObjectAgentError, ObjectError, ObjectErrorKind};
use exchange::{Exchange, TokenSource};
use ingress::Ingress;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Interval of TCP probes, so that a server that is gone is noticed while a turn is awaited.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

type Metadata = Arc<dyn Fn(&PromptRequest) -> Map<String, Value> + Send + Sync>;

/// An agent that runs elsewhere as a [`DurableAgent`](super::DurableAgent): a virtual object of Restate, called over the server's
/// ingress. It is a tool or a node of other agents and graphs, so that their tree spreads over workers.
///
/// - **Crashes**: a request with an [idempotency key](PromptRequest::idempotency_key), such as that of a tool call in a durable
///   agent, starts one turn. If its caller crashes, the repeated request finds the same turn and waits for it again. The server keeps
///   the outcome for a day by default. A connection that breaks is made again.
/// - **Conversation**: each request has an object of its own, whose key is the idempotency key. Requests with a
///   [`key`](ObjectAgentBuilder::key), and those that [continue](PromptRequest::continue_from) a kept conversation, share an object, in
///   which turns are queued. One that is queued behind a turn which waits for responses is cancelled, and ends with
///   [`AgentError::Busy`](strands_core::AgentError::Busy).
/// - **Interrupts**: the turn waits in its object, and the response has its interrupts and a continuation. A request with the responses
///   sends them to the object. If a hook there refuses them, the request ends with [`AgentError::Suspended`](strands_core::AgentError),
///   whose source has [`ObjectErrorKind::Refused`], and the turn waits for others.
/// - **Cancellation** of a request cancels the turn, and so does dropping its stream, unless the request is
///   [durable](PromptRequest::is_durable). If the ingress can't be reached while it is awaited, the request fails, and the turn is cancelled
///   once the ingress can be reached again, for up to 10 minutes.
/// - **Limits**: the turn gets a [share](strands_core::PromptScope::reserve) of what is left of those of the caller, with the deadline, and
///   its usage counts there when it ends, fails or waits. If it is never known, since the turn was cancelled or is out of reach, the share
///   stays reserved.
/// - **Discarded interrupts**: [`discard`](Promptable::discard) cancels the turn that waits, and so does
///   [`discard_interrupts`](strands_core::Agent::discard_interrupts) of an agent that has it as a tool.
/// - **Depth**: durable turns may be nested 10 levels deep over all workers. The next one fails with
///   [`AgentError::NestedTooDeep`](strands_core::AgentError::NestedTooDeep). An object whose turn is around the request can't be called: that
///   is [`AgentError::Busy`](strands_core::AgentError::Busy).
/// - **Events** of the turn are those of the object's [`EventPublisher`](super::EventPublisher); the stream has the response alone.
///
/// Restate 1.7 or newer is required. Callers of an ingress are trusted; see [`DurableAgent`](super::DurableAgent).
///
/// # Examples
///
/// ```no_run
/// use strands::durable::restate::{DurableAgent, ObjectAgent};
/// use strands::{Agent, tools};
/// # use strands::models::OfflineModel;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // In any worker:
/// let hotels = DurableAgent::new("Hotels", Agent::builder().model(OfflineModel::new()))?;
///
/// // In the same worker, or in another one:
/// let hotels_elsewhere = ObjectAgent::builder("http://restate:8080", "Hotels").description("Books hotels.").build()?;
/// let planner = Agent::builder().model(OfflineModel::new()).tools(tools![hotels_elsewhere.as_tool()]);
/// let planner = DurableAgent::new("Planner", planner)?;
/// # drop((hotels, planner)); Ok(()) }
/// ```
#[derive(Clone)]
pub struct ObjectAgent(Arc<Settings>);

/// Settings of an agent.
struct Settings {
    ingress: Arc<Ingress>,
    name: String,
    description: String,
    key: Option<String>,
    turn_metadata: Metadata,
    response_metadata: Metadata,
}

impl Settings {
    /// Returns the name of an object for an error.
    fn object(&self, key: &str) -> String {
        format!("{}/{key}", self.ingress.service)
    }
}

impl ObjectAgent {
    /// Creates an agent with the URL of the ingress, such as `http://localhost:8080`, and the name of the service.
    ///
    /// # Errors
    ///
    /// Returns [`ObjectAgentError`] if the URL is not valid, or if the HTTP client can't be set up.
    pub fn new(ingress: impl Into<String>, service: impl Into<String>) -> Result<Self, ObjectAgentError> {
        Self::builder(ingress, service).build()
    }

    /// Creates a builder with the URL of the ingress and the name of the service.
    pub fn builder(ingress: impl Into<String>, service: impl Into<String>) -> ObjectAgentBuilder {
        let service = service.into();
        ObjectAgentBuilder {
            ingress: ingress.into(),
            name: service.clone(),
            service,
            description: String::new(),
            key: None,
            token: None,
            reconnect_timeout: Duration::from_secs(60),
            turn_metadata: Arc::new(|_| Map::new()),
            response_metadata: Arc::new(|_| Map::new()),
        }
    }

    /// Returns the agent as a tool of other agents.
    pub fn as_tool(&self) -> AgentTool {
        AgentTool::new(self.clone())
    }
}

impl Promptable for ObjectAgent {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn description(&self) -> &str {
        &self.0.description
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    /// Returns true if it has a [`key`](ObjectAgentBuilder::key): one conversation of all requests.
    fn has_session(&self) -> bool {
        self.0.key.is_some()
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        let settings = Arc::clone(&self.0);
        let started = Call::of(Arc::clone(&settings), request);
        let events = stream::once(started).flat_map(move |started| match started {
            Ok(call) => {
                let start = AgentEvent::start(random_key(), &*settings.ingress.service, &*settings.name);
                let end = call.perform().map_ok(|response| AgentEvent::Result { response: Box::new(response) });
                stream::iter([Ok(start)]).chain(end.into_stream()).left_stream()
            }
            Err(error) => stream::once(ready(Err(error))).right_stream(),
        });
        Box::pin(events)
    }

    fn discard(&self, request: PromptRequest) -> BoxFuture<'static, Result<(), AgentError>> {
        Box::pin(discard::discard(Arc::clone(&self.0), request))
    }
}

impl fmt::Debug for ObjectAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectAgent").field("name", &self.0.name).finish_non_exhaustive()
    }
}

/// Builder for [`ObjectAgent`].
#[must_use = "a builder does nothing until it is built"]
pub struct ObjectAgentBuilder {
    ingress: String,
    service: String,
    name: String,
    description: String,
    key: Option<String>,
    token: Option<TokenSource>,
    reconnect_timeout: Duration,
    turn_metadata: Metadata,
    response_metadata: Metadata,
}

impl ObjectAgentBuilder {
    /// Sets the display name, which is also the name of a tool. Default: that of the service.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the description, for a model that chooses between agents. Default: empty.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets the key of the object, the id of its session: all requests are turns of one conversation, one after the other.
    /// Default: an object for each request.
    ///
    /// Such an agent has a session: as a tool it needs [`shares_session`](AgentTool::shares_session), and graphs and swarms refuse it.
    ///
    /// ```
    /// use strands::durable::restate::ObjectAgent;
    ///
    /// let hotels = ObjectAgent::builder("http://localhost:8080", "Hotels").key("user-17").build()?;
    /// let tool = hotels.as_tool().shares_session(true);
    /// # drop(tool);
    /// # Ok::<(), strands::durable::restate::ObjectAgentError>(())
    /// ```
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the function that makes the [metadata](crate::TurnRequest::metadata) of a turn, of values that are injected into the
    /// request: the tenant, for example. Default: none.
    ///
    /// ```
    /// use strands::durable::restate::ObjectAgent;
    /// use strands::serde_json::{Map, json};
    ///
    /// struct Tenant(String);
    ///
    /// let agent = ObjectAgent::builder("http://localhost:8080", "Hotels").turn_metadata(|request| {
    ///     let tenant = request.injected::<Tenant>().map(|tenant| ("tenant".to_owned(), json!(tenant.0)));
    ///     tenant.into_iter().collect()
    /// });
    /// assert!(agent.build().is_ok());
    /// ```
    pub fn turn_metadata(
        mut self,
        metadata: impl Fn(&PromptRequest) -> Map<String, Value> + Send + Sync + 'static,
    ) -> Self {
        self.turn_metadata = Arc::new(metadata);
        self
    }

    /// Sets the function that makes the [metadata](crate::Answers::metadata) of responses to interrupts, of values that are injected
    /// into the request: the user who responds, of which [`DurableAgent::answered_by`](super::DurableAgent::answered_by) there
    /// makes an `Approver`. Default: none.
    pub fn response_metadata(
        mut self,
        metadata: impl Fn(&PromptRequest) -> Map<String, Value> + Send + Sync + 'static,
    ) -> Self {
        self.response_metadata = Arc::new(metadata);
        self
    }

    /// Sets the source of bearer tokens for the ingress. It is called for each HTTP request, so it should cache. Default: no token.
    ///
    /// ```
    /// use strands::durable::restate::{ObjectAgent, SecretString};
    ///
    /// let agent = ObjectAgent::builder("https://restate.example", "Hotels")
    ///     .token(|| async { std::env::var("RESTATE_TOKEN").map(SecretString::from) });
    /// assert!(agent.build().is_ok());
    /// ```
    pub fn token<Fut, E>(mut self, source: impl Fn() -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<SecretString, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.token = Some(TokenSource::new(source));
        self
    }

    /// Sets the time for which requests are repeated while the server can't be reached. Default: one minute.
    pub fn reconnect_timeout(mut self, timeout: Duration) -> Self {
        self.reconnect_timeout = timeout;
        self
    }

    /// Builds the agent. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Returns [`ObjectAgentError::Url`] for a URL of an ingress that is not valid, [`ObjectAgentError::PlaintextToken`] for a token and a
    /// URL without TLS, except of this machine, and [`ObjectAgentError::Client`] if the HTTP client can't be set up.
    pub fn build(self) -> Result<ObjectAgent, ObjectAgentError> {
        let url = Url::parse(&self.ingress).map_err(|_| ObjectAgentError::Url)?;
        let options = match url.scheme() {
            "http" => HttpOptions::plain_http(),
            "https" => HttpOptions::https(),
            _ => return Err(ObjectAgentError::Url),
        };
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        if has_credentials || url.query().is_some() || url.fragment().is_some() {
            return Err(ObjectAgentError::Url);
        }
        if self.token.is_some() && url.scheme() == "http" && !is_loopback(&url) {
            let host = url.host_str().unwrap_or_default().to_owned();
            return Err(ObjectAgentError::PlaintextToken { host });
        }
        let client = options.builder().map_err(|error| ObjectAgentError::Client(error.into()))?;
        let client = client.connect_timeout(CONNECT_TIMEOUT).tcp_keepalive(KEEP_ALIVE).build();
        let client = client.map_err(|error| ObjectAgentError::Client(error.into()))?;
        let uri = Uri::try_from(url.as_str()).map_err(|_| ObjectAgentError::Url)?;
        let client = Client::new(uri, Exchange { client, token: self.token }).map_err(|_| ObjectAgentError::Url)?;
        let ingress = Ingress { client, service: self.service, reconnect_timeout: self.reconnect_timeout };
        Ok(ObjectAgent(Arc::new(Settings {
            ingress: Arc::new(ingress),
            name: self.name,
            description: self.description,
            key: self.key,
            turn_metadata: self.turn_metadata,
            response_metadata: self.response_metadata,
        })))
    }
}

impl fmt::Debug for ObjectAgentBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may have credentials.
        f.debug_struct("ObjectAgentBuilder").field("service", &self.service).finish_non_exhaustive()
    }
}

/// Returns a random id.
fn random_key() -> String {
    format!("{:032x}", fastrand::u128(..))
}
