//! Approvals over several invocations of the function.

use std::sync::{Arc, Mutex};

use strands::durable::Answers;
use strands::durable::lambda::sdk::test_util::LocalRunner;
use strands::durable::lambda::{ApprovalRequest, DurableAgent, ExecutionRequest};
use strands::hook::{BeforeInvocation, Hook, HookResult};
use strands::serde_json::{Value, json};
use strands::{Agent, AgentBuilder, InterruptResponse, async_trait};

use crate::support::{World, calls, done, execute, failure_of, names, response_of, succeeded};

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
    assert_eq!((response_of(output).stop_reason.as_str(), result.invocation_count()), ("interrupt", 1));
    response_of(output).interrupts.iter().map(|interrupt| interrupt.id.clone()).collect()
}

fn responses(ids: &[String], approved: bool) -> Answers {
    Answers::new(ids.iter().map(|id| InterruptResponse::new(id, approved)))
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
    let expected = ["approval/1", "approval/1/request", "approval/1/time"];
    let names = names(&result);
    assert_eq!(names[5..8], expected, "{names:?}");
    assert_eq!(response_of(output).usage.input_tokens, 20, "the usage of both model calls");

    // A prompt is refused as long as responses are missing.
    let mut request = ExecutionRequest::new("something else");
    request.snapshot = Some(output.snapshot.clone());
    let refused = execute(LocalRunner::new(), sent.agent(template(&world)), request).await;
    assert_eq!(failure_of(&refused).0, "turn.invalid_request");

    // No response within the time: another execution resumes the snapshot.
    assert_eq!(response_of(output).stop_reason, "interrupt");
    let second: Vec<String> = response_of(output).interrupts.iter().map(|interrupt| interrupt.id.clone()).collect();
    let request = ExecutionRequest::resuming(output.snapshot.clone(), responses(&second, false));
    let result = execute(LocalRunner::new(), sent.agent(template(&world)), request).await;
    let output = succeeded(&result);
    assert!(response_of(output).text.starts_with("done#"), "{}", response_of(output).text);
    assert_eq!((world.count("model"), world.count("tool pay")), (3, 2), "a denied call does not run its tool");
}

#[tokio::test]
async fn refused_responses_are_requested_again() {
    let first = interrupts("go").await;
    let (world, sent) = (World::default(), Sent::default());
    let runner = LocalRunner::new()
        .callback_success(&"yes")
        .callback_success(&json!({"responses": [{"interruptId": "unknown", "response": true}]}))
        .callback_success(&json!({"responses": []}))
        .callback_success(&responses(&first[..1], true))
        .callback_success(&responses(&first[1..], false))
        .callback_timeout();
    let result = execute(runner, sent.agent(template(&world)), "go").await;
    assert_eq!(response_of(succeeded(&result)).stop_reason, "interrupt");

    let requests = sent.requests();
    let refused: Vec<Option<&str>> = requests.iter().map(|request| request.refused.as_deref()).collect();
    assert!(refused[0].is_none());
    assert!(refused[1].unwrap().contains("interruptId"), "{refused:?}");
    assert!(refused[2].unwrap().contains("`unknown`"), "{refused:?}");
    assert!(refused[3].unwrap().contains("waiting for responses"), "{refused:?}");
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
        assert_eq!(response_of(output).stop_reason, "interrupt", "crash at {crash}");
        // A request that was sent may be sent again, for the same callback.
        let mut ids: Vec<String> = sent.requests().into_iter().map(|request| request.callback_id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 2, "crash at {crash}");
        // A call that was approved is not repeated, since the tool is not idempotent; the other one may be.
        for call in ["tool pay-0#1", "tool pay-2#1"] {
            assert!(world.count(call) <= 1, "{call}, crash at {crash}");
        }
        assert!(world.count("model") <= 3 && world.count("tool look") <= 2, "crash at {crash}");
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
    assert_eq!(response_of(succeeded(&result)).stop_reason, "interrupt");
    assert_eq!(calls.count("approver"), 5);

    let agent = DurableAgent::new(template(&world)).approver(async |_| Err::<(), _>("my secret plan"));
    let result = execute(LocalRunner::new(), agent, "go").await;
    assert_eq!(response_of(succeeded(&result)).stop_reason, "interrupt");
    let request = result.operations().iter().find(|operation| operation.name() == Some("approval/1/request")).unwrap();
    assert!(request.failed() && !request.error_message().unwrap().contains("secret"), "{:?}", request.error_message());
}

/// A hook that fails at the first responses, and not in a replay.
struct Refuses(World);

#[async_trait]
impl Hook for Refuses {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        if !event.responses.is_empty() && self.0.begin("refusal") == 1 {
            return Err("not by this person".into());
        }
        Ok(())
    }
}

