//! The texts of a turn: one for each assistant message that has some, and one about a suspended turn.

use strands_core::AgentEvent;
use strands_core::message::Role;

use super::approvals;

/// Receives the texts of a turn.
pub(super) trait TextSink {
    /// A text starts.
    fn start(&mut self);
    /// The current text continues.
    fn delta(&mut self, delta: &str);
    /// What the current text has so far is void.
    fn discard(&mut self);
    /// The current text ends.
    fn end(&mut self);
}

/// Finds the texts in the events of a turn.
#[derive(Default)]
pub(super) struct TextReader {
    is_open: bool,
    /// True if the current message was redacted after its text.
    is_redacted: bool,
    has_text: bool,
}

impl TextReader {
    pub(super) fn read(&mut self, event: &AgentEvent, sink: &mut impl TextSink) {
        match event {
            AgentEvent::TextDelta { text } if !text.is_empty() => self.delta(text, sink),
            AgentEvent::Retry { discards_output: true, .. } if self.is_open => sink.discard(),
            AgentEvent::Redacted { assistant: Some(_), .. } => self.is_redacted = self.is_open,
            AgentEvent::Message { message } if message.role == Role::Assistant => {
                let text = message.text();
                if std::mem::take(&mut self.is_redacted) {
                    sink.discard();
                    self.delta(&text, sink);
                } else if !self.is_open && !text.is_empty() {
                    // It was not streamed.
                    self.delta(&text, sink);
                }
                self.end(sink);
            }
            AgentEvent::Result { response } => {
                self.end(sink);
                // Events before the result are gone.
                let text = if self.has_text { String::new() } else { response.text() };
                for text in [Some(text), approvals::notice(response)].into_iter().flatten().filter(|t| !t.is_empty()) {
                    self.delta(&text, sink);
                    self.end(sink);
                }
            }
            _ => {}
        }
    }

    fn delta(&mut self, text: &str, sink: &mut impl TextSink) {
        if !std::mem::replace(&mut self.is_open, true) {
            sink.start();
        }
        self.has_text = true;
        sink.delta(text);
    }

    fn end(&mut self, sink: &mut impl TextSink) {
        if std::mem::take(&mut self.is_open) {
            sink.end();
        }
    }
}

/// Collects the texts.
#[derive(Default)]
pub(super) struct Texts(pub(super) Vec<String>);

impl TextSink for Texts {
    fn start(&mut self) {
        self.0.push(String::new());
    }

    fn delta(&mut self, delta: &str) {
        if let Some(text) = self.0.last_mut() {
            text.push_str(delta);
        }
    }

    fn discard(&mut self) {
        if let Some(text) = self.0.last_mut() {
            text.clear();
        }
    }

    fn end(&mut self) {}
}
