//! Builder of a server.

use std::fmt;
use std::sync::Arc;

use strands_core::{Promptable, ToolSet, Toolset};
use strands_http::IdentifyCaller;
use tokio_util::task::TaskTracker;

use super::A2aServer;
use super::card::{CardFacts, CardSigner, Security, Skill};
use super::context::A2aContext;
use super::core::{Core, MessageResponses, unique};
use super::discard::DiscardInterrupts;
use super::error::A2aServerError;
use super::followed_tasks::FollowedTasks;
use super::http::{CardDocument, Cards, Http};
use super::limits::A2aLimits;
use super::push::{Push, PushTargets};
use super::registry::Registry;
use super::shares::Shares;
use super::store::{MemoryTaskStore, Records, TaskStore};

/// Media types that models of most providers read.
const INPUT_MODES: [&str; 8] = [
    "text/*",
    "application/json",
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "image/*",
    "audio/*",
    "video/*",
];

const OUTPUT_MODES: [&str; 2] = ["text/plain", "application/json"];

/// Maximum number of lists of tasks that are read at once, and of those of one caller.
const MAX_LISTINGS: usize = 32;
const MAX_LISTINGS_PER_CALLER: usize = 4;

/// Maximum number of requests without a stream that are processed or whose response is sent. Messages have shares of their own: they
/// may wait for the end of their task.
const MAX_REQUESTS: usize = 1_024;
/// Least number of callers that can use up all of those, or of the memory for bodies.
const MIN_CALLERS: usize = 4;
/// Maximum number of requests to cancel a task: they are small, and other requests never take their place.
const MAX_CANCELS: usize = 256;
const MAX_CANCELS_PER_CALLER: usize = 32;
/// Number of messages without a stream for each running task: one waits for its end, and the response to another one is sent.
const SENDS_PER_TASK: usize = 2;

/// Memory for the bodies of requests that are read or processed, and for those of one caller, in bytes. Small ones do not count.
const BODY_MEMORY: usize = 512 * 1024 * 1024;
const BODY_MEMORY_PER_CALLER: usize = 128 * 1024 * 1024;

/// Builder of an [`A2aServer`].
#[must_use]
pub struct A2aServerBuilder {
    agent: Arc<dyn Promptable>,
    card: CardFacts,
    skills: Vec<Result<Vec<Skill>, A2aServerError>>,
    identify: Option<Arc<dyn IdentifyCaller>>,
    store: Option<Arc<dyn TaskStore>>,
    push: Option<PushTargets>,
    message_responses: Option<MessageResponses>,
    discard: Option<Arc<dyn DiscardInterrupts>>,
    limits: A2aLimits,
    may_lose_version: bool,
}

impl A2aServerBuilder {
    pub(super) fn new(agent: Arc<dyn Promptable>, url: String) -> Self {
        let card = CardFacts {
            name: agent.name().to_owned(),
            description: agent.description().to_owned(),
            version: "1.0.0".to_owned(),
            url,
            skills: Vec::new(),
            provider: None,
            documentation_url: None,
            icon_url: None,
            input_modes: INPUT_MODES.map(str::to_owned).to_vec(),
            output_modes: OUTPUT_MODES.map(str::to_owned).to_vec(),
            security: Vec::new(),
            push_notifications: false,
            signer: None,
            has_v03: true,
            has_http_json: true,
        };
        Self {
            agent,
            card,
            skills: Vec::new(),
            identify: None,
            store: None,
            push: None,
            message_responses: None,
            discard: None,
            limits: A2aLimits::default(),
            may_lose_version: false,
        }
    }

