//! Delivery of push notifications: in the order of a task's events, with a few attempts, in bounded time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use a2a::{StreamResponse, Task};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use strands_core::ErrorChain;
use strands_http::ClientError;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lanes::{Lane, Lanes};
use super::targets::{AllowedAddresses, PushTargets};
use crate::server::shares::Shares;
use crate::server::store::PushConfig;
use crate::v03::{Method, server_edge};

/// Header with the token of a configuration.
const TOKEN: HeaderName = HeaderName::from_static("x-a2a-notification-token");

/// Time for one attempt. The response's body is not read.
const TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPTS: u32 = 3;
/// Delay before the second attempt. It doubles.
const DELAY: Duration = Duration::from_secs(1);
/// Maximum number of deliveries that wait or are made, and of those of one caller.
const MAX_WAITING: usize = 1_024;
const MAX_WAITING_PER_CALLER: usize = 128;
/// Maximum size of their bodies, and of those of one caller, in bytes.
const MAX_BYTES: usize = 256 * 1024 * 1024;
const MAX_BYTES_PER_CALLER: usize = 64 * 1024 * 1024;

/// Delivery of push notifications.
pub(in crate::server) struct Push {
    pub(in crate::server) targets: PushTargets,
    sender: Sender,
    lanes: Arc<Lanes>,
    /// Shares in deliveries that wait or are made, and in their bodies.
    waiting: Arc<Shares>,
    bytes: Arc<Shares>,
    order: Arc<Order>,
    stop: CancellationToken,
}

impl Push {
    pub(in crate::server) fn new(targets: PushTargets) -> Result<Self, ClientError> {
        let client = targets
            .http_options()?
            .builder()?
            .no_proxy()
            .dns_resolver(Arc::new(AllowedAddresses(targets.clone())))
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self {
            sender: Sender { client, targets: targets.clone() },
            targets,
            lanes: Lanes::new(),
            waiting: Shares::new(MAX_WAITING, MAX_WAITING_PER_CALLER),
            bytes: Shares::new(MAX_BYTES, MAX_BYTES_PER_CALLER),
            order: Arc::default(),
            stop: CancellationToken::new(),
        })
    }

    /// Ends all deliveries.
    pub(in crate::server) fn stop(&self) {
        self.stop.cancel();
    }

    /// Delivers events of a task, after those that were delivered before.
    pub(in crate::server) fn deliver(
        &self,
        work: &TaskTracker,
        caller: &str,
        configs: Vec<PushConfig>,
        task: &Task,
        events: &[StreamResponse],
    ) {
        for config in configs {
            let Ok(share) = self.waiting.take(caller, 1) else {
                tracing::warn!(task_id = task.id, "a push notification was dropped: too many are waiting");
                return;
            };
            let bodies = bodies(&config, task, events);
            let Ok(bytes) = self.bytes.take(caller, bodies.iter().map(Bytes::len).sum()) else {
                tracing::warn!(task_id = task.id, "a push notification was dropped: those that wait are too large");
                return;
            };
            let lane = Lanes::of(&self.lanes, caller);
            let (sender, stop) = (self.sender.clone(), self.stop.clone());
            let turn = Order::turn(&self.order, &task.id, &config);
            work.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = sender.send_all(turn, &lane, &config, bodies) => {}
                }
                drop((share, bytes));
            });
        }
    }
}

/// Returns the bodies of the notifications of events. Artifacts are whole: a chunk says nothing to a receiver that does not see all
/// of them.
fn bodies(config: &PushConfig, task: &Task, events: &[StreamResponse]) -> Vec<Bytes> {
    let whole = |event: &StreamResponse| match event {
        StreamResponse::ArtifactUpdate(update) => {
            let artifacts = task.artifacts.as_deref().unwrap_or_default();
            let artifact = artifacts.iter().find(|artifact| artifact.artifact_id == update.artifact.artifact_id)?;
            let mut update = update.clone();
            (update.artifact, update.append) = (artifact.clone(), Some(false));
            serde_json::to_value(StreamResponse::ArtifactUpdate(update)).ok()
        }
        event => serde_json::to_value(event).ok(),
    };
    let bodies: Vec<Value> = if config.is_v03 {
        // That version sends the task.
        let task = serde_json::to_value(task).ok();
        task.and_then(|task| server_edge::result_to_v03(Method::GetTask, task).ok()).into_iter().collect()
    } else {
        events.iter().filter_map(whole).collect()
    };
    bodies.iter().map(|body| Bytes::from(body.to_string())).collect()
}

