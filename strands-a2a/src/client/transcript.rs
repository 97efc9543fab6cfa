//! The content that a task has generated, and its events. Content that is read again, with the whole artifact or task, is no event again.

use std::collections::VecDeque;

use a2a::{Artifact, Part, PartContent};
use indexmap::IndexMap;
use serde::Serialize;
use strands_core::AgentEvent;
use strands_core::message::{ContentBlock, Message, Role};

use super::error::A2aError;
use crate::json;
use crate::parts::blocks_of;

/// Size of an artifact or of a part besides its content, in bytes.
const OVERHEAD: usize = 64;
/// Size of a JSON value in memory, in bytes.
const VALUE: usize = 64;

/// The content that a task has generated.
pub(super) struct Transcript {
    /// By their ids.
    artifacts: IndexMap<String, Generated>,
    /// Content of the last message.
    message: Vec<ContentBlock>,
    size: usize,
    limit: usize,
    events: Events,
    /// One-based number of the version of the text.
    cycle: u32,
}

/// Content of an artifact.
#[derive(Default)]
struct Generated {
    blocks: Vec<ContentBlock>,
    size: usize,
}

/// Events that were not taken yet.
#[derive(Default)]
struct Events {
    queue: VecDeque<AgentEvent>,
    has_text: bool,
}

impl Transcript {
    /// Creates an empty transcript of up to `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { artifacts: IndexMap::new(), message: Vec::new(), size: 0, limit, events: Events::default(), cycle: 1 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.message.is_empty() && self.artifacts.values().all(|artifact| artifact.blocks.is_empty())
    }

    /// Returns the next event.
    pub(super) fn next_event(&mut self) -> Option<AgentEvent> {
        self.events.queue.pop_front()
    }

    /// Adds parts to an artifact, or replaces it.
    pub(super) fn update(&mut self, artifact: Artifact, appends: bool) -> Result<(), A2aError> {
        if !appends {
            return self.replace(artifact, false);
        }
        let is_new = !self.artifacts.contains_key(&artifact.artifact_id);
        let id = if is_new { artifact.artifact_id.len() } else { 0 };
        let added = size_of(&artifact.parts) + id;
        check(self.size + added, self.limit)?;
        self.size += added;
        let generated = self.artifacts.entry(artifact.artifact_id).or_default();
        generated.size += added;
        for part in artifact.parts {
            add(part, &mut generated.blocks, &mut self.events);
        }
        Ok(())
    }

    /// Sets artifacts to those of the task, which may be an older state of them.
    pub(super) fn restore(&mut self, artifacts: Vec<Artifact>) -> Result<(), A2aError> {
        artifacts.into_iter().try_for_each(|artifact| self.replace(artifact, true))
    }

    fn replace(&mut self, artifact: Artifact, may_be_old: bool) -> Result<(), A2aError> {
        let size = size_of(&artifact.parts) + artifact.artifact_id.len();
        let known = self.artifacts.get(&artifact.artifact_id);
        // Before anything is kept of it, its id included.
        let total = self.size - known.map_or(0, |known| known.size) + size;
        let mut blocks = Vec::new();
        for part in artifact.parts {
            add(part, &mut blocks, &mut Events::default());
        }
        if may_be_old && difference(&blocks, known.map_or(&[], |known| &known.blocks)).is_some() {
            return Ok(());
        }
        check(total, self.limit)?;
        self.size = total;
        let generated = self.artifacts.entry(artifact.artifact_id).or_default();
        let before = std::mem::replace(generated, Generated { blocks, size }).blocks;
        match difference(&before, &generated.blocks) {
            Some(rest) => self.events.push_rest(rest),
            None => self.start_again(&before),
        }
        Ok(())
    }

    /// Sends the text again from its start, since some of it is void. Media that was sent `before` is not sent again.
    fn start_again(&mut self, before: &[ContentBlock]) {
        self.cycle += 1;
        self.events.queue.push_back(AgentEvent::CycleStart { cycle: self.cycle });
        self.events.has_text = false;
        for block in self.artifacts.values().flat_map(|artifact| &artifact.blocks) {
            if matches!(block, ContentBlock::Text(_)) || !before.contains(block) {
                self.events.push(block);
            }
        }
    }

    /// Adds a message, which ends the task or is the whole response.
    pub(super) fn end_with(&mut self, parts: Vec<Part>) -> Result<(), A2aError> {
        self.size += size_of(&parts);
        check(self.size, self.limit)?;
        for block in blocks_of(parts) {
            self.events.push(&block);
            self.message.push(block);
        }
        Ok(())
    }

    /// Returns the content as the message of a response.
    pub(super) fn take_message(&mut self) -> Message {
        let artifacts = std::mem::take(&mut self.artifacts).into_values().flat_map(|artifact| artifact.blocks);
        Message::new(Role::Assistant, artifacts.chain(std::mem::take(&mut self.message)).collect::<Vec<_>>())
    }
}

