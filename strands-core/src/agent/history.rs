//! The messages of an agent, kept valid as input for the next model call whatever happens in between.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::event_loop::run::INTERRUPTED;
use crate::message::{ContentBlock, Message, Place, Role, ToolResult};
use crate::model::{ModelRequest, estimate_tokens};
use crate::session::MessageRange;

/// The messages of an agent. What a prompt adds is only kept once the model has answered it.
#[derive(Debug, Default)]
pub(crate) struct History {
    messages: Vec<Arc<Message>>,
    /// How many messages at the end nobody has answered yet.
    unanswered: usize,
    /// The last answered message as it was before the prompt was merged into it.
    merged: Option<Arc<Message>>,
    /// The messages, and the conversation manager's state, before they were shortened for a call that nobody has
    /// answered yet.
    unshortened: Option<Box<Unshortened>>,
    /// The number of the next message in the whole conversation.
    next_number: u64,
    /// The number of the first message that no session has.
    saved_to: u64,
    /// True when the newest saved message is no longer as it was saved.
    last_changed: bool,
    /// The numbers of the messages, in short.
    kept: MessageRange,
    /// True when a session keeps the messages.
    recording: bool,
    /// What was said, where the model sees something else and the session may have yet to write it.
    said: Vec<Arc<Message>>,
    /// True when others changed something here, so that it may no longer be valid input.
    changed: bool,
}

/// What stands between two messages of one side when those between them went.
const GAP: &str = "[Earlier messages left out.]";

/// Messages, and what was remembered of them.
#[derive(Debug)]
struct Unshortened {
    messages: Vec<Arc<Message>>,
    said: Vec<Arc<Message>>,
    state: Map<String, Value>,
}

/// What a session has to write next to be level with the history.
#[derive(Debug)]
pub(crate) enum Unsaved {
    /// The newest saved message, which has changed.
    Changed(Arc<Message>),
    /// The next message.
    Next(Arc<Message>),
}

impl History {
    /// Messages from elsewhere, made whole.
    pub(crate) fn restore(messages: impl IntoIterator<Item = Arc<Message>>) -> Self {
        let mut history = Self { messages: messages.into_iter().collect(), ..Self::default() };
        // They may come from another agent, whose numbers say nothing here.
        history.make_whole(|messages| messages);
        history.next_number = history.messages.len() as u64;
        for (number, message) in (0..).zip(&mut history.messages) {
            if message.numbers() != Some((number, number)) {
                Arc::make_mut(message).place = Place::numbered(number);
            }
        }
        history
    }

    /// The messages of a session that this range names, which [`repair`](Self::repair) makes whole.
    pub(crate) fn restore_saved(range: &MessageRange, mut messages: Vec<Arc<Message>>) -> Self {
        let next_number = range.from.saturating_add(messages.len().saturating_sub(range.also.len()) as u64);
        for (number, message) in range.also.iter().copied().chain(range.from..).zip(&mut messages) {
            Arc::make_mut(message).place = Place::numbered(number);
        }
        Self { messages, next_number, saved_to: next_number, kept: range.clone(), changed: true, ..Self::default() }
    }

    /// A session keeps what is said from here on.
    pub(crate) fn record(&mut self) {
        self.recording = true;
    }

    /// Makes what others left here valid input again.
    pub(crate) fn repair(&mut self) {
        if std::mem::take(&mut self.changed) {
            self.make_whole(bridged);
        }
    }

    fn make_whole(&mut self, prepared: impl FnOnce(Vec<Arc<Message>>) -> Vec<Arc<Message>>) {
        let messages = prepared(std::mem::take(&mut self.messages));
        self.messages.reserve(messages.len());
        for message in grouped(messages) {
            append(&mut self.messages, message);
        }
        for message in &mut self.messages {
            if matches!(message.place, Place::New) {
                Arc::make_mut(message).place = Place::Nowhere;
            }
        }
    }

    /// Numbers what was just added.
    fn number_newest(&mut self) {
        let new = self.messages.iter().rev().take_while(|message| matches!(message.place, Place::New)).count();
        let first = self.messages.len() - new;
        for message in self.messages.iter_mut().skip(first) {
            Arc::make_mut(message).place = Place::numbered(self.next_number);
            self.next_number = self.next_number.saturating_add(1);
        }
    }

    /// Which messages of the whole conversation are still here.
    pub(crate) fn kept(&self) -> &MessageRange {
        &self.kept
    }

