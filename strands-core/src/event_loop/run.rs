//! The loop as a state machine. It does nothing itself: it says what is needed next and is told what came back, so the
//! same machine serves streaming, awaiting, resuming a week later on another machine, and any other driver.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Limits;
use crate::interrupt::{Interrupt, InterruptResponse};
use crate::message::{ContentBlock, Message, Role, ToolResult, ToolUse};
use crate::metrics::Usage;
use crate::model::StopReason;

/// How often a model may fail to give the typed output it was asked for.
const MAX_OUTPUT_ATTEMPTS: u32 = 3;

/// What Strands asks when a model ended without the typed output.
const OUTPUT_PROMPT: &str = "You must format the previous response as structured output.";

/// What stands in history for a call that never got to answer.
pub(crate) const INTERRUPTED: &str = "Tool was interrupted.";

/// One invocation, between two steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    phase: Phase,
    limits: Limits,
    turns: u32,
    usage: Usage,
    output: Option<Output>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Model,
    Tools(PendingTools),
    Done(StopReason),
}

/// The typed output that the invocation is to end with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Output {
    tool_name: String,
    forced: bool,
    attempts: u32,
    value: Option<Value>,
}

impl Output {
    fn new(tool_name: String) -> Self {
        Self { tool_name, forced: false, attempts: 0, value: None }
    }
}

/// What is needed next.
#[derive(Debug, PartialEq)]
pub(crate) enum Step<'a> {
    /// Call the model; it must call this tool, where one is named.
    CallModel { forced_tool: Option<&'a str> },
    /// Run these tools.
    RunTools(&'a PendingTools),
    /// Nothing: the invocation has ended.
    Done(&'a StopReason),
}

/// Why a model's answer can't go on to a typed output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutputNotGiven {
    pub(crate) attempts: u32,
}

/// The tool calls of one turn, in the order in which the model made them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PendingTools {
    pub(crate) calls: Vec<PendingCall>,
    /// What humans answered, by interrupt id.
    answers: HashMap<String, Value>,
}

/// A tool call and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PendingCall {
    pub(crate) tool_use: Arc<ToolUse>,
    pub(crate) result: Option<ToolResult>,
    pub(crate) interrupts: Vec<Interrupt>,
}

/// Answers that do not belong to the questions that were asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownInterrupt(pub(crate) String);

impl Run {
    pub(crate) fn new(limits: Limits, output_tool: Option<String>) -> Self {
        let output = output_tool.map(Output::new);
        Self { phase: Phase::Model, limits, turns: 0, usage: Usage::default(), output }
    }

    /// An invocation that has already cost this much.
    pub(crate) fn counting_on(mut self, turns: u32, usage: Usage) -> Self {
        self.turns = turns;
        self.usage = usage;
        self
    }

    /// Another invocation goes on here: its limits count, and its typed output is asked for.
    pub(crate) fn taken_over(&mut self, by: &Self) {
        self.limits = by.limits;
        self.turns = by.turns;
        self.usage = by.usage;
        if self.output_tool() != by.output_tool() {
            self.output.clone_from(&by.output);
        }
    }

    /// An invocation that begins with the calls that a conversation ends with.
    pub(crate) fn with_open_calls(mut self, last: &Message) -> Self {
        let calls: Vec<_> = last.tool_uses().cloned().map(PendingCall::new).collect();
        if !calls.is_empty() {
            self.phase = Phase::Tools(PendingTools { calls, answers: HashMap::new() });
        }
        self
    }

    /// With the answers that tools had given before the run was put away.
    pub(crate) fn with_results(mut self, results: Vec<ToolResult>) -> Self {
        for result in results {
            let calls = self.open_calls();
            if let Some(call) = calls.into_iter().find(|call| call.tool_use.tool_use_id == result.tool_use_id) {
                call.result = Some(result);
            }
        }
        self
    }

    /// With the questions that humans were asked before the run was put away. A question's id names its call.
    pub(crate) fn with_interrupts(mut self, interrupts: impl IntoIterator<Item = Interrupt>) -> Self {
        for interrupt in interrupts {
            let mut calls = self.open_calls();
            let names = |call: &&mut PendingCall| interrupt.id.split(':').any(|part| part == call.tool_use.tool_use_id);
            let named = calls.iter().position(names).unwrap_or(0);
            if let Some(call) = calls.get_mut(named) {
                call.interrupts.push(interrupt);
            }
        }
        self
    }

    fn open_calls(&mut self) -> Vec<&mut PendingCall> {
        match &mut self.phase {
            Phase::Tools(pending) => pending.calls.iter_mut().filter(|call| call.result.is_none()).collect(),
            _ => Vec::new(),
        }
    }

