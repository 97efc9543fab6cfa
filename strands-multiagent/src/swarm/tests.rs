//! The machine of a swarm, driven by hand: what follows from the end of each turn, and that nothing is lost when the run is stored
//! and restored at any step.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use strands_core::message::Message;
use strands_core::models::StopReason;
use strands_core::multiagent::{NodeResult, NodeStatus};
use strands_core::testing::ScriptedModel;
use strands_core::{Agent, AgentError, AgentEvent, Continuation, Interrupt};

use super::definition::Definition;
use super::handoff::Handoff;
use super::run::SwarmRun;
use super::{IntoMember, Member, Swarm, SwarmBuildError, SwarmBuilder};
use crate::machine::{Ended, Machine, Orchestrator, Phase, RunFailure};
use crate::node::NodeError;

fn member(name: &str) -> Member {
    Agent::builder().name(name).description(format!("Is {name}.")).model(ScriptedModel::responding("hi")).into_member()
}

fn swarm(names: &[&str]) -> SwarmBuilder {
    names.iter().fold(Swarm::builder("team"), |builder, name| builder.member(member(name)))
}

fn definition(builder: SwarmBuilder) -> Arc<Definition> {
    builder.build().unwrap().definition
}

fn begin(definition: &Arc<Definition>) -> SwarmRun {
    definition.begin("Write about bees.".into(), "run-1".to_owned(), None, true)
}

fn text(result: &mut NodeResult, text: &str) {
    result.message = Arc::new(Message::assistant(text));
}

/// Starts the turn, and ends it.
fn turn(run: &mut SwarmRun, ended: impl FnOnce(&mut Ended<Handoff>)) -> Vec<AgentEvent> {
    let work = run.start(1, &mut Vec::new());
    assert_eq!(work.len(), 1, "no turn is ready");
    let mut end =
        Ended { is_suspended: false, ..Ended::without_effect(work[0].key, NodeResult::new(NodeStatus::Completed)) };
    end.result.attempts = 1;
    text(&mut end.result, &format!("of {}", work[0].node));
    ended(&mut end);
    run.finish(end)
}

fn handoff(to: &str) -> impl FnOnce(&mut Ended<Handoff>) {
    let handoff = Handoff { to: to.into(), message: format!("for {to}"), context: None };
    move |ended| ended.updates = vec![handoff]
}

fn value(continuation: Option<&Continuation>) -> Value {
    continuation.map_or(Value::Null, |continuation| continuation.value().clone())
}

fn next(run: &mut SwarmRun) -> (String, String) {
    let work = run.start(1, &mut Vec::new()).remove(0);
    (work.node.to_string(), work.prompt.text())
}

#[test]
fn a_handoff_passes_the_turn_with_a_message_and_the_end_without_one_completes() {
    let definition = definition(swarm(&["a", "b"]));
    let mut run = begin(&definition);
    assert_eq!(run.task().text(), "Write about bees.");
    let events = turn(&mut run, |ended| {
        let context = json!({"legs": 6}).as_object().cloned();
        ended.updates = vec![Handoff { to: "b".into(), message: "Count.".to_owned(), context }];
    });
    let [AgentEvent::Handoff { from, to, message }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&**from, &**to, message.as_str()), ("a", "b", "Count."));
    assert!(matches!(run.phase(), Phase::Active));
    let (name, prompt) = next(&mut run);
    assert_eq!(name, "b");
    for part in [
        "Handoff Message: Count.",
        "User Request: Write about bees.",
        "• a: {\"legs\":6}",
        "Agent name: a. Agent description: Is a.",
    ] {
        assert!(prompt.contains(part), "{prompt}");
    }
    assert!(run.start(1, &mut Vec::new()).is_empty(), "a turn starts once");
    run.repeat_started();
    assert!(turn(&mut run, |_| ()).is_empty());
    assert!(matches!(run.phase(), Phase::Completed) && run.start(1, &mut Vec::new()).is_empty());
    assert_eq!(run.response().0.text(), "of b");
}

