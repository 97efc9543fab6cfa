//! Approvals over several invocations of the function.

use std::sync::{Arc, Mutex};

use strands::durable::lambda::sdk::test_util::LocalRunner;
use strands::durable::lambda::{ApprovalRequest, DurableAgent, ExecutionRequest};
use strands::serde_json::{Value, json};
use strands::{Agent, AgentBuilder, InterruptResponse};

use crate::support::{World, calls, done, execute, names, succeeded};

/// The requests that were sent.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<ApprovalRequest>>>);

impl Sent {
    fn requests(&self) -> Vec<ApprovalRequest> {
        self.0.lock().unwrap().clone()
    }

    /// A function with this approver.
    fn agent(&self, template: AgentBuilder) -> DurableAgent {
        let sent = self.clone();
        DurableAgent::new(template).approver(move |request| {
            sent.0.lock().unwrap().push(request);
            async { Ok::<_, std::io::Error>(()) }
        })
    }
}

/// Three model calls: two tools that need approval and one that does not, one that needs it again, and a text.
fn template(world: &World) -> AgentBuilder {
    // The first responses have the same ids in each test, so that the responses are known before.
    let model = world.model(|request, number| match request.messages.len() {
        1 => calls(1, ["pay", "look", "pay"]),
        3 => calls(9, ["pay"]),
        _ => done(number),
    });
    Agent::builder().model(model).tools([world.tool("pay").approval(), world.tool("look")])
}

/// Returns the ids of the interrupts, as an execution without an approver ends with them.
async fn interrupts(request: impl Into<crate::support::Event>) -> Vec<String> {
    let agent = DurableAgent::new(template(&World::default()));
    let result = execute(LocalRunner::new(), agent, request).await;
    let output = succeeded(&result);
    assert_eq!((output.response.stop_reason.as_str(), result.invocation_count()), ("interrupt", 1));
    output.response.interrupts.iter().map(|interrupt| interrupt.id.clone()).collect()
}

fn responses(ids: &[String], approved: bool) -> Vec<InterruptResponse> {
    ids.iter().map(|id| InterruptResponse::new(id, approved)).collect()
}

#[tokio::test]
async fn waits_for_approvals_over_several_invocations() {
    let first = interrupts("go").await;
    assert_eq!(first.len(), 2);
    let (world, sent) = (World::default(), Sent::default());
    let runner = LocalRunner::new().callback_success(&responses(&first, true)).callback_timeout();
    let result = execute(runner, sent.agent(template(&world)), "go").await;
    let output = succeeded(&result);

    let requests = sent.requests();
    assert_eq!(requests.len(), 2);
    let reasons: Vec<&Value> = requests[0].interrupts.iter().map(|interrupt| &interrupt.reason["tool"]).collect();
    assert_eq!(reasons, ["pay", "pay"]);
    assert_ne!(requests[0].callback_id, requests[1].callback_id);
    assert!(!format!("{requests:?}").contains(&requests[0].callback_id));
    assert_eq!((world.count("model"), world.count("tool look"), world.count("tool pay")), (2, 1, 2));
    assert_eq!(result.invocation_count(), 3);
    // After a wait of unknown length, the time is recorded.
    let expected = ["approval/1", "approval/1/request", "approval/1/time", "tools/1/4", "tools/1/5", "model/2/1"];
    let names = names(&result);
    assert_eq!(names[5..11], expected, "{names:?}");
    assert_eq!(output.response.usage.input_tokens, 20, "the usage of both model calls");

    // A prompt is refused as long as responses are missing.
    let mut request = ExecutionRequest::new("something else");
    request.snapshot = Some(output.snapshot.clone());
    let refused = execute(LocalRunner::new(), sent.agent(template(&world)), request).await;
    assert_eq!(refused.error_type(), Some("strands.invalid_request"));

    // No response within the time: another execution resumes the snapshot.
    assert_eq!(output.response.stop_reason, "interrupt");
    let second: Vec<String> = output.response.interrupts.iter().map(|interrupt| interrupt.id.clone()).collect();
    let request = ExecutionRequest::resuming(output.snapshot.clone(), responses(&second, false));
    let result = execute(LocalRunner::new(), sent.agent(template(&world)), request).await;
    let output = succeeded(&result);
    assert!(output.response.text.starts_with("done#"), "{}", output.response.text);
    assert_eq!((world.count("model"), world.count("tool pay")), (3, 2), "a denied call does not run its tool");
}

