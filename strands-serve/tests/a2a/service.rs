//! Contexts as sessions.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use serde_json::json;
use strands_a2a::{A2aContext, A2aLimits, A2aServerBuilder};
use strands_core::guardrails::{Check, Guardrail, GuardrailHook, Verdict};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder, Interrupt, tool, tools};
use strands_identity::Identity;
use strands_serve::{AgentService, BusySession, ServiceLimits, SessionChoice};
use tokio::time::Instant;

use crate::rig::{Stores, counting, state, text};

#[tokio::test]
async fn a_context_is_a_session_of_the_identity_in_any_process() {
    let stores = Stores::new();
    let (client, _) = stores.process(counting());
    let first = client.user("alice").send(json!({"contextId": "c1"}), "one").await;
    assert_eq!((state(&first), text(&first)), ("TASK_STATE_COMPLETED", "1 messages"));
    let (client, service) = stores.process(counting());
    let second = client.user("alice").send(json!({"contextId": "c1"}), "two").await;
    assert_eq!(text(&second), "3 messages");
    // Another host of the service sees the conversation.
    let agent = service.open(&Identity::new("alice"), SessionChoice::Named("c1".to_owned())).await.unwrap();
    assert_eq!(agent.messages().len(), 4);

    let bob = client.user("bob");
    assert_eq!(text(&bob.send(json!({"contextId": "c1"}), "one").await), "1 messages");
    assert_eq!(bob.call("GetTask", json!({"id": first["id"]})).await["error"]["code"], -32001);
    // Tasks are in the store.
    assert_eq!(client.user("alice").call("GetTask", json!({"id": first["id"]})).await["result"], first);
    assert_eq!(client.user("alice").call("ListTasks", json!({})).await["result"]["totalSize"], 2);
    assert_eq!(client.get("/tasks").await.0, StatusCode::UNAUTHORIZED);
}

/// Books a trip.
#[tool(approval, crate = strands_core)]
fn book(city: String, user: &Identity, context: &A2aContext, booked: &Arc<AtomicUsize>) -> String {
    booked.fetch_add(1, Ordering::Relaxed);
    format!("booked {city} for {} in {}", user.subject, context.context_id())
}

fn booking(booked: &Arc<AtomicUsize>) -> AgentBuilder {
    let model = ScriptedModel::from_fn(|request| {
        let last = request.messages.last().unwrap();
        if last.is_prompt() {
            return ScriptedTurn::tool_use("book", json!({"city": "Oslo"}));
        }
        ScriptedTurn::text(serde_json::to_string(last).unwrap())
    });
    let builder = Agent::builder().model(model).tools(tools![Book]).inject(Arc::clone(booked));
    builder.injected_per_prompt::<A2aContext>()
}