#[tokio::test]
async fn responses_that_a_hook_refused_stay_refused() {
    let first = interrupts("go").await;
    let (world, sent) = (World::default(), Sent::default());
    let runner = LocalRunner::new()
        .callback_success(&responses(&first, true))
        .callback_success(&responses(&first, false))
        .callback_timeout();
    let template = template(&world).hook(Refuses(World::default()));
    let result = execute(runner, sent.agent(template), "go").await;
    assert_eq!(response_of(succeeded(&result)).stop_reason, "interrupt");
    let requests = sent.requests();
    assert_eq!(requests.len(), 3, "each is sent once");
    assert!(requests[1].refused.as_deref().unwrap().contains("not by this person"), "{:?}", requests[1].refused);
    assert_eq!(world.count("tool pay"), 0, "the second responses deny");
}

#[tokio::test]
async fn refused_responses_end_the_requests_at_last() {
    let (world, sent) = (World::default(), Sent::default());
    let runner = (0..20).fold(LocalRunner::new(), |runner, _| runner.callback_success(&"yes"));
    let result = execute(runner, sent.agent(template(&world)), "go").await;
    assert_eq!(response_of(succeeded(&result)).stop_reason, "interrupt");
    assert_eq!(sent.requests().len(), 10);
}

/// User who responds, as the hook sees it.
struct By(String);

/// A hook that lets managers respond.
struct ManagersOnly;

#[async_trait]
impl Hook for ManagersOnly {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        match event.context.injected::<By>() {
            _ if event.responses.is_empty() => Ok(()),
            Some(By(user)) if user == "manager" => Ok(()),
            Some(By(user)) => Err(format!("{user} may not approve").into()),
            None => Err("nobody is known to approve".into()),
        }
    }
}

fn by_managers(agent: DurableAgent) -> DurableAgent {
    agent.answered_by(|metadata| {
        let user = metadata.get("user").and_then(Value::as_str).ok_or("the metadata has no `user`")?;
        Ok::<_, &str>(By(user.to_owned()))
    })
}

#[tokio::test]
async fn a_hook_sees_who_answers() {
    let first = interrupts("go").await;
    let by = |user: &str| responses(&first, true).metadata("user", user);
    let (world, sent) = (World::default(), Sent::default());
    let runner = LocalRunner::new()
        .callback_success(&responses(&first, true))
        .callback_success(&by("bob"))
        .callback_success(&by("manager"))
        .callback_timeout();
    let agent = by_managers(sent.agent(template(&world).hook(ManagersOnly)));
    let result = execute(runner, agent, "go").await;
    assert_eq!(response_of(succeeded(&result)).stop_reason, "interrupt");
    let requests = sent.requests();
    let refused: Vec<Option<&str>> = requests.iter().map(|request| request.refused.as_deref()).collect();
    assert!(refused[1].unwrap().contains("no `user`"), "{refused:?}");
    assert!(refused[2].unwrap().contains("bob may not approve"), "{refused:?}");
    assert_eq!((refused[3], requests.len(), world.count("tool pay")), (None, 4, 2));
}

#[tokio::test]
async fn answers_to_a_snapshot_say_who_answers() {
    let world = World::default();
    let result = execute(LocalRunner::new(), DurableAgent::new(template(&world)), "go").await;
    let output = succeeded(&result);
    let ids: Vec<String> = response_of(output).interrupts.iter().map(|interrupt| interrupt.id.clone()).collect();
    let of = async |answers: Answers| {
        let agent = by_managers(DurableAgent::new(template(&world).hook(ManagersOnly)));
        execute(LocalRunner::new(), agent, ExecutionRequest::resuming(output.snapshot.clone(), answers)).await
    };
    for (answers, text) in
        [(responses(&ids, true), "no `user`"), (responses(&ids, true).metadata("user", "bob"), "bob may not approve")]
    {
        let refused = of(answers).await;
        let (kind, message) = failure_of(&refused);
        assert_eq!(kind, "turn.invalid_request", "the snapshot is in the result");
        assert!(message.contains(text), "{message}");
        assert_eq!(world.count("tool pay"), 0);
    }
    let result = of(responses(&ids, true).metadata("user", "manager")).await;
    assert_eq!(response_of(succeeded(&result)).stop_reason, "interrupt", "of the next call");
    assert_eq!(world.count("tool pay"), 2);
}

#[tokio::test]
async fn a_decision_about_the_responder_is_recorded() {
    let first = interrupts("go").await;
    let (world, sent, asked) = (World::default(), Sent::default(), World::default());
    let answers = responses(&first, true).metadata("user", "manager");
    let runner = LocalRunner::new().callback_success(&answers).callback_success(&answers).callback_timeout();
    let agent = sent.agent(template(&world)).answered_by(move |_| match asked.begin("answered_by") {
        1 => Err("not now"),
        _ => Ok(By("manager".to_owned())),
    });
    let result = execute(runner, agent, "go").await;
    // A replay goes the way of the records, although the function has changed its mind.
    assert_eq!(response_of(succeeded(&result)).stop_reason, "interrupt");
    let requests = sent.requests();
    assert_eq!(requests[1].refused.as_deref(), Some("not now"));
    assert_eq!((requests.len(), world.count("tool pay")), (3, 2));
}