#[tokio::test]
async fn refused_responses_are_requested_again() {
    let first = interrupts("go").await;
    let (world, sent) = (World::default(), Sent::default());
    let runner = LocalRunner::new()
        .callback_success(&"yes")
        .callback_success(&json!([{"interruptId": "unknown", "response": true}]))
        .callback_success(&json!([]))
        .callback_success(&responses(&first[..1], true))
        .callback_success(&responses(&first[1..], false))
        .callback_timeout();
    let result = execute(runner, sent.agent(template(&world)), "go").await;
    assert_eq!(succeeded(&result).response.stop_reason, "interrupt");

    let requests = sent.requests();
    let refused: Vec<Option<&str>> = requests.iter().map(|request| request.refused.as_deref()).collect();
    assert!(refused[0].is_none());
    assert!(refused[1].unwrap().contains("interruptId"), "{refused:?}");
    assert!(refused[2].unwrap().contains("`unknown`"), "{refused:?}");
    assert!(refused[3].unwrap().contains("waits for responses"), "{refused:?}");
    // One of the two has its response.
    assert_eq!((refused[4], requests[4].interrupts.len()), (None, 1));
    assert_eq!((refused[5], requests.len()), (None, 6));
    assert_eq!((world.count("model"), world.count("tool look"), world.count("tool pay")), (2, 1, 1));
    assert_eq!(result.invocation_count(), 7);
}

#[tokio::test]
async fn an_approved_tool_runs_once_after_a_crash_at_any_checkpoint() {
    let first = interrupts("go").await;
    for crash in 0.. {
        let (world, sent) = (World::default(), Sent::default());
        let runner = LocalRunner::new()
            .callback_success(&responses(&first, true))
            .callback_timeout()
            .fail_checkpoints_after_retryable(crash, 1);
        let result = execute(runner, sent.agent(template(&world)), "go").await;
        let output = succeeded(&result);
        assert_eq!(output.response.stop_reason, "interrupt", "crash at {crash}");
        // A request that was sent may be sent again, for the same callback.
        let mut ids: Vec<String> = sent.requests().into_iter().map(|request| request.callback_id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 2, "crash at {crash}");
        assert!(world.count("model") <= 3 && world.count("tool") <= 5, "crash at {crash}");
        if result.invocation_count() == 3 {
            assert!(crash > 20, "{crash}");
            return;
        }
    }
}

#[tokio::test]
async fn an_approver_that_fails_is_called_again() {
    let first = interrupts("go").await;
    let (world, calls) = (World::default(), World::default());
    let counted = calls.clone();
    let agent = DurableAgent::new(template(&world)).approver(move |_| {
        let number = counted.begin("approver");
        async move { if number < 4 { Err("the queue is not available") } else { Ok(()) } }
    });
    let runner = LocalRunner::new().callback_success(&responses(&first, true)).callback_timeout();
    let result = execute(runner, agent, "go").await;
    assert_eq!(succeeded(&result).response.stop_reason, "interrupt");
    assert_eq!(calls.count("approver"), 5);

    let agent = DurableAgent::new(template(&world)).approver(async |_| Err::<(), _>("no"));
    let result = execute(LocalRunner::new(), agent, "go").await;
    assert_eq!(result.error_type(), Some("strands.agent"));
    assert!(names(&result).contains(&"approval/1/request"));
}