#[tokio::test]
async fn an_approval_resumes_in_another_process_and_runs_the_tool_once() {
    let (stores, booked) = (Stores::new(), Arc::new(AtomicUsize::new(0)));
    let alice = stores.process(booking(&booked)).0.user("alice");
    let task = alice.send(json!({"contextId": "c1"}), "book").await;
    assert_eq!(state(&task), "TASK_STATE_INPUT_REQUIRED");
    assert_eq!(booked.load(Ordering::Relaxed), 0);

    let (client, _) = stores.process(booking(&booked));
    // Others can't approve it.
    let fields = json!({"taskId": task["id"], "contextId": "c1"});
    assert!(client.user("bob").send(fields.clone(), "yes").await.is_null());
    let alice = client.user("alice");
    let wrong = json!([{"data": {"interruptResponse": {"interruptId": "v1:other", "response": true}}}]);
    let message = json!({"messageId": "m", "role": "ROLE_USER", "parts": wrong, "taskId": task["id"]});
    let still = alice.call("SendMessage", json!({"message": message})).await["result"]["task"].take();
    assert_eq!(state(&still), "TASK_STATE_INPUT_REQUIRED");
    assert_eq!(still["status"]["message"]["parts"][0]["text"], "no pending interrupt `v1:other`");
    let resumed = alice.send(fields.clone(), "yes").await;
    assert_eq!(state(&resumed), "TASK_STATE_COMPLETED", "{resumed}");
    assert!(text(&resumed).contains("booked Oslo for alice in c1"), "{resumed}");
    assert!(alice.send(fields, "yes").await.is_null());
    assert_eq!(booked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_canceled_task_does_not_block_its_context() {
    let (stores, booked) = (Stores::new(), Arc::new(AtomicUsize::new(0)));
    let alice = stores.process(booking(&booked)).0.user("alice");
    let task = alice.send(json!({"contextId": "c1"}), "book").await;
    let canceled = alice.call("CancelTask", json!({"id": task["id"]})).await;
    assert_eq!(state(&canceled["result"]), "TASK_STATE_CANCELED");
    let next = alice.send(json!({"contextId": "c1"}), "book again").await;
    assert_eq!(state(&next), "TASK_STATE_INPUT_REQUIRED", "{next}");
    let resumed = alice.send(json!({"taskId": next["id"]}), "yes").await;
    assert_eq!((state(&resumed), booked.load(Ordering::Relaxed)), ("TASK_STATE_COMPLETED", 1));
}

#[tokio::test]
async fn a_cancellation_reaches_the_turn() {
    let stalling = ScriptedModel::from_fn(|_| ScriptedTurn::text("never").stalling_after(1));
    let (client, service) = Stores::new().process(Agent::builder().model(stalling));
    let alice = client.user("alice");
    let message = json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}]});
    let params = json!({"message": message, "configuration": {"returnImmediately": true}});
    let task = alice.call("SendMessage", params).await["result"]["task"].take();
    while service.running_turns() == 0 {
        tokio::task::yield_now().await;
    }
    let canceled = alice.call("CancelTask", json!({"id": task["id"]})).await;
    assert_eq!(state(&canceled["result"]), "TASK_STATE_CANCELED");
    while service.running_turns() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_reaches_a_task_that_waits_for_its_session() {
    let stalling = ScriptedModel::from_fn(|_| ScriptedTurn::text("never").stalling_after(1));
    let queue = BusySession::Queue { waiting: 2, timeout: Duration::from_secs(60) };
    let limits = ServiceLimits::new().busy_session(queue);
    let (client, service) = Stores::new().process_within(Agent::builder().model(stalling), limits);
    let session = || SessionChoice::Named("c1".to_owned());
    let _turn = service.turn(Identity::new("alice"), session(), "x").start().await.unwrap();
    let alice = client.user("alice");
    let message = json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}], "contextId": "c1"});
    let params = json!({"message": message, "configuration": {"returnImmediately": true}});
    let task = alice.call("SendMessage", params).await["result"]["task"].take();
    let started = Instant::now();
    let canceled = alice.call("CancelTask", json!({"id": task["id"]})).await;
    assert_eq!(state(&canceled["result"]), "TASK_STATE_CANCELED", "{canceled}");
    assert!(started.elapsed() < Duration::from_millis(100), "{:?}", started.elapsed());
    // The turn of the other host goes on.
    assert_eq!(service.running_turns(), 1);
}

#[tokio::test]
async fn a_service_that_shuts_down_rejects_tasks() {
    let (client, service) = Stores::new().process(counting());
    service.refuse_new_turns();
    let task = client.user("alice").send(json!({}), "x").await;
    assert_eq!(state(&task), "TASK_STATE_REJECTED");
}

/// Rents a car.
#[tool(approval, crate = strands_core)]
fn rent(city: String, rented: &Arc<AtomicUsize>) -> String {
    rented.fetch_add(1, Ordering::Relaxed);
    format!("rented in {city}")
}

/// An agent that any host can prompt.
fn renting(rented: &Arc<AtomicUsize>) -> AgentBuilder {
    let model = ScriptedModel::from_fn(|request| {
        let last = request.messages.last().unwrap();
        if last.is_prompt() {
            return ScriptedTurn::tool_use("rent", json!({"city": "Oslo"}));
        }
        ScriptedTurn::text(serde_json::to_string(last).unwrap())
    });
    Agent::builder().model(model).tools(tools![Rent]).inject(Arc::clone(rented))
}

async fn interrupts(service: &AgentService, session: &str) -> Vec<Interrupt> {
    let choice = SessionChoice::Named(session.to_owned());
    service.open(&Identity::new("alice"), choice).await.unwrap().interrupts()
}

#[tokio::test]
async fn a_canceled_task_leaves_nothing_to_approve() {
    let (client, service) = Stores::new().process(renting(&Arc::default()));
    let alice = client.user("alice");
    let task = alice.send(json!({"contextId": "c1"}), "rent").await;
    assert_eq!(interrupts(&service, "c1").await.len(), 1);
    let canceled = alice.call("CancelTask", json!({"id": task["id"]})).await;
    assert_eq!(state(&canceled["result"]), "TASK_STATE_CANCELED");
    assert_eq!(interrupts(&service, "c1").await, []);
}

