//! Content other than plain text and calls: parts of a message, details of reasoning, citations.

use std::collections::VecDeque;

use serde_json::{Map, Value};
use strands_core::message::{Citation, ContentBlock, ProviderContent};
use strands_core::models::{ReasoningDelta, StreamEvent};

use super::stream_reader::{ChatReader, Section};
use crate::generated_media;
use crate::http::ReadError;

impl ChatReader {
    /// Reads a part of a message whose content is a list.
    pub(super) fn part(&mut self, part: Value, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let word = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        // Some servers have strings in the list, or omit the type of a part.
        if let Value::String(text) = part {
            return if text.is_empty() { Ok(()) } else { self.text(text, out) };
        }
        match part.get("type").and_then(Value::as_str) {
            Some("text") | None => match word(&part, "text") {
                text if text.is_empty() => Ok(()),
                text => self.text(text, out),
            },
            Some("thinking") => {
                let texts = match part.get("thinking") {
                    Some(Value::Array(texts)) => texts.iter().map(|text| word(text, "text")).collect(),
                    _ => vec![word(&part, "thinking")],
                };
                for text in texts.into_iter().filter(|text| !text.is_empty()) {
                    self.reasoning(text, out)?;
                }
                let signature = word(&part, "signature");
                if !signature.is_empty() {
                    self.content.grow(signature.len())?;
                    let block = self.block(Section::Reasoning, out);
                    out.push_back(StreamEvent::reasoning(block, ReasoningDelta::Signature(signature)));
                    // The next reasoning has its own signature.
                    self.close(out);
                }
                Ok(())
            }
            Some("reference") => {
                let mut citation = Citation::default();
                citation.location = Some(serde_json::json!({"reference": {"ids": part.get("reference_ids")}}));
                self.cite(citation, out)
            }
            Some("image_url") => self.image(part, out),
            // Sent back to the server unchanged.
            Some(_) => {
                self.content.grow(part.to_string().len())?;
                self.close(out);
                let block = self.new_block();
                let own = ProviderContent::new(self.dialect.provider.clone(), part);
                out.extend([StreamEvent::provider_content(block, own), StreamEvent::block_stop(block)]);
                Ok(())
            }
        }
    }

    /// Reads an image that the model has generated. One that can't be read is kept unchanged.
    pub(super) fn image(&mut self, image: Value, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let url = image.get("image_url").unwrap_or(&image);
        let url = url.get("url").unwrap_or(url).as_str().unwrap_or_default();
        // Form of OpenAI's Images API.
        let bare = image.get("b64_json").and_then(Value::as_str).unwrap_or_default();
        self.content.grow(size_of::<ContentBlock>() + url.len() + bare.len())?;
        self.close(out);
        let block = self.new_block();
        out.push_back(match generated_media::of_url(url).or_else(|| generated_media::of_base64("image/png", bare)) {
            Some(image) => StreamEvent::media(block, image),
            None => StreamEvent::provider_content(block, ProviderContent::new(self.dialect.provider.clone(), image)),
        });
        out.push_back(StreamEvent::block_stop(block));
        Ok(())
    }

    pub(super) fn cite(&mut self, citation: Citation, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.content.grow(size_of::<Citation>())?;
        let block = self.block(Section::Text, out);
        out.push_back(StreamEvent::citation(block, citation));
        Ok(())
    }

    /// Reads reasoning details. They may continue until the end of the message, so their block stays open until then.
    pub(super) fn detail(&mut self, details: Vec<Value>, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let mut details = details.into_iter().filter_map(|detail| match detail {
            Value::Object(detail) => Some(detail),
            _ => None,
        });
        let Some(first) = details.next() else {
            return Ok(());
        };
        if self.detailed.is_none() {
            let block = self.block(Section::Reasoning, out);
            self.detailed = Some(block);
            // Reserves the position of the block in the message.
            out.push_back(StreamEvent::reasoning(block, ReasoningDelta::Text(String::new())));
        }
        for detail in std::iter::once(first).chain(details) {
            let texts = detail.values().filter_map(Value::as_str).map(str::len).sum::<usize>();
            self.content.grow(size_of::<Map<String, Value>>() + texts)?;
            self.details.push(detail);
        }
        Ok(())
    }
}

/// Location of a citation on the web.
pub(super) fn citation(annotation: &Value) -> Option<Citation> {
    let cited = annotation.get("url_citation")?;
    let mut citation = Citation::default();
    citation.title = cited.get("title").and_then(Value::as_str).map(str::to_owned);
    citation.location = Some(serde_json::json!({"web": {"url": cited.get("url")?}}));
    Some(citation)
}
