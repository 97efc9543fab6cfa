//! Items that start and items that are complete: a call, reasoning, a message, or provider content.

use std::collections::VecDeque;

use serde_json::Value;
use strands_core::message::{ContentBlock, ProviderContent};
use strands_core::models::{ReasoningDelta, StreamEvent, ToolUseStart};

use super::events::{ItemDelta, Response};
use super::items::{Key, Kind};
use super::stream_reader::{ResponsesReader, list, malformed, word};
use super::{generated_images, reasoning};
use crate::generated_media;
use crate::http::{ReadError, tolerant};

impl ResponsesReader {
    pub(super) fn item_added(
        &mut self,
        index: Option<usize>,
        item: &Value,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        let id = tolerant::word(item, "id");
        let key = Key { index, id: &id };
        match word(item, "type") {
            "function_call" => {
                self.call(key, item, out)?;
            }
            "reasoning" => {
                // Reserves the position of the block in the response.
                let at = self.reasoning_block(key)?;
                if let Some(open) = self.items.get(at) {
                    out.push_back(StreamEvent::reasoning(open.block, ReasoningDelta::Text(String::new())));
                }
            }
            // A message starts with its first text; provider content is complete at once.
            _ => {}
        }
        Ok(())
    }

    /// Returns the position of an item's call. A call that is announced again is the same one.
    pub(super) fn call(
        &mut self,
        key: Key<'_>,
        item: &Value,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<usize, ReadError> {
        let (call_id, name) = (tolerant::word(item, "call_id"), tolerant::word(item, "name"));
        if let Some(at) = self.items.call(&call_id) {
            return Ok(at);
        }
        // Several calls may be open at one index, and this may be another one.
        if let Ok(Some(at)) = self.items.find(Kind::Call, key, None)
            && let Some(open) = self.items.get(at)
            && (call_id.is_empty() || open.call_id.is_empty() || open.is(key))
        {
            return Ok(at);
        }
        self.content.grow(call_id.len() + name.len())?;
        self.called = true;
        let open = self.items.begin(Kind::Call, key, 0, &mut self.content)?;
        open.call_id = call_id.clone().into_owned();
        out.push_back(StreamEvent::tool_use(open.block, ToolUseStart::new(call_id, name)));
        Ok(self.items.newest())
    }

    /// Reads a complete item. Content that was not streamed is taken from it.
    pub(super) fn item_done(
        &mut self,
        index: Option<usize>,
        item: &Value,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        let id = tolerant::word(item, "id");
        let key = Key { index, id: &id };
        match word(item, "type") {
            "function_call" => {
                let at = self.call(key, item, out)?;
                let arguments = item.get("arguments").map(tolerant::arguments).transpose().map_err(malformed)?;
                self.whole_arguments(at, arguments.flatten(), out)?;
                self.items.end(at, out);
            }
            "reasoning" => {
                let at = self.reasoning_block(key)?;
                if self.items.get(at).is_some_and(|open| open.empty) {
                    self.whole_reasoning(key, item, out)?;
                }
                if let Some(open) = self.items.get(at)
                    && let Some(signature) = reasoning::signature(item, open.is_plain)
                {
                    self.content.grow(signature.len())?;
                    out.push_back(StreamEvent::reasoning(open.block, ReasoningDelta::Signature(signature)));
                }
                self.items.end(at, out);
            }
            "message" => {
                if !self.items.has_text(key) {
                    self.whole_message(key, item, out)?;
                }
                self.items.end_text(key, out);
            }
            "" => {}
            // Server tools, and unknown types.
            _ => match generated_images::apart(item) {
                Some((item, image)) => {
                    self.own(ProviderContent::new(self.provider.clone(), item), out)?;
                    self.image(image, out)?;
                }
                None => self.own(ProviderContent::new(self.provider.clone(), item.clone()), out)?,
            },
        }
        Ok(())
    }

    pub(super) fn complete_items(
        &mut self,
        response: &mut Response,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        let items = response.output.take().into_iter().flatten().enumerate();
        items.into_iter().try_for_each(|(at, item)| self.item_done(Some(at), &item, out))
    }

    /// Reads the calls of a response whose stream had none: some servers stream text alone.
    pub(super) fn whole_calls(
        &mut self,
        response: &mut Response,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        if let Some(items) = &mut response.output {
            items.retain(|item| word(item, "type") == "function_call");
        }
        self.complete_items(response, out)
    }

    pub(super) fn own(&mut self, content: ProviderContent, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.content.grow(content.content.to_string().len())?;
        let block = self.items.new_block();
        out.extend([StreamEvent::provider_content(block, content), StreamEvent::block_stop(block)]);
        Ok(())
    }

    fn image(&mut self, image: ContentBlock, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        if let ContentBlock::Image(made) = &image {
            self.content.grow(made.source.bytes().map_or(0, bytes::Bytes::len))?;
        }
        let block = self.items.new_block();
        out.extend([StreamEvent::media(block, image), StreamEvent::block_stop(block)]);
        Ok(())
    }

    pub(super) fn whole_reasoning(
        &mut self,
        key: Key<'_>,
        item: &Value,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        let summary = list(item, "summary");
        let is_plain = summary.is_empty();
        let parts = if is_plain { list(item, "content") } else { summary };
        for (part, item) in parts.iter().enumerate() {
            let item_delta = ItemDelta {
                output_index: key.index,
                item_id: Some(key.id.to_owned()),
                content_index: Some(part),
                delta: Some(word(item, "text").to_owned()),
                ..ItemDelta::default()
            };
            self.reasoning(item_delta, is_plain, out)?;
        }
        Ok(())
    }

    pub(super) fn whole_message(
        &mut self,
        key: Key<'_>,
        item: &Value,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        // Some servers have a string in place of the list of parts.
        let content = match item.get("content") {
            Some(Value::Array(parts)) => parts.as_slice(),
            Some(only) => std::slice::from_ref(only),
            None => &[],
        };
        for (part, item) in content.iter().enumerate() {
            if let Some(image) = item.get("image_url").and_then(Value::as_str).and_then(generated_media::of_url) {
                self.image(image, out)?;
                continue;
            }
            let refusal = word(item, "refusal");
            self.refused |= !refusal.is_empty();
            let text = if refusal.is_empty() { item.as_str().unwrap_or_else(|| word(item, "text")) } else { refusal };
            if !text.is_empty() {
                self.content.grow(text.len())?;
                let block = self.text_block(key, part)?;
                out.push_back(StreamEvent::text(block, text));
            }
            for annotation in list(item, "annotations") {
                self.cite(key, part, annotation, out)?;
            }
        }
        Ok(())
    }
}