    fn numbers_kept(&self) -> MessageRange {
        let mut from = self.next_number;
        let mut numbers = self.messages.iter().rev().filter_map(|message| message.numbers()).peekable();
        while let Some((first, _)) = numbers.next_if(|(_, last)| last.checked_add(1) == Some(from)) {
            from = first;
        }
        let mut also: Vec<u64> = numbers.flat_map(|(first, last)| (first..=last).rev()).collect();
        also.reverse();
        MessageRange::new(from, also)
    }

    /// The number of the newest message, answered or not.
    pub(crate) fn newest_number(&self) -> Option<u64> {
        self.next_number.checked_sub(1)
    }

    /// What a session has to write next; nothing of a prompt that nobody has answered.
    pub(crate) fn unsaved(&self) -> Option<Unsaved> {
        let answered = self.messages.iter().rev().skip(self.unanswered);
        let mut numbered = answered.filter_map(|message| Some((message.number()?, message)));
        if self.last_changed {
            let (_, message) = numbered.find(|(number, _)| *number < self.saved_to)?;
            return Some(Unsaved::Changed(as_numbered(self.as_said(message))));
        }
        let (_, message) = numbered.take_while(|(number, _)| *number >= self.saved_to).last()?;
        Some(Unsaved::Next(self.as_said(message)))
    }

    /// The message as it was said, with what has joined it since.
    fn as_said(&self, message: &Arc<Message>) -> Arc<Message> {
        let Some(said) = self.said.iter().find(|said| said.number() == message.number()) else {
            return Arc::clone(message);
        };
        let mut whole = Message::clone(message);
        whole.content = said.content.iter().chain(message.content.iter().skip(said.content.len())).cloned().collect();
        Arc::new(whole)
    }

    /// The session has written what [`unsaved`](Self::unsaved) returned.
    pub(crate) fn saved(&mut self, written: &Unsaved) {
        match written {
            Unsaved::Changed(_) => self.last_changed = false,
            Unsaved::Next(message) => {
                self.saved_to = message.number().map_or(self.saved_to, |number| number.saturating_add(1));
            }
        }
        if !self.said.is_empty() {
            // The newest may change again.
            let (saved_to, newest) = (self.saved_to, self.messages.last().and_then(|message| message.number()));
            self.said.retain(|said| said.number() >= Some(saved_to) || said.number() == newest);
        }
    }

    /// The newest message has changed after it was added.
    fn newest_changed(&mut self) {
        let newest = self.messages.last().and_then(|message| message.number());
        self.last_changed |= newest.is_some_and(|number| number < self.saved_to);
    }

    pub(crate) fn messages(&self) -> &[Arc<Message>] {
        &self.messages
    }

    /// Removes the messages at the places for which `goes` is true from what the model sees. Returns how many went.
    pub(crate) fn remove_where(&mut self, mut goes: impl FnMut(usize) -> bool) -> usize {
        let before = self.messages.len();
        let mut at = 0;
        self.messages.retain(|_| {
            at += 1;
            !goes(at - 1)
        });
        let removed = before - self.messages.len();
        if removed > 0 {
            self.changed = true;
            self.kept = self.numbers_kept();
        }
        removed
    }

    /// Takes the notes between messages away; [`repair`](Self::repair) puts those back that are needed.
    pub(crate) fn close_gaps(&mut self) {
        self.messages.retain(|message| !message.is_gap());
        self.changed = true;
    }

    /// Puts another message in the place of one.
    pub(crate) fn replace(&mut self, at: usize, mut message: Message) {
        let newest = at + 1 == self.messages.len();
        let Some(shown) = self.messages.get_mut(at) else { return };
        message.place = shown.place;
        let said = std::mem::replace(shown, Arc::new(message));
        self.changed = true;
        let Some(number) = said.number().filter(|number| self.recording && (newest || *number >= self.saved_to)) else {
            return;
        };
        if !self.said.iter().any(|said| said.number() == Some(number)) {
            self.said.push(said);
        }
    }

    /// Puts a message that nobody said before the one at this place.
    pub(crate) fn insert(&mut self, at: usize, mut message: Message) {
        message.track();
        message.place = Place::Nowhere;
        self.messages.insert(at.min(self.messages.len()), Arc::new(message));
        self.changed = true;
    }

    /// Adds a message for good. Returns it as it stands there: an answer that goes on from the model's own words joins
    /// them.
    pub(crate) fn push(&mut self, mut message: Message) -> Arc<Message> {
        message.track();
        message.place = Place::New;
        if self.messages.is_empty() && message.role == Role::Assistant {
            return Arc::new(message);
        }
        let before = self.messages.len();
        append(&mut self.messages, Arc::new(message));
        if self.messages.len() == before {
            self.newest_changed();
        }
        self.number_newest();
        self.messages.last().cloned().unwrap_or_else(|| Arc::new(Message::new(Role::User, [""; 0])))
    }

