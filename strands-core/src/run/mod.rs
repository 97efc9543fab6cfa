//! The agent loop as a state machine. It performs nothing itself: it says what is needed next and is told what came back,
//! so the same machine serves streaming, awaiting, resuming a week later on another machine, and a durable engine.

mod calls;
mod output;
pub(crate) mod stored;
pub(crate) mod strands;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use calls::{CallStatus, PendingCall, PendingTools, UnknownInterrupt};
use output::Output;
pub(crate) use output::OutputTool;

use crate::history::Repair;
use crate::interrupt::{Interrupt, InterruptResponse};
use crate::limits::Limits;
use crate::message::{Message, SystemBlock, ToolResult};
use crate::models::StopReason;
use crate::nesting::Spent;
use crate::usage::Usage;

/// Limit of failures to give the requested structured output.
const MAX_OUTPUT_ATTEMPTS: u32 = 3;

/// The prompt of Strands for a model that ended without the structured output.
const OUTPUT_PROMPT: &str = "You must format the previous response as structured output.";

/// One invocation, between two steps. It is what a session stores of an invocation that is suspended or in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    phase: Phase,
    limits: Limits,
    turns: u32,
    usage: Usage,
    /// Cost of the agents that were nested in this invocation.
    #[serde(default, skip_serializing_if = "Spent::is_nothing")]
    nested: Spent,
    /// Active time of the invocation, without the time for which it was suspended.
    #[serde(default)]
    elapsed: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Output>,
    /// A prompt that joins the history behind the results of the pending calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    prompt: Vec<Message>,
    /// The number of model calls and of ended tool calls, for the names of journal steps.
    #[serde(default)]
    model_calls: u32,
    #[serde(default)]
    tool_steps: u32,
    #[serde(default)]
    cycle: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hidden_tools: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    system: Option<Vec<SystemBlock>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Model,
    Tools(PendingTools),
    Done(StopReason),
}