impl Events {
    /// Adds the event of a block.
    fn push(&mut self, block: &ContentBlock) {
        match block {
            ContentBlock::Text(text) => {
                // As between the blocks of a response's text.
                if std::mem::replace(&mut self.has_text, true) {
                    self.push_text("\n");
                }
                self.push_text(&text.text);
            }
            ContentBlock::Image(_) | ContentBlock::Document(_) | ContentBlock::Video(_) | ContentBlock::Audio(_) => {
                self.queue.push_back(AgentEvent::Media { content: Box::new(block.clone()) });
            }
            _ => {}
        }
    }

    fn push_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.queue.push_back(AgentEvent::TextDelta { text: text.to_owned() });
        }
    }

    /// Adds the events of what an artifact has in addition.
    fn push_rest(&mut self, (text, blocks): (&str, &[ContentBlock])) {
        self.push_text(text);
        blocks.iter().for_each(|block| self.push(block));
    }
}

/// Returns what blocks have in addition to those of before: the rest of the last text, and more blocks. Returns `None` if they are
/// others.
fn difference<'a>(before: &[ContentBlock], after: &'a [ContentBlock]) -> Option<(&'a str, &'a [ContentBlock])> {
    let Some((last, same)) = before.split_last() else { return Some(("", after)) };
    let (last_after, more) = after.get(same.len()..)?.split_first()?;
    if after.get(..same.len())? != same {
        return None;
    }
    match (last, last_after) {
        (ContentBlock::Text(last), ContentBlock::Text(after)) if last.unknown == after.unknown => {
            Some((after.text.strip_prefix(&last.text)?, more))
        }
        (last, after) => (last == after).then_some(("", more)),
    }
}

/// Adds a part to the blocks of an artifact. Texts of one artifact are chunks of one text.
fn add(part: Part, blocks: &mut Vec<ContentBlock>, events: &mut Events) {
    if let PartContent::Text(text) = &part.content {
        if let Some(ContentBlock::Text(last)) = blocks.last_mut()
            && last.unknown.is_empty()
        {
            last.text.push_str(text);
            events.push_text(text);
            return;
        }
        if text.is_empty() {
            return;
        }
    }
    for block in blocks_of(vec![part]) {
        events.push(&block);
        blocks.push(block);
    }
}

fn check(size: usize, limit: usize) -> Result<(), A2aError> {
    if size > limit { Err(A2aError::TooLarge { limit }) } else { Ok(()) }
}

/// Returns the size of all that is kept of parts.
fn size_of(parts: &[Part]) -> usize {
    parts.iter().map(|part| size_of_part(part) + OVERHEAD).sum::<usize>() + OVERHEAD
}

fn size_of_part(part: &Part) -> usize {
    let content = match &part.content {
        // Nothing else is kept of it.
        PartContent::Text(text) => return text.len(),
        PartContent::Url(url) => url.len(),
        PartContent::Raw(bytes) => bytes.len(),
        PartContent::Data(data) => size_of_json(data),
    };
    let texts = [&part.filename, &part.media_type].into_iter().flatten().map(String::len).sum::<usize>();
    content + texts + part.metadata.as_ref().map_or(0, size_of_json)
}