    /// Sets the name in the agent card. Default: the agent's.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.card.name = name.into();
        self
    }

    /// Sets the description in the agent card, by which people and models choose agents. Default: the agent's.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.card.description = description.into();
        self
    }

    /// Sets the version of the agent in its card. Default: `1.0.0`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.card.version = version.into();
        self
    }

    /// Sets the provider of the agent in its card: the name of the organization, and its URL. Default: none.
    pub fn provider(mut self, organization: impl Into<String>, url: impl Into<String>) -> Self {
        self.card.provider = Some((organization.into(), url.into()));
        self
    }

    /// Sets the URL of the agent's documentation in its card. Default: none.
    pub fn documentation_url(mut self, url: impl Into<String>) -> Self {
        self.card.documentation_url = Some(url.into());
        self
    }

    /// Sets the URL of an icon in the agent card. Default: none.
    pub fn icon_url(mut self, url: impl Into<String>) -> Self {
        self.card.icon_url = Some(url.into());
        self
    }

    /// Adds a skill to the agent card. Default: one skill with the agent's name and description.
    pub fn skill(mut self, skill: Skill) -> Self {
        self.skills.push(Ok(vec![skill]));
        self
    }

    /// Adds a skill to the agent card for each of these tools, as Strands does. Their names and descriptions are public.
    pub fn tool_skills(mut self, tools: impl Toolset) -> Self {
        let skills = ToolSet::new(tools.into_tools())
            .map(|tools| tools.iter().map(|tool| Skill::of_tool(tool.spec())).collect())
            .map_err(A2aServerError::from);
        self.skills.push(skills);
        self
    }

    /// Sets the media types of parts that the agent reads, such as `image/png` or `image/*`. Messages with others are rejected.
    /// Default: text, JSON, images, PDF and newer office documents, audio and video.
    pub fn input_modes(mut self, modes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.card.input_modes = unique(modes.into_iter().map(|mode| mode.into().to_ascii_lowercase()));
        self
    }

    /// Sets the media types of the agent's responses in its card. Default: `text/plain` and `application/json`.
    pub fn output_modes(mut self, modes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.card.output_modes = unique(modes.into_iter().map(Into::into));
        self
    }

    /// Says in the agent card that requests need a bearer token. [`identify_caller`](Self::identify_caller) checks it.
    pub fn bearer_tokens(mut self) -> Self {
        self.card.security.push(Security::Bearer);
        self
    }

    /// Says in the agent card that requests need a token of an OpenID provider with this discovery document.
    /// [`identify_caller`](Self::identify_caller) checks it.
    pub fn open_id_connect(mut self, discovery_url: impl Into<String>) -> Self {
        self.card.security.push(Security::OpenIdConnect(discovery_url.into()));
        self
    }

    /// Signs the agent card. Default: it has no signature.
    pub fn sign_card(mut self, signer: CardSigner) -> Self {
        self.card.signer = Some(signer);
        self
    }

    /// Identifies the caller of each request but those for the agent card. Default: all requests have the same anonymous caller, who
    /// sees all tasks.
    pub fn identify_caller(mut self, identify: impl IdentifyCaller + 'static) -> Self {
        self.identify = Some(Arc::new(identify));
        self
    }

    /// Sets the store of tasks and contexts. Default: a [`MemoryTaskStore`].
    pub fn task_store(mut self, store: impl TaskStore + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Offers push notifications to these targets. Default: not offered.
    pub fn push_notifications(mut self, targets: PushTargets) -> Self {
        self.push = Some(targets);
        self
    }

    /// Responds with a message, and not with a task, where `choose` returns true and the agent completes its response. There is no
    /// task to get, and a stream has one event at its end: for short responses of agents without interrupts. Default: each response is
    /// a task.
    pub fn message_responses(mut self, choose: impl Fn(&A2aContext) -> bool + Send + Sync + 'static) -> Self {
        self.message_responses = Some(Arc::new(choose));
        self
    }

    /// Discards the interrupts of an agent that keeps them itself, when their task ends without a response. Default: for agents whose
    /// state is in the task, [`Promptable::discard`](strands_core::Promptable::discard) is called with it.
    pub fn discard_interrupts(mut self, discard: impl DiscardInterrupts + 'static) -> Self {
        self.discard = Some(Arc::new(discard));
        self
    }

    /// Serves JSON-RPC alone, for platforms that pass on `POST /` only. Default: HTTP+JSON, too.
    pub fn without_http_json(mut self) -> Self {
        self.card.has_http_json = false;
        self
    }

    /// Treats a JSON-RPC request without a version as one of protocol 1.0 if its method has a name of 1.0, such as `SendMessage`: for
    /// platforms that remove the header `A2A-Version`. Default: such a request is of 0.3, as the specification demands, and its method
    /// is unknown.
    pub fn version_of_method(mut self) -> Self {
        self.may_lose_version = true;
        self
    }

    /// Serves protocol 1.0 alone: the agent card has no fields of 0.3, and requests of that version are rejected. Default: both.
    pub fn without_v03(mut self) -> Self {
        self.card.has_v03 = false;
        self
    }

    /// Sets the limits. Default: 8 MiB for a request, a response and a conversation; 256 running tasks, 16 per caller; 1,000 tasks
    /// and 1,000 contexts per caller, for 7 days; 1,024 streams, 128 per caller; the others are at the methods of [`A2aLimits`].
    pub fn limits(mut self, limits: A2aLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Builds the server.
    ///
    /// # Errors
    ///
    /// Returns [`A2aServerError`] if the agent has a session manager, the agent card has no name or description, the URL is invalid, the tools of
    /// [`tool_skills`](Self::tool_skills) conflict, the card can't be signed, or the HTTP client for push notifications can't be set
    /// up.
    pub fn build(self) -> Result<A2aServer, A2aServerError> {
        let Self {
            agent,
            mut card,
            skills,
            identify,
            store,
            push,
            message_responses,
            discard,
            limits,
            may_lose_version,
        } = self;
        if agent.has_session() {
            return Err(A2aServerError::SharedSession);
        }
        for skills in skills {
            card.skills.extend(skills?);
        }
        if card.skills.is_empty() {
            card.skills.push(Skill::new("chat", card.name.as_str(), card.description.as_str()).tag("chat"));
        }
        let input_modes = card.input_modes.clone();
        card.push_notifications = push.is_some();
        let (serves_v03, serves_http_json) = (card.has_v03, card.has_http_json);
        let card = card.json()?;
        let cards = Cards { both: CardDocument::new(&card.both), v1: CardDocument::new(&card.v1) };
        let push = push.map(Push::new).transpose();
        let push = push.map_err(|error| A2aServerError::HttpClient(error.into()))?;
        let core = Core {
            agent,
            streams: Shares::new(limits.streams, limits.streams_per_caller),
            // One body of the maximum size always fits.
            bodies: Shares::new(
                BODY_MEMORY.max(limits.body_bytes.saturating_mul(MIN_CALLERS)),
                BODY_MEMORY_PER_CALLER.max(limits.body_bytes),
            ),
            sends: Shares::new(
                limits.running_tasks.saturating_mul(SENDS_PER_TASK),
                limits.running_tasks_per_caller.saturating_mul(SENDS_PER_TASK),
            ),
            requests: Shares::new(
                MAX_REQUESTS.max(limits.requests_per_caller.saturating_mul(MIN_CALLERS)),
                limits.requests_per_caller,
            ),
            cancels: Shares::new(MAX_CANCELS, MAX_CANCELS_PER_CALLER),
            listings: Shares::new(MAX_LISTINGS, MAX_LISTINGS_PER_CALLER),
            limits,
            records: Records::new(store.unwrap_or_else(|| Arc::new(MemoryTaskStore::new()))),
            registry: Arc::new(Registry::default()),
            followed: Arc::new(FollowedTasks::default()),
            push,
            input_modes,
            message_responses,
            discard,
            work: TaskTracker::new(),
        };
        let core = Arc::new(core);
        let http = Http { core, identify, cards, serves_v03, serves_http_json, may_lose_version };
        Ok(A2aServer { http: Arc::new(http) })
    }
}

impl fmt::Debug for A2aServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("A2aServerBuilder")
            .field("name", &self.card.name)
            .field("url", &self.card.url)
            .finish_non_exhaustive()
    }
}
