//! Conversation at the end of a request body. Each message is serialized once, and again only if it depends on the rest of
//! the request: with the cache point, for the guardrail, or with document names that are unique in the conversation.

use std::sync::Arc;

use strands_core::message::{Message, Role};
use strands_core::models::{MessageSerializer, NotedMessages, SerializedMessages};

use crate::blocks::{ResultStyle, TurnJson};
use crate::cache;
use crate::capabilities::ReasoningReplay;
use crate::document_names::DocumentNames;
use crate::guardrail;
use crate::turn_facts::Facts;
use crate::turns;

/// Form of the messages of a model, which depends on its settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TurnForm<'a> {
    pub(crate) replay: ReasoningReplay,
    pub(crate) style: ResultStyle,
    /// Time to live of the cache point that is placed in the last user message, if one is placed. The inner `None` is
    /// Bedrock's default.
    pub(crate) cache_point: Option<Option<&'a str>>,
    /// The guardrail evaluates the last user message alone.
    pub(crate) guards_latest: bool,
}

/// Conversation of a request, and its messages that were serialized before.
#[derive(Clone, Copy)]
pub(crate) struct Conversation<'a> {
    pub(crate) messages: &'a [Arc<Message>],
    pub(crate) serialized: Option<&'a SerializedMessages>,
    pub(crate) serializer: MessageSerializer,
    pub(crate) form: TurnForm<'a>,
    /// An assistant message is inserted between tool results and the user message after them.
    pub(crate) separate_tool_results: bool,
}

/// Message between tool results and the user message after them.
const SEPARATOR: &[u8] = br#",{"role":"assistant","content":[{"text":"Tool result received."}]}"#;

/// Maximum length by which a cache point or a guardrail's mark lengthens a message with one block.
const SLACK: usize = 64;

impl Conversation<'_> {
    /// Returns a body: the fields that `fields` serializes, then `messages`, then `end` after the bracket of the list.
    /// `fields` is told whether the conversation has tool calls or results.
    ///
    /// # Errors
    ///
    /// Returns the error of `fields`, or an error for content that JSON can't hold.
    pub(crate) fn body(
        &self,
        fields: impl FnOnce(bool) -> serde_json::Result<Vec<u8>>,
        end: &[u8],
    ) -> serde_json::Result<Vec<u8>> {
        let uncached = SerializedMessages::default();
        let write = |bytes: &mut Vec<u8>, message: &Message| self.write_settled(bytes, message);
        self.serialized.unwrap_or(&uncached).read_noted(self.serializer, self.messages, write, |settled| {
            let uses_tools = settled.notes().any(|note| Facts::from_note(note).has(Facts::USES_TOOLS));
            let mut body = fields(uses_tools)?;
            // Reopens the object.
            body.pop();
            body.extend_from_slice(if body.ends_with(b"{") { b"\"messages\":[" } else { b",\"messages\":[" });
            self.append(&mut body, settled, end.len())?;
            body.push(b']');
            body.extend_from_slice(end);
            Ok(body)
        })?
    }

    /// Serializes a message in the form that it has in later requests, with a comma before it.
    fn write_settled(&self, bytes: &mut Vec<u8>, message: &Message) -> serde_json::Result<u8> {
        let mut turn = turns::outgoing_turn(message, self.form.replay, &mut DocumentNames::default());
        if self.form.cache_point.is_some() {
            cache::remove_points(&mut turn);
        }
        let facts = Facts::of(message, &turn);
        if !facts.has(Facts::DOCUMENTS) {
            bytes.push(b',');
            serde_json::to_writer(bytes, &TurnJson(&turn, self.form.style))?;
        }
        Ok(facts.note())
    }

    /// Appends the messages of this request.
    fn append(&self, body: &mut Vec<u8>, settled: NotedMessages<'_>, end: usize) -> serde_json::Result<()> {
        let guarded = self.form.guards_latest.then(|| guardrail::latest_user_message(self.messages)).flatten();
        let pointed = self.form.cache_point.and_then(|ttl| Some((self.last_user()?, ttl)));
        let length = self.messages.len();
        body.reserve_exact(settled.bytes(0..length).len() + 2 * SLACK + 1 + end);
        let mut list = List { begin: body.len(), body };
        let mut names = DocumentNames::default();
        // Start of the cached messages that are not yet copied.
        let mut copied = 0;
        let mut before = Facts::default();
        for (at, (message, note)) in self.messages.iter().zip(settled.notes()).enumerate() {
            let facts = Facts::from_note(note);
            if self.separate_tool_results && before.mixes_with(facts) {
                list.extend(settled.bytes(copied..at));
                list.extend(SEPARATOR);
                copied = at;
            }
            before = facts;
            let is_guarded = guarded == Some(at);
            let ttl = pointed.filter(|(last_user, _)| *last_user == at).map(|(_, ttl)| ttl);
            if !is_guarded && ttl.is_none() && !facts.has(Facts::DOCUMENTS) {
                continue;
            }
            list.extend(settled.bytes(copied..at));
            copied = at + 1;
            let mut turn = turns::outgoing_turn(message, self.form.replay, &mut names);
            if is_guarded {
                guardrail::guard(&mut turn);
            }
            match ttl {
                Some(ttl) => cache::place_point(&mut turn, ttl),
                None if self.form.cache_point.is_some() => cache::remove_points(&mut turn),
                None => {}
            }
            list.push(&TurnJson(&turn, self.form.style))?;
        }
        list.extend(settled.bytes(copied..length));
        Ok(())
    }

    fn last_user(&self) -> Option<usize> {
        self.messages.iter().rposition(|message| message.role == Role::User)
    }
}