#[tokio::test]
async fn a_task_that_is_deleted_as_one_too_many_leaves_nothing_to_approve() {
    let limit = |server: A2aServerBuilder| server.limits(A2aLimits::new().tasks_per_caller(1));
    let (client, service) = Stores::new().process_with(renting(&Arc::default()), limit);
    let alice = client.user("alice");
    let first = alice.send(json!({"contextId": "c1"}), "rent").await;
    alice.send(json!({"contextId": "c2"}), "rent").await;
    while alice.call("GetTask", json!({"id": first["id"]})).await["error"].is_null() {
        tokio::task::yield_now().await;
    }
    assert_eq!((interrupts(&service, "c1").await.len(), interrupts(&service, "c2").await.len()), (0, 1));
}

#[tokio::test]
async fn a_session_that_another_host_has_left_suspended_waits_in_a_task() {
    let rented = Arc::default();
    let (client, service) = Stores::new().process(renting(&rented));
    let mut turn =
        service.turn(Identity::new("alice"), SessionChoice::Named("c1".to_owned()), "rent").start().await.unwrap();
    while turn.next().await.is_some() {}
    let open = interrupts(&service, "c1").await;

    let alice = client.user("alice");
    let task = alice.send(json!({"contextId": "c1"}), "hello?").await;
    assert_eq!(state(&task), "TASK_STATE_INPUT_REQUIRED", "{task}");
    let parts = &task["status"]["message"]["parts"];
    assert!(parts[0]["text"].as_str().unwrap().contains("respond, or cancel the task"), "{task}");
    assert_eq!(parts[2]["data"]["interrupts"][0]["interruptId"], open[0].id);
    assert_eq!(interrupts(&service, "c1").await, open);
    let resumed = alice.send(json!({"taskId": task["id"]}), "yes").await;
    assert_eq!((state(&resumed), rented.load(Ordering::Relaxed)), ("TASK_STATE_COMPLETED", 1), "{resumed}");
}

#[tokio::test]
async fn a_task_goes_on_waiting_if_its_session_can_not_be_read_after_a_wrong_response() {
    let (rented, built) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
    let (agent, number) = (renting(&rented), Arc::clone(&built));
    // The first for the question, the second for the wrong response, and the third to see whether the session still waits.
    let template = move |_: &Identity| match number.fetch_add(1, Ordering::Relaxed) {
        2 => Err("no connection"),
        _ => Ok(agent.clone()),
    };
    let alice = Stores::new().process(template).0.user("alice");
    let task = alice.send(json!({"contextId": "c1"}), "rent").await;
    assert_eq!(state(&task), "TASK_STATE_INPUT_REQUIRED");
    let wrong = json!([{"data": {"interruptResponse": {"interruptId": "v1:other", "response": true}}}]);
    let message = json!({"messageId": "m", "role": "ROLE_USER", "parts": wrong, "taskId": task["id"]});
    let still = alice.call("SendMessage", json!({"message": message})).await["result"]["task"].take();
    assert_eq!((state(&still), built.load(Ordering::Relaxed)), ("TASK_STATE_INPUT_REQUIRED", 3), "{still}");
    let resumed = alice.send(json!({"taskId": task["id"]}), "yes").await;
    assert_eq!((state(&resumed), rented.load(Ordering::Relaxed)), ("TASK_STATE_COMPLETED", 1), "{resumed}");
}

/// Blocks numbers of cards.
struct NoCards;

#[async_trait]
impl Guardrail for NoCards {
    fn name(&self) -> &str {
        "no-cards"
    }

    async fn check(&self, check: &Check<'_>) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        Ok(if check.text.contains("4111") { Verdict::block("No cards, please.") } else { Verdict::Pass })
    }
}

#[tokio::test]
async fn messages_that_a_guardrail_blocks_are_not_kept_in_the_task() {
    let agent = renting(&Arc::default()).hook(GuardrailHook::new(NoCards));
    let alice = Stores::new().process(agent).0.user("alice");
    let blocked = alice.send(json!({"contextId": "c1"}), "my card is 4111").await;
    assert_eq!((state(&blocked), text(&blocked)), ("TASK_STATE_COMPLETED", "No cards, please."));
    assert_eq!(blocked["history"][0]["parts"], json!([{"text": "[redacted by a guardrail]"}]));
    let asking = alice.send(json!({"contextId": "c2"}), "rent").await;
    let refused = alice.send(json!({"taskId": asking["id"]}), "4111").await;
    assert_eq!(state(&refused), "TASK_STATE_INPUT_REQUIRED");
    let last = refused["history"].as_array().unwrap().iter().rfind(|message| message["role"] == "ROLE_USER").unwrap();
    assert_eq!(last["parts"], json!([{"text": "[refused by a hook]"}]));
}