    /// Adds what a prompt says, until it is answered. What follows a message of the same side joins it, and results that
    /// answer no call are left out.
    pub(crate) fn ask(&mut self, prompt: Vec<Message>) {
        for mut message in grouped(prompt.into_iter().map(Arc::new)) {
            Arc::make_mut(&mut message).place = Place::New;
            let (before, last) = (self.messages.len(), self.messages.last().cloned());
            if message.tracking_id.is_none() {
                Arc::make_mut(&mut message).track();
            }
            append(&mut self.messages, message);
            let pushed = self.messages.len() - before;
            let changed = |last: &Arc<Message>| self.messages.last().is_some_and(|now| !Arc::ptr_eq(now, last));
            if pushed == 0 && self.unanswered == 0 && self.merged.is_none() {
                self.merged = last.filter(changed);
            }
            self.unanswered += pushed;
            self.number_newest();
        }
    }

    /// How much there is: a token for each message, and those of what they say.
    pub(crate) fn size(&self) -> u64 {
        estimate_tokens(&ModelRequest::new(&self.messages)).saturating_add(self.messages.len() as u64)
    }

    /// The messages are about to be shortened; they come back when nobody answers what is left.
    pub(crate) fn remember_unshortened(&mut self, state: &Map<String, Value>) {
        if self.unshortened.is_none() {
            let (messages, said, state) = (self.messages.clone(), self.said.clone(), state.clone());
            self.unshortened = Some(Box::new(Unshortened { messages, said, state }));
        }
    }

    /// The prompt has been answered and stays. Returns what of it is new.
    pub(crate) fn answered(&mut self) -> Vec<Arc<Message>> {
        self.unshortened = None;
        let merged = usize::from(self.merged.take().is_some());
        let new = std::mem::take(&mut self.unanswered) + merged;
        let joined = self.messages.len().checked_sub(new).filter(|_| merged > 0).and_then(|at| self.messages.get(at));
        self.last_changed |= joined.and_then(|message| message.number()).is_some_and(|number| number < self.saved_to);
        self.messages.iter().skip(self.messages.len().saturating_sub(new)).cloned().collect()
    }

    /// Nobody will answer the prompt: it goes. Returns the conversation manager's state, where that goes back too.
    pub(crate) fn withdraw(&mut self) -> Option<Map<String, Value>> {
        let state = self.unshortened.take().map(|unshortened| {
            let Unshortened { messages, said, state } = *unshortened;
            (self.messages, self.said, self.changed) = (messages, said, false);
            state
        });
        let answered = self.messages.len().saturating_sub(std::mem::take(&mut self.unanswered));
        if let Some(number) = self.messages.iter().skip(answered).find_map(|message| message.number()) {
            self.next_number = number;
        }
        self.said.retain(|said| said.number() < Some(self.next_number));
        self.messages.truncate(answered);
        if state.is_some() {
            self.kept = self.numbers_kept();
        }
        if let Some(merged) = self.merged.take()
            && let Some(last) = self.messages.last_mut()
        {
            *last = merged;
        }
        state
    }

    /// A guardrail replaces what the user said last. Results stay beside the calls they answer.
    pub(crate) fn redact_prompt(&mut self, replacement: &str) {
        let Some(last) = self.messages.last_mut().filter(|last| last.role == Role::User) else { return };
        let message = Arc::make_mut(last);
        let mut results: Vec<_> =
            message.content.drain(..).filter(|block| matches!(block, ContentBlock::ToolResult(_))).collect();
        for block in &mut results {
            if let ContentBlock::ToolResult(result) = block {
                result.content = vec![replacement.into()];
            }
        }
        message.content = if results.is_empty() { vec![ContentBlock::text(replacement)] } else { results };
        let number = message.number();
        self.said.retain(|said| said.number() != number);
        self.newest_changed();
    }
}

/// Results for the tool calls of a message that nobody answered.
fn unanswered_calls(message: &Message) -> Option<Message> {
    let results: Vec<_> = message
        .tool_uses()
        .map(|call| ContentBlock::ToolResult(ToolResult::error(&call.tool_use_id, INTERRUPTED)))
        .collect();
    (message.role == Role::Assistant && !results.is_empty()).then(|| Message::new(Role::User, results))
}

/// Messages of the user that follow each other, as one.
fn grouped(messages: impl IntoIterator<Item = Arc<Message>>) -> Vec<Arc<Message>> {
    let mut grouped: Vec<Arc<Message>> = Vec::new();
    for message in messages {
        match grouped.last_mut() {
            Some(last) if last.role == Role::User && message.role == Role::User => {
                join(last, &message, message.content.iter().cloned());
            }
            _ => grouped.push(message),
        }
    }
    grouped
}