/// JSON list at the end of a body.
struct List<'a> {
    body: &'a mut Vec<u8>,
    begin: usize,
}

impl List<'_> {
    /// Appends items that each have a comma before them.
    fn extend(&mut self, items: &[u8]) {
        let comma = usize::from(self.is_empty());
        self.body.extend_from_slice(items.get(comma..).unwrap_or_default());
    }

    fn push(&mut self, item: &TurnJson<'_>) -> serde_json::Result<()> {
        if !self.is_empty() {
            self.body.push(b',');
        }
        serde_json::to_writer(&mut *self.body, item)
    }

    fn is_empty(&self) -> bool {
        self.body.len() == self.begin
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::turns::OutBlock;

    /// Returns the messages of a request, serialized one by one from the whole conversation.
    fn uncached(conversation: &Conversation<'_>) -> Vec<Value> {
        let Conversation { messages, form, .. } = conversation;
        let guarded = guardrail::latest_user_message(messages).filter(|_| form.guards_latest);
        let last_user = messages.iter().rposition(|message| message.role == Role::User);
        let mut names = DocumentNames::default();
        let mut items = Vec::new();
        let mut follows_results = false;
        for (at, message) in messages.iter().enumerate() {
            let mut turn = turns::outgoing_turn(message, form.replay, &mut names);
            if guarded == Some(at) {
                guardrail::guard(&mut turn);
            }
            match form.cache_point {
                Some(ttl) if last_user == Some(at) => cache::place_point(&mut turn, ttl),
                Some(_) => cache::remove_points(&mut turn),
                None => {}
            }
            let is_user = turn.role == Role::User;
            let results = turn.content.iter().filter(|block| OutBlock::is_tool_result(block)).count();
            if conversation.separate_tool_results && follows_results && is_user && results == 0 {
                items.push(json!({"role": "assistant", "content": [{"text": "Tool result received."}]}));
            }
            follows_results = is_user && results == turn.content.len();
            items.push(serde_json::to_value(TurnJson(&turn, form.style)).unwrap());
        }
        items
    }

    fn cached(conversation: &Conversation<'_>) -> String {
        let fields = |uses_tools: bool| Ok(format!(r#"{{"tools":{uses_tools}}}"#).into_bytes());
        String::from_utf8(conversation.body(fields, b"}").unwrap()).unwrap()
    }

    fn expected(conversation: &Conversation<'_>) -> String {
        let uses_tools = crate::turn_facts::uses_tools(conversation.messages);
        format!(r#"{{"tools":{uses_tools},"messages":{}}}"#, json!(uncached(conversation)))
    }

    fn part() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!({"text": "sunny"})),
            Just(json!({"text": ""})),
            Just(json!({"json": {"b": 1, "a": [2]}})),
            "[ab_]".prop_map(|name| json!({"document": document(&name, "md")})),
        ]
    }

    fn document(name: &str, format: &str) -> Value {
        json!({"name": name, "format": format, "source": {"bytes": "AQI="}})
    }

    fn block() -> impl Strategy<Value = Value> {
        let ttl = prop::sample::select(vec!["", "5m", "1h"]);
        let results = prop::collection::vec(part(), 0..3);
        prop_oneof![
            3 => Just(json!({"text": "hi \"you\""})),
            1 => Just(json!({"text": " "})),
            1 => Just(json!({"image": {"format": "png", "source": {"bytes": "AQI="}}})),
            1 => Just(json!({"image": {"format": "png", "source": {"location": {"type": "https", "uri": "u"}}}})),
            2 => ("[ab_]", prop::sample::select(vec!["pdf", "md"]))
                .prop_map(|(name, format)| json!({"document": document(&name, format)})),
            1 => Just(json!({"toolUse": {"toolUseId": "1", "name": "look", "input": {"z": 1, "a": 2}}})),
            4 => results.prop_map(|content| {
                json!({"toolResult": {"toolUseId": "1", "status": "success", "content": content}})
            }),
            2 => ttl.prop_map(|ttl| json!({"cachePoint": {"type": "default", "ttl": ttl}})),
            1 => Just(json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}})),
            1 => Just(json!({"reasoningContent": {"reasoningText": {"text": "hm"}}})),
            1 => Just(json!({"new": {"a": 1}})),
        ]
    }

    fn message() -> impl Strategy<Value = Message> {
        // Messages of the two kinds that some models reject after each other are frequent.
        let content = prop_oneof![
            2 => prop::collection::vec(block(), 0..4),
            1 => Just(vec![json!({"toolResult": {"toolUseId": "1", "status": "error", "content": [{"text": "x"}]}})]),
            1 => Just(vec![json!({"text": "next"})]),
        ];
        (prop::sample::select(vec!["user", "user", "assistant"]), content)
            .prop_map(|(role, content)| serde_json::from_value(json!({"role": role, "content": content})).unwrap())
    }

    #[derive(Clone, Debug)]
    enum Change {
        Push(Message),
        DropOldest(usize),
        DropNewest(usize),
        Replace(usize, Message),
        Insert(usize, Message),
    }

    fn change() -> impl Strategy<Value = Change> {
        let index = 0_usize..8;
        prop_oneof![
            5 => message().prop_map(Change::Push),
            1 => index.clone().prop_map(Change::DropOldest),
            1 => index.clone().prop_map(Change::DropNewest),
            1 => (index.clone(), message()).prop_map(|(at, new)| Change::Replace(at, new)),
            1 => (index, message()).prop_map(|(at, new)| Change::Insert(at, new)),
        ]
    }

    fn form() -> impl Strategy<Value = TurnForm<'static>> {
        let replay =
            prop::sample::select(vec![ReasoningReplay::All, ReasoningReplay::Signed, ReasoningReplay::Nothing]);
        let cache_point = prop::sample::select(vec![None, Some(None), Some(Some("1h"))]);
        (replay, any::<[bool; 3]>(), cache_point).prop_map(|(replay, [status, json_as_text, guards], cache_point)| {
            TurnForm { replay, style: ResultStyle { status, json_as_text }, cache_point, guards_latest: guards }
        })
    }

    proptest! {
        /// Also after messages have been rewound, replaced, or dropped by a sliding window.
        #[test]
        fn cached_bodies_equal_uncached_ones(
            forms in prop::collection::vec(form(), 1..3),
            changes in prop::collection::vec((change(), any::<bool>(), any::<prop::sample::Index>()), 1..40),
        ) {
            let forms: Vec<_> = forms.into_iter().map(|form| (form, MessageSerializer::new())).collect();
            let serialized = SerializedMessages::default();
            let mut messages: Vec<Arc<Message>> = Vec::new();
            for (change, separate_tool_results, model) in changes {
                let length = messages.len();
                match change {
                    Change::Push(new) => messages.push(Arc::new(new)),
                    Change::DropOldest(most) => drop(messages.drain(..most.min(length))),
                    Change::DropNewest(most) => messages.truncate(length.saturating_sub(most)),
                    Change::Replace(at, new) if at < length => *Arc::make_mut(&mut messages[at]) = new,
                    Change::Insert(at, new) => messages.insert(at.min(length), Arc::new(new)),
                    Change::Replace(..) => {}
                }
                // The model seldom changes within a conversation.
                let (form, serializer) = forms[model.index(8).saturating_sub(6).min(forms.len() - 1)];
                let conversation = Conversation {
                    messages: &messages,
                    serialized: Some(&serialized),
                    serializer,
                    form,
                    separate_tool_results,
                };
                prop_assert_eq!(cached(&conversation), expected(&conversation));
            }
        }
    }

    fn plain(messages: &[Arc<Message>]) -> Conversation<'_> {
        Conversation {
            messages,
            serialized: None,
            serializer: MessageSerializer::new(),
            form: TurnForm {
                replay: ReasoningReplay::All,
                style: ResultStyle { status: true, json_as_text: false },
                cache_point: None,
                guards_latest: false,
            },
            separate_tool_results: false,
        }
    }

    #[test]
    fn appends_to_an_empty_body() {
        let body = plain(&[]).body(|_| Ok(b"{}".to_vec()), b"}").unwrap();
        assert_eq!(body, br#"{"messages":[]}"#);
    }

    #[test]
    fn reserves_the_body_at_once() {
        let messages: Vec<_> = (0..100).map(|number| Arc::new(Message::user(number.to_string()))).collect();
        let point = TurnForm { cache_point: Some(Some("1h")), guards_latest: true, ..plain(&[]).form };
        for form in [plain(&[]).form, point] {
            let body = Conversation { form, ..plain(&messages) }.body(|_| Ok(b"{}".to_vec()), b"}").unwrap();
            assert!(body.capacity() - body.len() <= 2 * SLACK + 2, "{} of {}", body.len(), body.capacity());
        }
    }
}
