use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::transitions::MAX_OUTPUT_ATTEMPTS;
use super::*;
use crate::interrupt::{Interrupt, InterruptResponse};
use crate::message::{Role, ToolResult, ToolUse};
use crate::tool_spec::ToolSpec;

fn calling(ids: &[&str]) -> Message {
    Message::new(Role::Assistant, ids.iter().map(|id| ToolUse::new(*id, "look", json!({}))))
}

fn trip() -> OutputTool {
    let spec = ToolSpec::new("Trip", "A trip.", json!({"type": "object"}));
    OutputTool { spec, is_wrapped: false }
}

fn result(id: &str) -> ToolResult {
    ToolResult::new(id, crate::message::ToolResultStatus::Success, ["seen"])
}

fn ids(message: &Message) -> Vec<&str> {
    message.tool_results().map(|result| result.tool_use_id.as_str()).collect()
}

#[test]
fn keeps_results_in_the_order_of_the_calls() {
    let mut run = Run::new(Limits::new(), None);
    assert_eq!(run.step(), Step::CallModel { forced_tool: None });
    run.model_responded(&calling(&["a", "b"]), &StopReason::ToolUse, Usage::new(1, 1)).unwrap();
    assert!(matches!(run.step(), Step::RunTools(pending) if pending.calls.len() == 2));
    run.set_tool_result(1, result("b"));
    run.set_tool_result(0, result("a"));
    assert_eq!(ids(&run.take_tool_results().unwrap()), ["a", "b"]);
    assert_eq!(run.step(), Step::CallModel { forced_tool: None });
}

#[test]
fn resumes_from_json_after_an_interrupt() {
    let mut run = Run::new(Limits::new(), None);
    run.model_responded(&calling(&["a", "b"]), &StopReason::ToolUse, Usage::new(1, 1)).unwrap();
    run.set_tool_result(1, result("b"));
    run.suspend_tool(0, vec![Interrupt::new("q", "sure?", json!(null))].into());
    assert_eq!(run.take_tool_results(), None);

    let mut elsewhere: Run = serde_json::from_value(serde_json::to_value(&run).unwrap()).unwrap();
    assert_eq!(elsewhere.resume(vec![InterruptResponse::new("z", true)]), Err(UnknownInterrupt("z".into())));
    elsewhere.resume(vec![InterruptResponse::new("q", json!(null))]).unwrap();
    assert!(matches!(elsewhere.step(), Step::RunTools(pending) if pending.responses().contains_key("q")));
    elsewhere.set_tool_result(0, result("a"));
    assert_eq!(ids(&elsewhere.take_tool_results().unwrap()), ["a", "b"]);
}

#[test]
fn adds_a_result_for_each_call_at_an_early_end() {
    let mut run = Run::new(Limits::new(), None);
    run.model_responded(&calling(&["a", "b"]), &StopReason::ToolUse, Usage::new(1, 1)).unwrap();
    run.set_tool_result(0, result("a"));
    let results = run.end(StopReason::Cancelled, "Tool execution cancelled").unwrap();
    assert_eq!(ids(&results), ["a", "b"]);
    assert_eq!(results.tool_results().map(ToolResult::is_error).collect::<Vec<_>>(), [false, true]);
    assert_eq!(run.step(), Step::Done(&StopReason::Cancelled));
}

#[test]
fn checks_limits_before_each_model_call() {
    let mut run = Run::new(Limits::new().turns(1), None);
    run.model_responded(&calling(&["a"]), &StopReason::ToolUse, Usage::new(1, 1)).unwrap();
    run.set_tool_result(0, result("a"));
    run.take_tool_results();
    assert_eq!(run.step(), Step::Done(&StopReason::LimitTurns));

    let mut run = Run::new(Limits::new().total_tokens(5), None);
    run.charge(Usage::new(3, 2));
    assert_eq!(run.step(), Step::Done(&StopReason::LimitTotalTokens));
}

/// Any input of a run, in any order, valid or not.
#[derive(Clone, Debug)]
enum Input {
    Response(usize, bool),
    Result(usize),
    Interrupt(usize),
    AllTools,
    Responses(usize),
    Output(bool),
    Spent,
    End,
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => (0_usize..4, any::<bool>()).prop_map(|(calls, ends)| Input::Response(calls, ends)),
        4 => (0_usize..4).prop_map(Input::Result),
        2 => (0_usize..4).prop_map(Input::Interrupt),
        3 => Just(Input::AllTools),
        2 => (0_usize..4).prop_map(Input::Responses),
        1 => any::<bool>().prop_map(Input::Output),
        1 => Just(Input::Spent),
        1 => Just(Input::End),
    ]
}

fn apply(run: &mut Run, input: &Input) -> String {
    match input {
        Input::Response(calls, ends) => {
            let ids: Vec<_> = ["a", "b", "c", "d"].into_iter().take(*calls).collect();
            let reason = if *ends { StopReason::EndTurn } else { StopReason::ToolUse };
            format!("{:?}", run.model_responded(&calling(&ids), &reason, Usage::new(3, 2)))
        }
        Input::Result(position) => format!("{:?}", run.set_tool_result(*position, result("a"))),
        Input::Interrupt(position) => {
            let interrupt = Interrupt::new(format!("q{position}"), "sure?", json!({"n": position}));
            format!("{:?}", run.suspend_tool(*position, vec![interrupt].into()))
        }
        Input::AllTools => format!("{:?}", run.take_tool_results()),
        Input::Responses(position) => {
            let responses = vec![InterruptResponse::new(format!("q{position}"), json!(null))];
            format!("{:?} {:?}", run.interrupts(), run.resume(responses))
        }
        Input::Output(true) => format!("{:?}", run.set_output_value(json!({"city": "Oslo"}))),
        Input::Output(false) => format!("{:?}", run.reject_output()),
        Input::Spent => format!("{:?}", run.charge(Usage::new(1, 1).with_cache(Some(1), None))),
        Input::End => format!("{:?}", run.end(StopReason::Cancelled, "gone")),
    }
}

proptest! {
    #[test]
    fn behaves_the_same_after_a_json_round_trip_at_each_step(
        inputs in prop::collection::vec(input(), 0..30),
        turns in prop::option::of(0_u32..9),
        output in any::<bool>(),
    ) {
        let limits = turns.map_or(Limits::new(), |turns| Limits::new().turns(turns).duration(Duration::from_millis(7)));
        let mut here = Run::new(limits, output.then(trip));
        let mut elsewhere = here.clone();
        for input in &inputs {
            let json = serde_json::to_string(&elsewhere).unwrap();
            elsewhere = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(format!("{:?}", here.step()), format!("{:?}", elsewhere.step()));
            prop_assert_eq!(apply(&mut here, input), apply(&mut elsewhere, input));
            prop_assert_eq!(&here, &elsewhere);
        }
    }
}

#[test]
fn requests_a_missing_output_until_attempts_run_out() {
    let mut run = Run::new(Limits::new(), Some(trip()));
    let response = Message::assistant("well");
    for _ in 0..MAX_OUTPUT_ATTEMPTS {
        let prompt = run.model_responded(&response, &StopReason::EndTurn, Usage::default()).unwrap();
        assert_eq!(prompt.unwrap().role, Role::User);
        assert_eq!(run.step(), Step::CallModel { forced_tool: Some("Trip") });
    }
    assert!(run.model_responded(&response, &StopReason::EndTurn, Usage::default()).is_err());
}
