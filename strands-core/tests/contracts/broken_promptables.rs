//! Promptables that violate their contract.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use strands_core::testing::contract::{Promise, check_promptable};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::tool::ConfiguredTool;
use strands_core::{
    Agent, AgentBuilder, AgentError, AgentEvent, AgentResponse, CancellationToken, IntoTool, PromptRequest,
    PromptStream, Promptable, SharedAgent, tool,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Takes a while.
#[tool(crate = strands_core)]
async fn wait() -> &'static str {
    tokio::time::sleep(Duration::from_secs(10)).await;
    "waited"
}

/// An agent that calls a tool, which takes ten seconds.
fn slow() -> AgentBuilder {
    calling(Wait)
}

fn calling(wait: impl IntoTool) -> AgentBuilder {
    let model = ScriptedModel::from_fn(|request| match request.messages.last() {
        Some(message) if message.tool_results().next().is_some() => ScriptedTurn::text("Here you are."),
        _ => ScriptedTurn::tool_use("wait", serde_json::json!({})),
    });
    Agent::builder().model(model).tool(wait)
}

fn request() -> PromptRequest {
    PromptRequest::new("How is the weather?")
}

/// An agent whose streams are wrapped by a function.
struct Changed<F>(AgentBuilder, F);

impl<F: Fn(&AgentBuilder, PromptRequest) -> PromptStream + Send + Sync> Promptable for Changed<F> {
    fn name(&self) -> &str {
        "changed"
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        (self.1)(&self.0, request)
    }
}

fn is_end(event: &Result<AgentEvent, AgentError>) -> bool {
    matches!(event, Ok(AgentEvent::Result { .. }))
}

fn failing(error: AgentError) -> PromptStream {
    stream::once(ready(Err(error))).boxed()
}

/// A stream that holds a permit until it is dropped.
fn holding(permit: OwnedSemaphorePermit, events: PromptStream) -> PromptStream {
    events.inspect(move |_| assert!(permit.num_permits() > 0)).boxed()
}

async fn broken(change: impl Fn(&AgentBuilder, PromptRequest) -> PromptStream + Send + Sync) -> Promise {
    check_promptable(&Changed(slow(), change), request).await.unwrap_err().promise
}

#[tokio::test(start_paused = true)]
async fn accepts_agents() {
    check_promptable(&slow(), request).await.unwrap();
    check_promptable(&Agent::builder().model(ScriptedModel::responding("Sunny, all day.")), request).await.unwrap();
    check_promptable(&SharedAgent::new(slow().build().await.unwrap()), request).await.unwrap();
}

/// An agent that asks before it calls its tool.
fn asking() -> AgentBuilder {
    calling(ConfiguredTool::new(Wait).policy(|policy| policy.with_approval(true)))
}