/// What is needed next.
#[derive(Debug, PartialEq)]
pub(crate) enum Step<'a> {
    /// Call the model; it must call this tool, if one is named.
    CallModel { forced_tool: Option<&'a str> },
    /// Run these tools.
    RunTools(&'a PendingTools),
    /// Nothing: the invocation has ended.
    Done(&'a StopReason),
}

/// The model did not give the structured output, this many times.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutputNotGiven {
    pub(crate) attempts: u32,
}

impl Run {
    pub(crate) fn new(limits: Limits, output_tool: Option<OutputTool>) -> Self {
        Self {
            phase: Phase::Model,
            limits,
            turns: 0,
            usage: Usage::default(),
            nested: Spent::default(),
            elapsed: Duration::ZERO,
            output: output_tool.map(Output::of),
            prompt: Vec::new(),
            model_calls: 0,
            tool_steps: 0,
            cycle: 0,
            hidden_tools: Vec::new(),
            system: None,
        }
    }

    /// The next round of the same invocation: limits, costs, time and the numbers of steps count on.
    pub(crate) fn next_round(self, output_tool: Option<OutputTool>) -> Self {
        Self { phase: Phase::Model, output: output_tool.map(Output::of), prompt: Vec::new(), ..self }
    }

    /// Stores what the invocation was asked for, beside the prompt: hidden tools, and a system prompt of its own.
    pub(crate) fn set_options(&mut self, hidden_tools: &[String], system: Option<&Vec<SystemBlock>>) {
        (self.hidden_tools, self.system) = (hidden_tools.to_vec(), system.cloned());
    }

    /// The hidden tools, and the invocation's own system prompt.
    pub(crate) fn options(&self) -> (Vec<String>, Option<Vec<SystemBlock>>) {
        (self.hidden_tools.clone(), self.system.clone())
    }

    /// True if the next step is a model call, unless a limit is reached.
    pub(crate) fn is_calling_model(&self) -> bool {
        matches!(self.phase, Phase::Model)
    }

    /// An invocation that begins with the calls that a conversation ends with.
    pub(crate) fn with_open_calls(mut self, last: &Message) -> Self {
        if let Some(pending) = PendingTools::of(last) {
            self.phase = Phase::Tools(pending);
        }
        self
    }

    /// Another limit counts from here on.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Another structured output is asked for from here on.
    pub(crate) fn set_output(&mut self, tool: OutputTool) {
        if self.output_tool().is_none_or(|asked| !asked.asks_for_the_same(&tool)) {
            self.output = Some(Output::of(tool));
        }
    }

    /// A prompt waits until the pending calls have their results.
    pub(crate) fn hold_prompt(&mut self, prompt: Vec<Message>) {
        self.prompt.extend(prompt);
    }

    pub(crate) fn take_prompt(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.prompt)
    }

    pub(crate) fn has_prompt(&self) -> bool {
        !self.prompt.is_empty()
    }

    /// The one-based number of the current cycle: a model call, and the tool calls of its response.
    pub(crate) fn cycle(&self) -> u32 {
        self.cycle
    }

    /// Begins a cycle. Returns its number.
    pub(crate) fn begin_cycle(&mut self) -> u32 {
        self.cycle = self.turns.saturating_add(1);
        self.cycle
    }

    /// The number of the next model call, from 1.
    pub(crate) fn next_model_call(&mut self) -> u32 {
        self.model_calls = self.model_calls.saturating_add(1);
        self.model_calls
    }

    /// The number of the next tool call to end, from 1.
    pub(crate) fn next_tool_step(&mut self) -> u32 {
        self.tool_steps = self.tool_steps.saturating_add(1);
        self.tool_steps
    }

    /// The numbers of model calls and of ended tool calls so far.
    pub(crate) fn steps(&self) -> (u32, u32) {
        (self.model_calls, self.tool_steps)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.elapsed
    }

    pub(crate) fn add_elapsed(&mut self, time: Duration) {
        self.elapsed = self.elapsed.saturating_add(time);
    }

    /// The calls of the current turn, while tools are needed.
    pub(crate) fn pending(&self) -> Option<&PendingTools> {
        match &self.phase {
            Phase::Tools(pending) => Some(pending),
            Phase::Model | Phase::Done(_) => None,
        }
    }

    pub(crate) fn pending_mut(&mut self) -> Option<&mut PendingTools> {
        match &mut self.phase {
            Phase::Tools(pending) => Some(pending),
            Phase::Model | Phase::Done(_) => None,
        }
    }

    /// What is needed next.
    pub(crate) fn step(&mut self) -> Step<'_> {
        let Spent { turns, usage } = self.spent();
        if matches!(self.phase, Phase::Model)
            && let Some(limit) = self.limits.reached(turns, &usage)
        {
            self.phase = Phase::Done(limit);
        }
        match &self.phase {
            Phase::Model => {
                let output = self.output.as_ref().filter(|output| output.forced);
                Step::CallModel { forced_tool: output.map(|output| output.tool.spec.name.as_str()) }
            }
            Phase::Tools(pending) => Step::RunTools(pending),
            Phase::Done(stop_reason) => Step::Done(stop_reason),
        }
    }

    /// The model answered. Returns what the user side is to say next, if that is already known.
    pub(crate) fn model_answered(
        &mut self,
        message: &Message,
        stop_reason: &StopReason,
        usage: Usage,
    ) -> Result<Option<Message>, OutputNotGiven> {
        self.turns = self.turns.saturating_add(1);
        self.usage.add(usage);
        // Without a call there is nothing to answer, whatever the model says.
        if *stop_reason == StopReason::ToolUse
            && let Some(pending) = PendingTools::of(message)
        {
            self.phase = Phase::Tools(pending);
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
            call.answered(result);
        }
    }

    /// A tool can't go on before a human answers.
    pub(crate) fn tool_interrupted(&mut self, position: usize, interrupts: Vec<Interrupt>) {
        if let Some(call) = self.call(position) {
            call.interrupted(interrupts);
        }
    }

    pub(crate) fn set_status(&mut self, position: usize, status: CallStatus) {
        if let Some(call) = self.call(position) {
            call.status = status;
        }
    }

    fn call(&mut self, position: usize) -> Option<&mut PendingCall> {
        self.pending_mut()?.calls.get_mut(position)
    }

    /// The structured output is to come with the next response.
    pub(crate) fn force_output(&mut self) {
        if let Some(output) = &mut self.output {
            output.forced = true;
        }
    }

    /// The model has given a valid structured output. Of several, the first counts.
    pub(crate) fn output_given(&mut self, value: Value) {
        if let Some(output) = &mut self.output {
            output.value.get_or_insert(value);
        }
    }

    /// The model's arguments for the structured output are invalid.
    pub(crate) fn output_refused(&mut self) -> Result<(), OutputNotGiven> {
        let Some(output) = self.output.as_mut().filter(|output| output.value.is_none()) else { return Ok(()) };
        output.attempts += 1;
        if output.attempts >= MAX_OUTPUT_ATTEMPTS {
            return Err(OutputNotGiven { attempts: output.attempts });
        }
        Ok(())
    }

    /// The tool whose arguments are the structured output.
    pub(crate) fn output_tool(&self) -> Option<&OutputTool> {
        self.output.as_ref().map(|output| &output.tool)
    }

    pub(crate) fn output(&self) -> Option<&Value> {
        self.output.as_ref()?.value.as_ref()
    }

    /// All tools that could run have run. Returns their results as a message; `None` while calls wait for a human, or
    /// behind one that does.
    pub(crate) fn tools_answered(&mut self) -> Option<Message> {
        if self.pending().is_some_and(|pending| !pending.is_complete()) {
            return None;
        }
        let results = self.pending_mut()?.take_results();
        self.phase = match &self.output {
            Some(output) if output.value.is_some() => Phase::Done(StopReason::EndTurn),
            _ => Phase::Model,
        };
        Some(results)
    }

    /// The questions that wait for an answer.
    pub(crate) fn interrupts(&self) -> Vec<Interrupt> {
        self.pending().map(PendingTools::interrupts).unwrap_or_default()
    }

    /// Takes humans' answers. Questions without one stay open.
    pub(crate) fn resume(&mut self, responses: Vec<InterruptResponse>) -> Result<(), UnknownInterrupt> {
        match self.pending_mut() {
            Some(pending) => pending.resume(responses),
            None => match responses.into_iter().next() {
                Some(response) => Err(UnknownInterrupt(response.interrupt_id)),
                None => Ok(()),
            },
        }
    }

    /// Nobody knows any longer what is under way: decides about each call that was approved. Returns what it decided.
    pub(crate) fn reconcile(&mut self, is_idempotent: impl Fn(&str) -> bool) -> Vec<Repair> {
        self.pending_mut().map(|pending| pending.reconcile(is_idempotent)).unwrap_or_default()
    }

    /// Gives the calls without a result this error.
    pub(crate) fn refuse_open(&mut self, unanswered: &str) {
        if let Some(pending) = self.pending_mut() {
            pending.refuse_open(unanswered);
        }
    }

    /// Ends the invocation here. Calls that have not answered get this error; returns all results as a message.
    pub(crate) fn end(&mut self, stop_reason: StopReason, unanswered: &str) -> Option<Message> {
        let results = self.pending_mut().map(|pending| {
            pending.refuse_open(unanswered);
            pending.take_results()
        });
        self.phase = Phase::Done(stop_reason);
        results
    }

    pub(crate) fn turns(&self) -> u32 {
        self.turns
    }

    /// Cost of the invocation itself.
    pub(crate) fn own_spent(&self) -> Spent {
        Spent { turns: self.turns, usage: self.usage }
    }

    /// Cost of the invocation with all agents nested in it.
    pub(crate) fn spent(&self) -> Spent {
        let mut spent = self.own_spent();
        spent.add(self.nested);
        spent
    }

    /// Sets what the invocation has spent with all agents nested in it.
    pub(crate) fn set_spent(&mut self, spent: Spent) {
        self.nested = spent.beyond(self.own_spent());
    }

    /// Counts the cost of a model call that gave no response.
    pub(crate) fn charge(&mut self, usage: Usage) {
        self.usage.add(usage);
    }
}