#[test]
fn limits_stop_the_run_before_the_next_turn_and_higher_ones_continue_it() {
    let limited = |builder: SwarmBuilder| {
        let definition = definition(builder);
        let mut run = begin(&definition);
        for to in ["b", "a"] {
            turn(&mut run, handoff(to));
        }
        run
    };
    let is_limited = |run: &SwarmRun| matches!(run.phase(), Phase::Limited(StopReason::LimitSteps));
    let mut by_handoffs = limited(swarm(&["a", "b"]).max_handoffs(1));
    assert!(is_limited(&by_handoffs) && by_handoffs.start(1, &mut Vec::new()).is_empty());
    let by_iterations = limited(swarm(&["a", "b"]).max_iterations(2));
    assert!(is_limited(&by_iterations));
    let document = by_iterations.document(None).unwrap();
    let mut higher = definition(swarm(&["a", "b"]).max_iterations(3)).restore(&document).unwrap();
    assert!(!is_limited(&higher));
    turn(&mut higher, |_| ());
    assert!(matches!(higher.phase(), Phase::Completed));
}

#[test]
fn circles_are_a_typed_failure() {
    let definition = definition(swarm(&["a", "b", "c"]).repetition(4, 3));
    let mut run = begin(&definition);
    for to in ["b", "a", "b"] {
        turn(&mut run, handoff(to));
        assert!(matches!(run.phase(), Phase::Active));
    }
    assert!(turn(&mut run, handoff("a")).is_empty());
    let circles = |run: &SwarmRun| {
        let expected = RunFailure::Repetition { window: 4, unique: 2 };
        matches!(run.phase(), Phase::Failed { node: None, error } if format!("{error:?}") == format!("{expected:?}"))
    };
    assert!(circles(&run));
    let mut restored = definition.restore(&run.document(None).unwrap()).unwrap();
    assert!(circles(&restored) && restored.start(1, &mut Vec::new()).is_empty());
}

#[test]
fn a_member_without_a_handoff_returns_to_another_one_with_its_response() {
    let definition = definition(swarm(&["planner", "clerk"]).returns_to("planner").handoffs("clerk", [""; 0]));
    let mut run = begin(&definition);
    turn(&mut run, handoff("clerk"));
    let (_, prompt) = next(&mut run);
    assert!(prompt.ends_with("If you do not hand over, planner continues with your response."), "{prompt}");
    run.repeat_started();
    let events = turn(&mut run, |_| ());
    let [AgentEvent::Handoff { to, message, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&**to, message.as_str()), ("planner", "of clerk"));
    let (name, prompt) = next(&mut run);
    assert!(name == "planner" && prompt.contains("Response of clerk: of clerk\n\n"), "{prompt}");
    run.repeat_started();
    turn(&mut run, |_| ());
    assert!(matches!(run.phase(), Phase::Completed));
    assert_eq!(run.state().handoffs, 1);
}

#[test]
fn interrupted_members_go_on_from_their_state_with_the_responses() {
    let definition = definition(swarm(&["a", "b"]));
    let mut run = begin(&definition);
    let pending = |id: &str| Interrupt::new(id, "approval", Value::Null).at_node("a");
    turn(&mut run, |ended| {
        ended.result.status = NodeStatus::Interrupted;
        ended.result.interrupts = vec![pending("1"), pending("2")];
        ended.continuation = Some(Continuation::new("state"));
        ended.is_suspended = true;
    });
    let Phase::Interrupted(interrupts) = run.phase() else { panic!("{:?}", run.phase()) };
    assert_eq!(interrupts.len(), 2);
    let unknown = run.resume(&[pending("1").respond(true), pending("3").respond(true)]);
    assert!(matches!(unknown, Err(AgentError::UnknownInterrupt { id }) if id == pending("3").id));
    assert!(run.start(1, &mut Vec::new()).is_empty(), "a refused response changes nothing");
    run.resume(&[pending("2").respond(true)]).unwrap();

    let mut restored = definition.restore(&run.document(None).unwrap()).unwrap();
    let work = restored.start(1, &mut Vec::new()).remove(0);
    assert!(work.is_resumed && work.prompt.messages().is_empty());
    assert_eq!((value(work.continuation.as_ref()), work.attempt), (json!("state"), 2));
    assert_eq!(work.responses, [pending("2").respond(true)]);
}