#[tokio::test(start_paused = true)]
async fn accepts_agents_that_are_interrupted() {
    check_promptable(&asking(), request).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn detects_interrupts_that_are_lost() {
    let broken = async |change: fn(&mut AgentResponse)| {
        let changed = move |agent: &AgentBuilder, request| {
            let changed = move |mut event: Result<AgentEvent, AgentError>| {
                if let Ok(AgentEvent::Result { response }) = &mut event {
                    change(response);
                }
                event
            };
            agent.stream(request).map(changed).boxed()
        };
        check_promptable(&Changed(asking(), changed), request).await.unwrap_err().promise
    };
    assert_eq!(broken(|response| response.interrupts.clear()).await, Promise::PromptableContinues);
    assert_eq!(broken(|response| response.continuation = None).await, Promise::PromptableContinues);
    let deep = |response: &mut AgentResponse| {
        let deep = (0..101).fold(serde_json::json!(null), |value, _| serde_json::json!([value]));
        response.continuation = Some(deep.into());
    };
    assert_eq!(broken(deep).await, Promise::PromptableContinues);
}

#[tokio::test(start_paused = true)]
async fn detects_conversations_that_can_not_be_continued() {
    let forgets = |agent: &AgentBuilder, mut request: PromptRequest| match request.continuation.take() {
        Some(_) => failing(AgentError::EmptyConversation),
        None => agent.stream(request),
    };
    assert_eq!(broken(forgets).await, Promise::PromptableContinues);
}

/// A promptable with a different name each time.
struct Renamed(AtomicUsize);

impl Promptable for Renamed {
    fn name(&self) -> &str {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 { "one" } else { "another" }
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        slow().stream(request)
    }
}

#[tokio::test(start_paused = true)]
async fn detects_changing_names() {
    let violation = check_promptable(&Renamed(AtomicUsize::new(0)), request).await.unwrap_err();
    assert_eq!(violation.promise, Promise::PromptableStable);
}

#[tokio::test(start_paused = true)]
async fn distinguishes_failing_from_responding_promptables() {
    let violation = check_promptable(&Agent::builder(), request).await.unwrap_err();
    assert_eq!(violation.promise, Promise::PromptableResponds);
    assert!(format!("{violation:?}").contains("model"), "{violation:?}");
}

/// Agents of one template may share a session: all but one of concurrent prompts may end with a conflict.
#[tokio::test(start_paused = true)]
async fn accepts_a_template_with_one_session() {
    let sessions = InMemorySessionManager::new("shared");
    check_promptable(&slow().session_manager(sessions), request).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn detects_streams_without_a_start() {
    let is_start = |event: &Result<AgentEvent, AgentError>| matches!(event, Ok(AgentEvent::Start { .. }));
    let no_start =
        move |agent: &AgentBuilder, request| agent.stream(request).filter(move |event| ready(!is_start(event))).boxed();
    assert_eq!(broken(no_start).await, Promise::PromptableStarts);
    let late_start = |agent: &AgentBuilder, request| {
        let first = stream::once(ready(Ok(AgentEvent::TextDelta { text: "Well,".to_owned() })));
        first.chain(agent.stream(request)).boxed()
    };
    assert_eq!(broken(late_start).await, Promise::PromptableStarts);
    assert_eq!(broken(|_, _| stream::empty().boxed()).await, Promise::PromptableStreamEnds);
}

#[tokio::test(start_paused = true)]
async fn detects_streams_without_an_end_or_with_two() {
    let promise = Promise::PromptableStreamEnds;
    let just_ends = |agent: &AgentBuilder, request| agent.stream(request).filter(|event| ready(!is_end(event))).boxed();
    assert_eq!(broken(just_ends).await, promise);
    let goes_on =
        |agent: &AgentBuilder, request| agent.stream(request).chain(failing(AgentError::EmptyConversation)).boxed();
    assert_eq!(broken(goes_on).await, promise);
    let stays_open = |agent: &AgentBuilder, request| agent.stream(request).chain(stream::pending()).boxed();
    assert_eq!(broken(stays_open).await, promise);
    // The state of an `unfold` that has ended is dropped.
    let panics = |agent: &AgentBuilder, request| {
        stream::unfold(agent.stream(request), async |mut events| Some((events.next().await?, events))).boxed()
    };
    assert_eq!(broken(panics).await, promise);
}

#[tokio::test(start_paused = true)]
async fn detects_work_before_the_first_poll() {
    // A task that starts at once.
    let eager = |agent: &AgentBuilder, request| {
        let mut events = agent.stream(request);
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move { while sender.send(events.next().await).await.is_ok() {} });
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await??, receiver))).fuse().boxed()
    };
    assert_eq!(broken(eager).await, Promise::PromptableLazy);
    // One prompt at a time, from the creation of its stream.
    let one = Arc::new(Semaphore::new(1));
    let occupied = move |agent: &AgentBuilder, request| match Arc::clone(&one).try_acquire_owned() {
        Ok(permit) => holding(permit, agent.stream(request)),
        Err(_) => failing(AgentError::Busy { name: "one".to_owned() }),
    };
    assert_eq!(broken(occupied).await, Promise::PromptableLazy);
    // The newest stream cancels the older ones.
    let made = Arc::new(AtomicUsize::new(0));
    let newest = move |agent: &AgentBuilder, request| {
        let (number, made) = (made.fetch_add(1, Ordering::Relaxed) + 1, Arc::clone(&made));
        let events = agent.stream(request);
        let begun = async move {
            if number == made.load(Ordering::Relaxed) { events } else { failing(AgentError::EmptyConversation) }
        };
        begun.into_stream().flatten().boxed()
    };
    assert_eq!(broken(newest).await, Promise::PromptableLazy);
}

#[tokio::test(start_paused = true)]
async fn detects_work_that_outlives_its_stream() {
    let detached = |agent: &AgentBuilder, request| {
        let agent = agent.clone();
        let spawned = async move {
            let mut events = agent.stream(request);
            let (sender, receiver) = mpsc::unbounded_channel();
            tokio::spawn(async move {
                while let Some(event) = events.next().await {
                    // The task ignores a closed channel.
                    let _ = sender.send(event);
                }
            });
            stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver))).fuse()
        };
        spawned.into_stream().flatten().boxed()
    };
    let violation = check_promptable(&Changed(slow(), detached), request).await.unwrap_err();
    assert_eq!(violation.promise, Promise::PromptableDropped);
    assert!(violation.observed.contains("in use 1s later"), "{violation}");
}

#[tokio::test(start_paused = true)]
async fn detects_ignored_cancellations() {
    let deaf = |agent: &AgentBuilder, mut request: PromptRequest| {
        request.cancellation = CancellationToken::new();
        agent.stream(request)
    };
    assert_eq!(broken(deaf).await, Promise::PromptableCancelled);
    let fast = Changed(Agent::builder().model(ScriptedModel::responding("Sunny.")), deaf);
    let violation = check_promptable(&fast, request).await.unwrap_err();
    assert_eq!(violation.promise, Promise::PromptableCancelled);
    assert!(violation.observed.contains("EndTurn"), "{violation}");
    let late = |agent: &AgentBuilder, request| {
        let delayed = async |event| {
            if is_end(&event) {
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            event
        };
        agent.stream(request).then(delayed).boxed()
    };
    assert_eq!(broken(late).await, Promise::PromptableCancelled);
}

#[tokio::test(start_paused = true)]
async fn detects_prompts_that_affect_each_other() {
    let one = Arc::new(Semaphore::new(1));
    let disturbed = move |agent: &AgentBuilder, request| {
        let (events, one) = (agent.stream(request), Arc::clone(&one));
        let begun = async move {
            match one.try_acquire_owned() {
                Ok(permit) => holding(permit, events),
                Err(_) => failing(AgentError::EmptyConversation),
            }
        };
        begun.into_stream().flatten().boxed()
    };
    assert_eq!(broken(disturbed).await, Promise::PromptableConcurrent);
}