    /// What the tools of this turn have answered so far.
    pub(crate) fn results(&self) -> impl Iterator<Item = &ToolResult> {
        let calls = match &self.phase {
            Phase::Tools(pending) => pending.calls.as_slice(),
            _ => &[],
        };
        calls.iter().filter_map(|call| call.result.as_ref())
    }

    /// What is needed next.
    pub(crate) fn step(&mut self) -> Step<'_> {
        if matches!(self.phase, Phase::Model)
            && let Some(limit) = self.limits.reached(self.turns, &self.usage)
        {
            self.phase = Phase::Done(limit);
        }
        match &self.phase {
            Phase::Model => {
                let output = self.output.as_ref().filter(|output| output.forced);
                Step::CallModel { forced_tool: output.map(|output| output.tool_name.as_str()) }
            }
            Phase::Tools(pending) => Step::RunTools(pending),
            Phase::Done(stop_reason) => Step::Done(stop_reason),
        }
    }

    /// The model answered. Returns what the user side is to say next, where that is already known.
    pub(crate) fn model_answered(
        &mut self,
        message: &Message,
        stop_reason: &StopReason,
        usage: Usage,
    ) -> Result<Option<Message>, OutputNotGiven> {
        self.turns = self.turns.saturating_add(1);
        self.usage.add(usage);
        let calls: Vec<_> = message.tool_uses().cloned().map(PendingCall::new).collect();
        // Without a call there is nothing to answer, whatever the model says.
        if *stop_reason == StopReason::ToolUse && !calls.is_empty() {
            self.phase = Phase::Tools(PendingTools { calls, answers: HashMap::new() });
            return Ok(None);
        }
        match &mut self.output {
            Some(output) if output.value.is_none() && ends_by_itself(stop_reason) => {
                output.attempts += 1;
                if output.attempts > MAX_OUTPUT_ATTEMPTS {
                    return Err(OutputNotGiven { attempts: MAX_OUTPUT_ATTEMPTS });
                }
                output.forced = true;
                Ok(Some(Message::user(OUTPUT_PROMPT)))
            }
            _ => {
                self.phase = Phase::Done(stop_reason.clone());
                Ok(None)
            }
        }
    }

    /// A tool answered, or could not be called.
    pub(crate) fn tool_answered(&mut self, position: usize, result: ToolResult) {
        if let Some(call) = self.call(position) {
            call.result = Some(result);
            call.interrupts.clear();
        }
    }

    /// A tool can't go on before a human answers.
    pub(crate) fn tool_interrupted(&mut self, position: usize, interrupts: Vec<Interrupt>) {
        if let Some(call) = self.call(position) {
            call.interrupts = interrupts;
        }
    }

    fn call(&mut self, position: usize) -> Option<&mut PendingCall> {
        match &mut self.phase {
            Phase::Tools(pending) => pending.calls.get_mut(position),
            _ => None,
        }
    }

    /// The typed output is to come with the next answer.
    pub(crate) fn force_output(&mut self) {
        if let Some(output) = &mut self.output {
            output.forced = true;
        }
    }

    /// The model's arguments for the typed output fit its type.
    pub(crate) fn output_given(&mut self, value: Value) {
        if let Some(output) = &mut self.output {
            output.value = Some(value);
        }
    }

    /// The model's arguments for the typed output do not fit its type.
    pub(crate) fn output_refused(&mut self) -> Result<(), OutputNotGiven> {
        let Some(output) = self.output.as_mut().filter(|output| output.value.is_none()) else { return Ok(()) };
        output.attempts += 1;
        if output.attempts >= MAX_OUTPUT_ATTEMPTS {
            return Err(OutputNotGiven { attempts: output.attempts });
        }
        Ok(())
    }

    /// The tool whose arguments are the typed output.
    pub(crate) fn output_tool(&self) -> Option<&str> {
        self.output.as_ref().map(|output| output.tool_name.as_str())
    }

    pub(crate) fn output(&self) -> Option<&Value> {
        self.output.as_ref()?.value.as_ref()
    }

    /// All tools have answered or ask. Returns their results as a message; nothing while a human is asked.
    pub(crate) fn tools_answered(&mut self) -> Option<Message> {
        if !self.interrupts().is_empty() {
            return None;
        }
        let results = self.take_results();
        self.phase = match &self.output {
            Some(output) if output.value.is_some() => Phase::Done(StopReason::EndTurn),
            _ => Phase::Model,
        };
        results
    }

    /// The questions that wait for an answer.
    pub(crate) fn interrupts(&self) -> Vec<Interrupt> {
        match &self.phase {
            Phase::Tools(pending) => pending
                .calls
                .iter()
                .filter(|call| call.result.is_none())
                .flat_map(|call| call.interrupts.clone())
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Takes humans' answers. Questions without one are asked again.
    pub(crate) fn resume(&mut self, responses: Vec<InterruptResponse>) -> Result<(), UnknownInterrupt> {
        let asked = self.interrupts();
        if let Some(unknown) =
            responses.iter().find(|response| asked.iter().all(|each| each.id != response.interrupt_id))
        {
            return Err(UnknownInterrupt(unknown.interrupt_id.clone()));
        }
        if let Phase::Tools(pending) = &mut self.phase {
            pending.answers.extend(responses.into_iter().map(|response| (response.interrupt_id, response.response)));
        }
        Ok(())
    }

    /// Ends the invocation here. Calls that have not answered get this error; returns all results as a message.
    pub(crate) fn end(&mut self, stop_reason: StopReason, unanswered: &str) -> Option<Message> {
        if let Phase::Tools(pending) = &mut self.phase {
            for call in &mut pending.calls {
                call.result.get_or_insert_with(|| ToolResult::error(&call.tool_use.tool_use_id, unanswered));
            }
        }
        let results = self.take_results();
        self.phase = Phase::Done(stop_reason);
        results
    }

    /// Results in the order in which the model asked.
    fn take_results(&mut self) -> Option<Message> {
        let Phase::Tools(pending) = &mut self.phase else { return None };
        let results = std::mem::take(&mut pending.calls).into_iter().map(|call| {
            let missing = || ToolResult::error(&call.tool_use.tool_use_id, INTERRUPTED);
            ContentBlock::ToolResult(call.result.unwrap_or_else(missing))
        });
        Some(Message::new(Role::User, results))
    }

    pub(crate) fn turns(&self) -> u32 {
        self.turns
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Counts what a call cost that gave no answer.
    pub(crate) fn spent(&mut self, usage: Usage) {
        self.usage.add(usage);
    }
}

fn ends_by_itself(stop_reason: &StopReason) -> bool {
    matches!(stop_reason, StopReason::EndTurn | StopReason::StopSequence)
}

impl PendingCall {
    fn new(tool_use: ToolUse) -> Self {
        Self { tool_use: Arc::new(tool_use), result: None, interrupts: Vec::new() }
    }
}

impl PendingTools {
    pub(crate) fn answers(&self) -> &HashMap<String, Value> {
        &self.answers
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn calling(ids: &[&str]) -> Message {
        Message::new(Role::Assistant, ids.iter().map(|id| ToolUse::new(*id, "look", json!({}))))
    }

    fn answer(id: &str) -> ToolResult {
        ToolResult::new(id, crate::message::ToolResultStatus::Success, ["seen"])
    }

    fn ids(message: &Message) -> Vec<&str> {
        message.tool_results().map(|result| result.tool_use_id.as_str()).collect()
    }

    #[test]
    fn results_keep_the_order_of_the_calls_whatever_comes_first() {
        let mut run = Run::new(Limits::new(), None);
        assert_eq!(run.step(), Step::CallModel { forced_tool: None });
        run.model_answered(&calling(&["a", "b"]), &StopReason::ToolUse, Usage::new(1, 1)).unwrap();
        assert!(matches!(run.step(), Step::RunTools(pending) if pending.calls.len() == 2));
        run.tool_answered(1, answer("b"));
        run.tool_answered(0, answer("a"));
        assert_eq!(ids(&run.tools_answered().unwrap()), ["a", "b"]);
        assert_eq!(run.step(), Step::CallModel { forced_tool: None });
    }

    #[test]
    fn an_interrupt_waits_as_json_and_goes_on_elsewhere() {
        let mut run = Run::new(Limits::new(), None);
        run.model_answered(&calling(&["a", "b"]), &StopReason::ToolUse, Usage::new(1, 1)).unwrap();
        run.tool_answered(1, answer("b"));
        run.tool_interrupted(0, vec![Interrupt::new("q", "sure?", json!(null))]);
        assert_eq!(run.tools_answered(), None);

        let mut elsewhere: Run = serde_json::from_value(serde_json::to_value(&run).unwrap()).unwrap();
        assert_eq!(elsewhere.resume(vec![InterruptResponse::new("z", true)]), Err(UnknownInterrupt("z".into())));
        elsewhere.resume(vec![InterruptResponse::new("q", json!(null))]).unwrap();
        assert!(matches!(elsewhere.step(), Step::RunTools(pending) if pending.answers().contains_key("q")));
        elsewhere.tool_answered(0, answer("a"));
        assert_eq!(ids(&elsewhere.tools_answered().unwrap()), ["a", "b"]);
    }

    #[test]
    fn ending_early_answers_every_call() {
        let mut run = Run::new(Limits::new(), None);
        run.model_answered(&calling(&["a", "b"]), &StopReason::ToolUse, Usage::new(1, 1)).unwrap();
        run.tool_answered(0, answer("a"));
        let results = run.end(StopReason::Cancelled, "Tool execution cancelled").unwrap();
        assert_eq!(ids(&results), ["a", "b"]);
        assert_eq!(results.tool_results().map(ToolResult::is_error).collect::<Vec<_>>(), [false, true]);
        assert_eq!(run.step(), Step::Done(&StopReason::Cancelled));
    }

    #[test]
    fn limits_are_looked_at_before_each_model_call() {
        let mut run = Run::new(Limits::new().turns(1), None);
        run.model_answered(&calling(&["a"]), &StopReason::ToolUse, Usage::new(1, 1)).unwrap();
        run.tool_answered(0, answer("a"));
        run.tools_answered();
        assert_eq!(run.step(), Step::Done(&StopReason::LimitTurns));

        let mut run = Run::new(Limits::new().total_tokens(5), None);
        run.spent(Usage::new(3, 2));
        assert_eq!(run.step(), Step::Done(&StopReason::LimitTotalTokens));
    }

    /// What may come back to a run, in any order, sensible or not.
    #[derive(Clone, Debug)]
    enum Told {
        Answer(usize, bool),
        Result(usize),
        Question(usize),
        AllTools,
        Answers(usize),
        Output(bool),
        Spent,
        End,
    }

    fn told() -> impl Strategy<Value = Told> {
        prop_oneof![
            4 => (0_usize..4, any::<bool>()).prop_map(|(calls, ends)| Told::Answer(calls, ends)),
            4 => (0_usize..4).prop_map(Told::Result),
            2 => (0_usize..4).prop_map(Told::Question),
            3 => Just(Told::AllTools),
            2 => (0_usize..4).prop_map(Told::Answers),
            1 => any::<bool>().prop_map(Told::Output),
            1 => Just(Told::Spent),
            1 => Just(Told::End),
        ]
    }

    fn tell(run: &mut Run, told: &Told) -> String {
        match told {
            Told::Answer(calls, ends) => {
                let ids: Vec<_> = ["a", "b", "c", "d"].into_iter().take(*calls).collect();
                let reason = if *ends { StopReason::EndTurn } else { StopReason::ToolUse };
                format!("{:?}", run.model_answered(&calling(&ids), &reason, Usage::new(3, 2)))
            }
            Told::Result(position) => format!("{:?}", run.tool_answered(*position, answer("a"))),
            Told::Question(position) => {
                let question = Interrupt::new(format!("q{position}"), "sure?", json!({"n": position}));
                format!("{:?}", run.tool_interrupted(*position, vec![question]))
            }
            Told::AllTools => format!("{:?}", run.tools_answered()),
            Told::Answers(position) => {
                let answers = vec![InterruptResponse::new(format!("q{position}"), json!(null))];
                format!("{:?} {:?}", run.interrupts(), run.resume(answers))
            }
            Told::Output(true) => format!("{:?}", run.output_given(json!({"city": "Oslo"}))),
            Told::Output(false) => format!("{:?}", run.output_refused()),
            Told::Spent => format!("{:?}", run.spent(Usage::new(1, 1).with_cache(Some(1), None))),
            Told::End => format!("{:?}", run.end(StopReason::Cancelled, "gone")),
        }
    }

    proptest! {
        #[test]
        fn put_away_as_json_after_every_step_a_run_goes_on_as_if_it_had_not_been(
            story in prop::collection::vec(told(), 0..30),
            turns in prop::option::of(0_u32..9),
            output in any::<bool>(),
        ) {
            let limits = turns.map_or(Limits::new(), |turns| Limits::new().turns(turns).duration(Duration::from_millis(7)));
            let mut here = Run::new(limits, output.then(|| "Trip".to_owned()));
            let mut elsewhere = here.clone();
            for told in &story {
                let json = serde_json::to_string(&elsewhere).unwrap();
                elsewhere = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(format!("{:?}", here.step()), format!("{:?}", elsewhere.step()));
                prop_assert_eq!(tell(&mut here, told), tell(&mut elsewhere, told));
                prop_assert_eq!(&here, &elsewhere);
            }
        }
    }

    #[test]
    fn an_output_that_is_not_given_is_asked_for_and_then_given_up() {
        let mut run = Run::new(Limits::new(), Some("Trip".into()));
        let said = Message::assistant("well");
        for _ in 0..MAX_OUTPUT_ATTEMPTS {
            let asked = run.model_answered(&said, &StopReason::EndTurn, Usage::default()).unwrap();
            assert_eq!(asked.unwrap().role, Role::User);
            assert_eq!(run.step(), Step::CallModel { forced_tool: Some("Trip") });
        }
        assert!(run.model_answered(&said, &StopReason::EndTurn, Usage::default()).is_err());
    }
}