fn ends_by_itself(stop_reason: &StopReason) -> bool {
    matches!(stop_reason, StopReason::EndTurn | StopReason::StopSequence)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::message::{Role, ToolUse};
    use crate::tool_spec::ToolSpec;

    fn calling(ids: &[&str]) -> Message {
        Message::new(Role::Assistant, ids.iter().map(|id| ToolUse::new(*id, "look", json!({}))))
    }

    fn trip() -> OutputTool {
        let spec = ToolSpec::new("Trip", "A trip.", json!({"type": "object"}));
        OutputTool { spec, is_wrapped: false }
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
        run.charge(Usage::new(3, 2));
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
            Told::Spent => format!("{:?}", run.charge(Usage::new(1, 1).with_cache(Some(1), None))),
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
            let mut here = Run::new(limits, output.then(trip));
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
        let mut run = Run::new(Limits::new(), Some(trip()));
        let said = Message::assistant("well");
        for _ in 0..MAX_OUTPUT_ATTEMPTS {
            let asked = run.model_answered(&said, &StopReason::EndTurn, Usage::default()).unwrap();
            assert_eq!(asked.unwrap().role, Role::User);
            assert_eq!(run.step(), Step::CallModel { forced_tool: Some("Trip") });
        }
        assert!(run.model_answered(&said, &StopReason::EndTurn, Usage::default()).is_err());
    }
}