/// Returns the size of JSON that is kept as values, about, in bytes.
fn size_of_json(value: &impl Serialize) -> usize {
    let size = json::size_of(value);
    size.bytes.max(size.values.saturating_mul(VALUE))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn artifact(id: &str, parts: Vec<Part>) -> Artifact {
        Artifact { artifact_id: id.to_owned(), name: None, description: None, parts, metadata: None, extensions: None }
    }

    fn texts(texts: &[&str]) -> Vec<Part> {
        texts.iter().map(|text| Part::text(*text)).collect()
    }

    /// The texts of the events since the last call, and the number of other events.
    fn events(transcript: &mut Transcript) -> (String, usize) {
        let (mut text, mut others) = (String::new(), 0);
        while let Some(event) = transcript.next_event() {
            match event {
                AgentEvent::TextDelta { text: delta } => text.push_str(&delta),
                _ => others += 1,
            }
        }
        (text, others)
    }

    #[test]
    fn chunks_of_an_artifact_are_one_text() {
        let mut transcript = Transcript::new(10_000);
        transcript.update(artifact("a", texts(&["Hel"])), false).unwrap();
        assert_eq!(events(&mut transcript), ("Hel".to_owned(), 0));
        transcript.update(artifact("a", texts(&["lo ", "you"])), true).unwrap();
        transcript.update(artifact("a", texts(&[""])), true).unwrap();
        transcript.update(artifact("b", texts(&["", "Other"])), true).unwrap();
        transcript.end_with(texts(&["Done."])).unwrap();
        let (text, others) = events(&mut transcript);
        assert_eq!((text.as_str(), others), ("lo you\nOther\nDone.", 0));
        let message = transcript.take_message();
        assert_eq!(message.content.len(), 3);
        assert_eq!(message.text(), "Hello you\nOther\nDone.");
    }

    #[test]
    fn a_task_that_is_read_again_adds_what_is_new() {
        let mut transcript = Transcript::new(10_000);
        transcript.update(artifact("a", texts(&["Hel"])), false).unwrap();
        events(&mut transcript);
        let image = || Part::raw(vec![1, 2]).with_media_type("image/png");
        let whole =
            || vec![artifact("a", [texts(&["Hel", "lo"]), vec![image()]].concat()), artifact("b", texts(&["more"]))];
        transcript.restore(whole()).unwrap();
        assert_eq!(events(&mut transcript), ("lo\nmore".to_owned(), 1));
        transcript.restore(whole()).unwrap();
        assert_eq!(events(&mut transcript), (String::new(), 0));
        transcript.restore(vec![artifact("b", texts(&["mo"]))]).unwrap();
        assert_eq!(events(&mut transcript), (String::new(), 0), "an old state");
        // Events after it continue the artifact.
        transcript.update(artifact("b", texts(&["!"])), true).unwrap();
        assert_eq!(events(&mut transcript), ("!".to_owned(), 0));
        assert_eq!(transcript.take_message().text(), "Hello\nmore!");
    }

    #[test]
    fn an_artifact_that_is_replaced_adds_what_is_new() {
        let mut transcript = Transcript::new(10_000);
        transcript.update(artifact("a", texts(&["Hel"])), false).unwrap();
        transcript.update(artifact("a", texts(&["lo"])), true).unwrap();
        events(&mut transcript);
        // The last update of many servers is the whole artifact.
        let image = || Part::raw(vec![1, 2]).with_media_type("image/png");
        transcript.update(artifact("a", [texts(&["Hello"]), vec![image()]].concat()), false).unwrap();
        assert_eq!(events(&mut transcript), (String::new(), 1));
        // The agent has called a tool, and writes another text.
        transcript.update(artifact("b", texts(&["other"])), false).unwrap();
        events(&mut transcript);
        transcript.update(artifact("a", [texts(&["He"]), vec![image()]].concat()), false).unwrap();
        assert!(matches!(transcript.next_event(), Some(AgentEvent::CycleStart { cycle: 2 })));
        assert_eq!(events(&mut transcript), ("He\nother".to_owned(), 0));
        let message = transcript.take_message();
        assert_eq!((message.text().as_str(), message.content.len()), ("He\nother", 3));
    }

    #[test]
    fn every_part_has_an_event() {
        let mut transcript = Transcript::new(10_000);
        let parts = vec![
            Part::raw(b"hello".to_vec()).with_media_type("text/plain"),
            Part::url("https://a.example/x.png").with_media_type("image/png"),
            Part::data(json!({"k": [1, 2]})),
        ];
        transcript.update(artifact("a", parts), false).unwrap();
        let (text, others) = events(&mut transcript);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), json!({"k": [1, 2]}));
        assert_eq!(others, 2);
        assert_eq!(transcript.take_message().content.len(), 3);
    }

    #[test]
    fn all_content_together_is_limited() {
        let mut transcript = Transcript::new(1_000);
        let chunk = || artifact("a", texts(&["x".repeat(100).as_str()]));
        // What replaces other content counts once.
        for _ in 0..100 {
            transcript.update(chunk(), false).unwrap();
            transcript.restore(vec![chunk()]).unwrap();
        }
        let refused = (0..10).find_map(|_| transcript.update(chunk(), true).err());
        assert!(matches!(refused, Some(A2aError::TooLarge { limit: 1_000 })), "{refused:?}");
        let mut empty = Transcript::new(1_000);
        let refused = (0..100).find_map(|id| empty.update(artifact(&id.to_string(), vec![]), false).err());
        assert!(refused.is_some());
        // Of one that is read again and has no content, nothing is kept; a task may have other ones each time.
        let mut polled = Transcript::new(1_000);
        for id in 0..1_000 {
            polled.restore(vec![artifact(&id.to_string(), vec![])]).unwrap();
        }
        assert_eq!((polled.artifacts.len(), polled.size), (0, 0));
        let refused = (0..100).find_map(|id| polled.update(artifact(&id.to_string(), vec![]), true).err());
        assert!(refused.is_some() && polled.size <= 1_000);
        // Whatever is kept of a part and of its artifact counts.
        let long = "x".repeat(2_000);
        let metadata = [(long.clone(), json!(1))].into_iter().collect();
        for kept in [
            artifact(&long, texts(&["x"])),
            artifact("a", vec![Part::raw(vec![1]).with_filename(long.as_str())]),
            artifact("a", vec![Part::raw(vec![1]).with_media_type(long.as_str())]),
            artifact("a", vec![Part::data(json!(vec![0; 20]))]),
            artifact("a", vec![Part { metadata: Some(metadata), ..Part::data(json!(1)) }]),
        ] {
            for appends in [true, false] {
                assert!(Transcript::new(1_000).update(kept.clone(), appends).is_err(), "{kept:?}");
            }
        }
        // An id counts once.
        let mut chunks = Transcript::new(10_000);
        for _ in 0..10 {
            chunks.update(artifact(&"x".repeat(1_000), texts(&["x"])), true).unwrap();
        }
        let mut message = Transcript::new(1_000);
        message.end_with(texts(&["x".repeat(2_000).as_str()])).unwrap_err();
    }
}