#[test]
fn an_interrupt_before_a_member_leaves_its_prompt() {
    let definition = definition(swarm(&["a", "b"]));
    let mut run = begin(&definition);
    let before = Interrupt::before_node("a", "approval", Value::Null);
    turn(&mut run, |ended| {
        ended.result.status = NodeStatus::Interrupted;
        ended.result.interrupts = vec![before.clone()];
    });
    run.resume(&[before.respond(true)]).unwrap();
    let work = run.start(1, &mut Vec::new()).remove(0);
    assert!(!work.is_resumed && !work.prompt.messages().is_empty());
    assert_eq!(work.responses.len(), 1);
}

#[test]
fn conversations_are_kept_by_choice() {
    let conversation = |keeps: bool| {
        let definition =
            definition(Swarm::builder("team").member(member("a").keeps_conversation(keeps)).member(member("b")));
        let mut run = begin(&definition);
        turn(&mut run, |ended| {
            handoff("b")(ended);
            ended.continuation = Some(Continuation::new("conversation"));
        });
        turn(&mut run, handoff("a"));
        let work = run.start(1, &mut Vec::new()).remove(0);
        assert!(!work.is_resumed && work.policy.keeps_conversation == keeps);
        value(work.continuation.as_ref())
    };
    assert_eq!((conversation(true), conversation(false)), (json!("conversation"), Value::Null));
}

#[test]
fn a_turn_that_may_run_once_fails_when_its_process_ended() {
    let definition = definition(Swarm::builder("team").member(member("a").runs_once()));
    let mut run = begin(&definition);
    run.start(1, &mut Vec::new());
    let mut restored = definition.restore(&run.document(None).unwrap()).unwrap();
    restored.repeat_started();
    let Phase::Failed { node: Some(node), error: RunFailure::Node(error) } = restored.phase() else {
        panic!("{:?}", restored.phase())
    };
    assert!(&*node == "a" && matches!(*error, NodeError::OutcomeUnknown));
}

#[test]
fn builders_name_the_member_in_their_errors() {
    let text = |builder: SwarmBuilder| builder.build().unwrap_err().to_string();
    assert_eq!(text(Swarm::builder("team")), "the swarm `team` has no members: add some with `member`");
    let invalid =
        "invalid name `a\nb`: a name has 1 to 128 characters, and no control characters; set one with `Member::name`";
    assert_eq!(text(swarm(&["a\nb"])), invalid);
    assert_eq!(text(swarm(&["a", "a"])), "two members have the name `a`: set another one with `Member::name`");
    let unknown = |rule| format!("`{rule}` names `x`, which is no member of the swarm; its members are `a`, `b`");
    assert_eq!(text(swarm(&["a", "b"]).entry("x")), unknown("entry"));
    assert_eq!(text(swarm(&["a", "b"]).returns_to("x")), unknown("returns_to"));
    assert_eq!(text(swarm(&["a", "b"]).handoffs("x", ["a"])), unknown("handoffs"));
    assert_eq!(text(swarm(&["a", "b"]).handoffs("a", ["x"])), unknown("handoffs"));
    let unreachable = "no handoffs lead to the member `b`: allow one with `handoffs`, or remove the member";
    assert_eq!(text(swarm(&["a", "b"]).handoffs("a", [""; 0])), unreachable);
    let needs = "`repetition(8, 3)` is invalid: the number of different members must be at least 2, and at most 2, of 2 members in 8 turns";
    assert_eq!(text(swarm(&["a", "b"]).repetition(8, 3)), needs);
    assert!(matches!(
        swarm(&["a", "b"]).repetition(8, 1).build(),
        Err(SwarmBuildError::InvalidRepetition { window: 8, min_unique: 1, .. })
    ));
}