/// The last of the messages that one was joined from, as far as it is that: the others stand for themselves.
fn as_numbered(joined: Arc<Message>) -> Arc<Message> {
    match joined.place {
        Place::Numbered { before_last, .. } if (1..joined.content.len()).contains(&before_last) => {
            let mut last = Message::clone(&joined);
            last.content.drain(..before_last);
            Arc::new(last)
        }
        _ => joined,
    }
}

/// Adds what a message of the same side says to the one before it.
fn join(last: &mut Arc<Message>, message: &Message, content: impl IntoIterator<Item = ContentBlock>) {
    let last = Arc::make_mut(last);
    last.place = last.place.joined(last.content.len(), message.place);
    last.content.extend(content);
    if message.is_pinned() {
        last.pin();
    }
}

/// Messages of one side between whom others went, with a note of the other side between them. A pinned answer at the
/// beginning gets one, too.
fn bridged(messages: Vec<Arc<Message>>) -> Vec<Arc<Message>> {
    let mut bridged: Vec<Arc<Message>> = Vec::with_capacity(messages.len());
    for message in messages.into_iter().filter(|message| !message.is_gap()) {
        let parted = match bridged.last() {
            None => message.role == Role::Assistant && message.number().is_some_and(|number| number > 0),
            Some(last) => last.role == message.role && !last.place.is_followed_by(message.place),
        };
        if parted {
            let mut note = match message.role {
                Role::User => Message::assistant(GAP),
                Role::Assistant => Message::user(GAP),
            };
            note.place = Place::Gap;
            bridged.push(Arc::new(note));
        }
        bridged.push(message);
    }
    bridged
}

/// The messages without notes between them, which are told from what was said by their words.
pub(crate) fn without_gaps(messages: Vec<Arc<Message>>) -> Vec<Arc<Message>> {
    let is_gap = |message: &Message| message.tracking_id.is_none() && message.text() == GAP;
    messages.into_iter().filter(|message| !is_gap(message)).collect()
}

/// Adds a message so that the conversation stays valid input: it begins with the user, roles alternate, and the results
/// of calls stand behind them, in their order. Results that answer no call go, and calls that nobody answered get an
/// error result. Calls in the last message stay open: they can still run.
fn append(messages: &mut Vec<Arc<Message>>, message: Arc<Message>) {
    match (messages.last_mut(), message.role) {
        // There is no answer before the first question.
        (None, Role::Assistant) => {}
        (Some(last), Role::Assistant) if last.role == Role::Assistant => match unanswered_calls(last) {
            Some(mut results) => {
                results.track();
                messages.extend([Arc::new(results), message]);
            }
            None => {
                let pinned = last.is_pinned();
                join(last, &message, message.content.iter().cloned());
                let last = Arc::make_mut(last);
                last.metadata.clone_from(&message.metadata);
                if pinned {
                    last.pin();
                }
            }
        },
        (Some(last), Role::User) if last.role == Role::User => {
            // The calls before it have their results.
            let said = message.content.iter().filter(|block| !matches!(block, ContentBlock::ToolResult(_)));
            let said: Vec<_> = said.cloned().collect();
            if !said.is_empty() {
                join(last, &message, said);
            }
        }
        (_, Role::Assistant) => messages.push(message),
        (last, Role::User) => {
            let calls = || last.iter().flat_map(|last| last.tool_uses().map(|call| &call.tool_use_id));
            if calls().eq(message.tool_results().map(|result| &result.tool_use_id)) {
                if !message.content.is_empty() {
                    messages.push(message);
                }
                return;
            }
            let content = answer_in_order(&calls().cloned().collect::<Vec<_>>(), &message.content);
            if !content.is_empty() {
                let mut repaired = Message::clone(&message);
                repaired.content = content;
                messages.push(Arc::new(repaired));
            }
        }
    }
}

