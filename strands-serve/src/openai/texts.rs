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
    /// The current text so far is void.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use strands_core::AgentResponse;
    use strands_core::message::Message;
    use strands_core::models::StopReason;

    use super::*;

    fn delta(text: &str) -> AgentEvent {
        AgentEvent::TextDelta { text: text.to_owned() }
    }

    fn message(text: &str) -> AgentEvent {
        AgentEvent::Message { message: Arc::new(Message::assistant(text)) }
    }

    fn result(text: &str) -> AgentEvent {
        let response = AgentResponse::new(Message::assistant(text), StopReason::EndTurn);
        AgentEvent::Result { response: Box::new(response) }
    }

    fn texts(events: impl IntoIterator<Item = AgentEvent>) -> Vec<String> {
        let (mut reader, mut texts) = (TextReader::default(), Texts::default());
        for event in events {
            reader.read(&event, &mut texts);
        }
        texts.0
    }

    #[test]
    fn each_message_is_a_text() {
        let events =
            [delta("a"), delta("b"), message("ab"), delta(""), message(""), delta("c"), message("c"), result("c")];
        assert_eq!(texts(events), ["ab", "c"]);
    }

    #[test]
    fn discarded_and_redacted_text_is_gone() {
        let retry = |discards_output| AgentEvent::Retry {
            attempt: 1,
            delay: Duration::ZERO,
            error: String::new(),
            discards_output,
        };
        assert_eq!(texts([delta("a"), retry(true), delta("b"), message("b"), result("b")]), ["b"]);
        assert_eq!(texts([retry(false), delta("b"), message("b"), result("b")]), ["b"]);
        let redacted = || AgentEvent::Redacted { user: None, assistant: Some("x".to_owned()) };
        assert_eq!(texts([delta("secret"), redacted(), message("x"), result("x")]), ["x"]);
        assert_eq!(texts([redacted(), message("x"), result("x")]), ["x"]);
    }

    #[test]
    fn text_that_was_not_streamed_is_there() {
        assert_eq!(texts([message("a"), result("a")]), ["a"]);
        assert_eq!(texts([result("a")]), ["a"], "events before it are gone");
        assert_eq!(texts([delta("a"), result("")]), ["a"], "cancelled in the middle");
    }
}
