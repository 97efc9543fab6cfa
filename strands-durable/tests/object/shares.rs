//! Shares of the caller's limits that turns get, and what stays reserved if their usage is not known.

use std::time::Duration;

use serde_json::{Value, json};
use strands::durable::restate::ObjectAgent;
use strands::models::StopReason;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentEvent, AgentResponse, CancellationToken, Limits, PromptRequest, PromptScope, StreamExt};

use crate::fake::Fake;
use crate::interrupts::{agent, resume};
use crate::{builder, prompted};

fn scope(turns: u32) -> PromptScope {
    let limits = Limits::unlimited().turns(turns).total_tokens(1_000);
    PromptScope::new(&PromptRequest::new("go"), limits).unwrap()
}

async fn responded(scope: &PromptScope, agent: &ObjectAgent, request: PromptRequest) -> AgentResponse {
    scope.run(prompted(agent, request)).await.unwrap()
}

/// Returns the limits of turns that the turns were started with.
fn granted(fake: &Fake) -> Vec<Value> {
    fake.log().started.iter().map(|(_, input)| input["limits"]["turns"].clone()).collect()
}

fn left(turns: u32, tokens: u64) -> Limits {
    Limits::unlimited().turns(turns).total_tokens(tokens)
}

#[tokio::test]
async fn concurrent_turns_share_what_is_left() {
    let fake = Fake::start().await;
    let tool = builder(&fake).name("hotels").build().unwrap().as_tool();
    let call = |prompt: &str| ("hotels", json!({"input": prompt}));
    let model = ScriptedModel::new([
        ScriptedTurn::tool_uses([call("slow"), call("slow"), call("slow")]),
        ScriptedTurn::text("Done."),
    ]);
    let mut planner =
        Agent::builder().model(model).tools([tool]).limits(Limits::new().turns(10)).build().await.unwrap();
    let token = CancellationToken::new();
    let cancelling = async {
        fake.until(|log| log.started.len() == 3).await;
        token.cancel();
    };
    let (response, ()) = tokio::join!(planner.prompt("go").cancel_with(token.clone()).into_future(), cancelling);
    assert_eq!(response.unwrap().turns, 1);
    let mut turns: Vec<u64> = granted(&fake).iter().map(|turns| turns.as_u64().unwrap()).collect();
    turns.sort_unstable();
    assert_eq!(turns, [2, 2, 3], "nine were left");
}

#[tokio::test]
async fn turns_whose_usage_is_not_known_keep_their_share() {
    let fake = Fake::start().await;
    let agent = builder(&fake).reconnect_timeout(Duration::from_millis(80)).build().unwrap();
    let scope = scope(9);
    responded(&scope, &agent, PromptRequest::new("hi")).await;
    assert_eq!(scope.remaining(), left(6, 967));

    let token = CancellationToken::new();
    let cancelling = async {
        fake.until(|log| log.started.len() == 2).await;
        token.cancel();
    };
    let request = PromptRequest::new("slow").cancel_with(token.clone());
    let (response, ()) = tokio::join!(responded(&scope, &agent, request), cancelling);
    assert_eq!(response.stop_reason, StopReason::Cancelled);
    assert_eq!(scope.remaining(), left(3, 483));

    fake.log().is_cut_off = true;
    scope.run(prompted(&agent, "slow")).await.unwrap_err();
    assert_eq!(scope.remaining(), left(1, 241));
    assert_eq!((scope.turns(), scope.usage().total_tokens), (3, 33), "those that were reported");
    assert_eq!(granted(&fake), [5, 3, 2]);
}

#[tokio::test]
async fn turns_that_never_ran_keep_nothing() {
    let fake = Fake::start().await;
    let scope = scope(9);
    let unknown = ObjectAgent::new(&*fake.url, "Flights").unwrap();
    scope.run(prompted(&unknown, "hi")).await.unwrap_err();
    let agent = builder(&fake).build().unwrap();
    scope.run(prompted(&agent, "blocked")).await.unwrap_err();
    let token = CancellationToken::new();
    token.cancel();
    responded(&scope, &agent, PromptRequest::new("slow").cancel_with(token)).await;
    // Nothing listens there.
    let absent = ObjectAgent::builder("http://127.0.0.1:1", "Flights").reconnect_timeout(Duration::from_millis(80));
    scope.run(prompted(&absent.build().unwrap(), "hi")).await.unwrap_err();
    assert_eq!(scope.remaining(), left(9, 1_000));
}

#[tokio::test]
async fn a_turn_that_waits_gives_its_share_back() {
    let fake = Fake::start().await;
    let agent = agent(&fake);
    let scope = scope(9);
    let waiting = responded(&scope, &agent, PromptRequest::new("approve")).await;
    assert_eq!((granted(&fake), scope.remaining()), (vec![json!(5)], left(8, 989)));
    let rest = responded(&scope, &agent, resume(waiting.continuation.as_ref(), "bob", ["a"])).await;
    assert_eq!(scope.remaining(), left(8, 989));
    // Less than the turn has left.
    let other = scope.reserve_at_most(left(5, 0));
    responded(&scope, &agent, resume(rest.continuation.as_ref(), "bob", ["b"])).await;
    other.release();
    assert_eq!((scope.turns(), scope.remaining()), (3, left(6, 967)));
    let log = fake.log();
    let limits = log.answers.iter().map(|input| input["limits"].clone());
    let limits: Vec<_> = limits.map(|limits| (limits["turns"].clone(), limits["total_tokens"].clone())).collect();
    assert_eq!(limits, [(json!(4), json!(489)), (json!(3), json!(489))]);
}

#[tokio::test]
async fn a_request_that_is_made_again_reserves_the_share_of_the_first_one() {
    let fake = Fake::start().await;
    let agent = builder(&fake).build().unwrap();
    let request = || {
        let mut request = PromptRequest::new("slow").idempotency_key("k");
        request.is_durable = true;
        request
    };
    let first = scope(9);
    let mut events = first.prompt(&agent, request());
    assert!(matches!(events.next().await, Some(Ok(AgentEvent::Start { .. }))));
    tokio::select! {
        _ = events.next() => panic!("it is slow"),
        () = fake.until(|log| log.started.len() == 1) => {}
    }
    // As in a crash.
    drop(events);
    let again = scope(9);
    // Other work was recorded with fewer than it had reserved.
    again.charge(strands::metrics::Usage::default(), 4);
    let mut events = again.prompt(&agent, request());
    assert!(matches!(events.next().await, Some(Ok(AgentEvent::Start { .. }))));
    let is_reserved = async {
        while again.remaining().tightened(left(1, 0)) != left(0, 0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = events.next() => panic!("it is slow"),
        reserved = tokio::time::timeout(Duration::from_secs(20), is_reserved) => reserved.expect("not in time"),
    }
    let asked = fake.log().granted;
    assert_eq!((asked, granted(&fake)), (1, vec![json!(5)]));
}