fn answer_in_order(calls: &[String], content: &[ContentBlock]) -> Vec<ContentBlock> {
    let mut seen = HashSet::new();
    let result_of = |id: &String| {
        let found =
            content.iter().find(|block| matches!(block, ContentBlock::ToolResult(result) if result.tool_use_id == *id));
        found.cloned().unwrap_or_else(|| ContentBlock::ToolResult(ToolResult::error(id, INTERRUPTED)))
    };
    let results = calls.iter().filter(|id| seen.insert(id.as_str())).map(result_of).collect::<Vec<_>>();
    let others = content.iter().filter(|block| !matches!(block, ContentBlock::ToolResult(_))).cloned();
    results.into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::{ToolResultStatus, ToolUse};

    fn call(ids: &[&str]) -> Message {
        Message::new(Role::Assistant, ids.iter().map(|id| ToolUse::new(*id, "look", json!({}))))
    }

    fn results(ids: &[&str]) -> Message {
        Message::new(Role::User, ids.iter().map(|id| ToolResult::new(*id, ToolResultStatus::Success, ["ok"])))
    }

    fn shape(history: &History) -> Vec<(Role, Vec<String>)> {
        let ids = |message: &Message| message.tool_results().map(|result| result.tool_use_id.clone()).collect();
        history.messages().iter().map(|message| (message.role, ids(message))).collect()
    }

    #[test]
    fn a_prompt_nobody_answered_leaves_no_trace() {
        let mut history = History::restore([Message::user("a"), Message::assistant("b")].map(Arc::new));
        history.ask(vec![Message::user("c")]);
        history.withdraw();
        assert_eq!(history.messages().len(), 2);

        let mut history = History::restore([Message::user("a"), call(&["1"]), results(&["1"])].map(Arc::new));
        history.ask(vec![Message::user("c")]);
        assert_eq!(history.messages().last().unwrap().content.len(), 2);
        history.withdraw();
        assert_eq!(history.messages().last().unwrap().content.len(), 1);
    }

    #[test]
    fn shortening_for_a_call_that_fails_leaves_no_trace() {
        let mut history = History::restore([Message::user("a"), Message::assistant("b")].map(Arc::new));
        history.ask(vec![Message::user("c")]);
        history.remember_unshortened(&Map::new());
        history.remove_where(|at| at < 2);
        assert_eq!(history.withdraw(), Some(Map::new()));
        assert_eq!(history.messages().len(), 2);
    }

    #[test]
    fn results_in_a_prompt_answer_open_calls_and_nothing_else() {
        let mut history = History::restore([Message::user("a"), call(&["1", "2"])].map(Arc::new));
        history.ask(vec![results(&["2", "stray"]), Message::user("so?")]);
        assert_eq!(shape(&history).last().unwrap().1, ["1", "2"]);
        let answers: Vec<_> = history.messages().last().unwrap().tool_results().map(ToolResult::is_error).collect();
        assert_eq!(answers, [true, false]);
        history.ask(vec![results(&["1"])]);
        assert_eq!(shape(&history).last().unwrap().1, ["1", "2"]);
    }

    #[test]
    fn roles_alternate_whatever_comes_from_elsewhere() {
        let history = History::restore(
            [
                Message::assistant("hello"),
                Message::user("a"),
                Message::user("b"),
                Message::assistant("c"),
                Message::assistant("d"),
                Message::new(Role::User, [""; 0]),
            ]
            .map(Arc::new),
        );
        let texts: Vec<_> = history.messages().iter().map(|message| message.text()).collect();
        assert_eq!(texts, ["a\nb", "c\nd"]);
    }

    #[test]
    fn results_that_came_in_two_messages_are_all_kept() {
        let history =
            History::restore([Message::user("a"), call(&["1", "2"]), results(&["2"]), results(&["1"])].map(Arc::new));
        assert_eq!(shape(&history).last().unwrap().1, ["1", "2"]);
        assert!(history.messages().last().unwrap().tool_results().all(|result| !result.is_error()));
    }

    #[test]
    fn a_prompt_after_open_calls_answers_them_first() {
        let mut history = History::restore([Message::user("a"), call(&["1", "2"])].map(Arc::new));
        history.ask(vec![Message::user("never mind")]);
        let last = history.messages().last().unwrap();
        assert_eq!(last.tool_results().count(), 2);
        assert_eq!(last.text(), "never mind");
    }

    #[test]
    fn a_history_from_elsewhere_is_made_whole() {
        let history = History::restore(
            [
                results(&["orphan"]),
                Message::user("go"),
                call(&["1", "2"]),
                results(&["2", "stray"]),
                call(&["3"]),
                Message::user("hello?"),
                call(&["4"]),
                Message::assistant("well"),
                call(&["5"]),
            ]
            .map(Arc::new),
        );
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            shape(&history),
            [
                (Role::User, ids(&[])),
                (Role::Assistant, ids(&[])),
                (Role::User, ids(&["1", "2"])),
                (Role::Assistant, ids(&[])),
                (Role::User, ids(&["3"])),
                (Role::Assistant, ids(&[])),
                (Role::User, ids(&["4"])),
                (Role::Assistant, ids(&[])),
            ]
        );
    }
}