/// End of a turn in a random run.
#[derive(Clone, Debug)]
enum Step {
    HandOver(usize, String),
    Complete,
    Interrupt(u8),
    Stop,
    Fail,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4_usize, "[a-z]{0,6}").prop_map(|(to, message)| Step::HandOver(to, message)),
        1 => Just(Step::Complete),
        2 => (1..4_u8).prop_map(Step::Interrupt),
        1 => Just(Step::Stop),
        1 => Just(Step::Crash),
        1 => Just(Step::Fail),
    ];
    proptest::collection::vec(step, 1..24)
}

/// Performs steps, and returns what was seen. With `restores`, the run is stored and restored before each step, and after each start.
fn perform(definition: &Arc<Definition>, steps: &[Step], restores: bool) -> Vec<String> {
    let names: Vec<Arc<str>> = definition.members.keys().cloned().collect();
    let mut run = begin(definition);
    let mut seen = Vec::new();
    for step in steps {
        if restores {
            let document = run.document(None).unwrap();
            run = definition.restore(&document).unwrap();
            assert_eq!(run.document(None).unwrap(), document, "a restored run is stored as it was");
        }
        let work = run.start(1, &mut Vec::new());
        let Some(work) = work.into_iter().next() else {
            seen.push(format!("{:?}", std::mem::discriminant(&run.phase())));
            break;
        };
        seen.push(format!(
            "{} {} {:?} {:?} {:?}",
            work.node,
            work.attempt,
            work.prompt,
            work.responses,
            value(work.continuation.as_ref())
        ));
        let mut ended =
            Ended { is_suspended: false, ..Ended::without_effect(work.key, NodeResult::new(NodeStatus::Completed)) };
        ended.result.attempts = 1;
        let mut responses = Vec::new();
        match step {
            Step::HandOver(to, message) => {
                let to = Arc::clone(&names[to % names.len()]);
                let context = json!({"note": message}).as_object().cloned();
                ended.updates = vec![Handoff { to, message: message.clone(), context }];
                ended.continuation = Some(Continuation::new(json!({"of": &*work.node})));
            }
            Step::Complete => {}
            Step::Interrupt(count) => {
                let interrupts =
                    (0..*count).map(|id| Interrupt::new(id.to_string(), "x", Value::Null).at_node(&work.node));
                ended.result.interrupts = interrupts.collect();
                ended.result.status = NodeStatus::Interrupted;
                (ended.continuation, ended.is_suspended) =
                    (Some(Continuation::new(json!({"interrupted": count}))), true);
                responses.extend(ended.result.interrupts.first().map(|interrupt| interrupt.respond(*count)));
            }
            Step::Stop => ended.result.status = NodeStatus::Stopped,
            Step::Fail => {
                ended.result.status = NodeStatus::Failed;
                ended.result.error = Some("failed".to_owned());
                ended.error = Some(NodeError::new("failed"));
            }
            Step::Crash => {
                run = definition.restore(&run.document(None).unwrap()).unwrap();
                run.repeat_started();
                continue;
            }
        }
        for event in run.finish(ended) {
            seen.push(format!("{event:?}"));
        }
        if restores {
            run = definition.restore(&run.document(None).unwrap()).unwrap();
        }
        run.repeat_started();
        if !responses.is_empty() {
            run.resume(&responses).unwrap();
        }
    }
    seen.push(format!("{:?} {:?}", run.response().0, run.state().history));
    seen
}

proptest! {
    #[test]
    fn storing_and_restoring_at_every_step_changes_nothing(
        steps in steps(),
        keeps in any::<bool>(),
        repetition in any::<bool>(),
        returns in any::<bool>(),
    ) {
        let mut builder = Swarm::builder("team").max_iterations(12);
        for name in ["a", "b", "c"] {
            builder = builder.member(member(name).keeps_conversation(keeps));
        }
        // A member may hand over to itself, if a rule allows it.
        builder = builder.handoffs("a", ["a", "b", "c"]);
        if repetition {
            builder = builder.repetition(6, 2);
        }
        if returns {
            builder = builder.returns_to("b");
        }
        let definition = definition(builder);
        prop_assert_eq!(perform(&definition, &steps, false), perform(&definition, &steps, true));
    }
}