/// Sends notifications.
#[derive(Clone)]
struct Sender {
    client: reqwest::Client,
    targets: PushTargets,
}

impl Sender {
    async fn send_all(&self, mut turn: Turn, lane: &Lane, config: &PushConfig, bodies: Vec<Bytes>) {
        turn.wait().await;
        for body in bodies {
            if !self.send(lane, config, &body).await {
                // The receiver can get the task.
                return;
            }
        }
    }

    /// Sends a notification, and returns false if it was not received.
    async fn send(&self, lane: &Lane, config: &PushConfig, body: &Bytes) -> bool {
        let task_id = &config.config.task_id;
        let Ok(url) = self.targets.check(&config.config.url) else {
            tracing::warn!(task_id, "a push notification was not sent: its target is not allowed any more");
            return false;
        };
        // The path may be a secret.
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut delay = DELAY;
        for attempt in 1..=ATTEMPTS {
            let request = self.client.post(url.clone()).headers(headers(config)).body(body.clone());
            // None during a pause.
            let Some(permits) = lane.permits().await else { return false };
            let sent = request.send().await.map(|response| response.status());
            drop(permits);
            let problem = match sent {
                Ok(status) if status.is_success() => return true,
                Ok(status) if !may_retry(status) => {
                    tracing::warn!(task_id, host, status = status.as_u16(), "a push notification was rejected");
                    return false;
                }
                Ok(status) => status.to_string(),
                Err(error) => ErrorChain::new(&error.without_url()).to_string(),
            };
            tracing::warn!(task_id, host, attempt, problem, "a push notification was not received");
            if attempt < ATTEMPTS {
                tokio::time::sleep(delay).await;
                delay *= 2;
            }
        }
        false
    }
}

fn may_retry(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT
}

fn headers(PushConfig { config, .. }: &PushConfig) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let mut add = |name: HeaderName, value: &str| {
        // Checked when the configuration was accepted.
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    };
    if let Some(token) = &config.token {
        add(TOKEN, token);
    }
    if let Some(authentication) = &config.authentication
        && let Some(credentials) = &authentication.credentials
    {
        add(AUTHORIZATION, &format!("{} {credentials}", authentication.scheme));
    }
    headers
}

/// Order of the deliveries to each configuration.
#[derive(Default)]
struct Order {
    /// End of the last delivery of each task and configuration.
    last: Mutex<HashMap<TurnKey, (u64, oneshot::Receiver<()>)>>,
    count: AtomicU64,
}

/// Task and configuration.
type TurnKey = (String, Option<String>);

/// The turn of a delivery. The next one begins when it is dropped.
struct Turn {
    order: Arc<Order>,
    key: TurnKey,
    number: u64,
    before: Option<oneshot::Receiver<()>>,
    _end: oneshot::Sender<()>,
}

impl Order {
    fn turn(order: &Arc<Self>, task_id: &str, config: &PushConfig) -> Turn {
        let key = (task_id.to_owned(), config.config.id.clone());
        let number = order.count.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        let before = order.last().insert(key.clone(), (number, receiver)).map(|(_, end)| end);
        Turn { order: Arc::clone(order), key, number, before, _end: sender }
    }

    fn last(&self) -> MutexGuard<'_, HashMap<TurnKey, (u64, oneshot::Receiver<()>)>> {
        // Each change is complete before anything can panic.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits for the end of the delivery before.
    async fn wait(&mut self) {
        if let Some(before) = self.before.take() {
            // An error is the end: nothing is ever sent.
            let _ = before.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut last = self.order.last();
        if last.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            last.remove(&self.key);
        }
    }
}
