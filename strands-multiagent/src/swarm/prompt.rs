//! Prompt of a member: the handoff, the task, and the knowledge of the swarm, in the form of Strands.

use std::fmt::Write as _;
use std::sync::Arc;

use strands_core::Prompt;
use strands_core::message::{ContentBlock, Message};

use super::handoff::TOOL;
use super::shared_context::SharedContext;
use crate::node::is_output;

/// Maximum number of members that are listed as those who have worked on the task; the latest count.
const MAX_HISTORY: usize = 50;

/// The parts of a prompt.
pub(super) struct Parts<'a> {
    pub(super) task: &'a Prompt,
    /// Message of the member that handed over.
    pub(super) message: Option<&'a str>,
    /// Response of the member before this one, if it did not hand over.
    pub(super) response: Option<(&'a str, &'a Message)>,
    pub(super) history: &'a [Arc<str>],
    pub(super) shared: &'a SharedContext,
    /// The members that may be next, with their descriptions.
    pub(super) others: &'a [(&'a str, &'a str)],
    /// The member that continues if this one does not hand over.
    pub(super) returns_to: Option<&'a str>,
}

impl Parts<'_> {
    /// Returns the prompt: one text, followed by the content of the task and of the response that is no text.
    pub(super) fn prompt(&self) -> Prompt {
        let mut content = vec![ContentBlock::from(self.text())];
        let of_task = self.task.messages().iter().flat_map(|message| &message.content);
        let of_response = self.response.iter().flat_map(|(_, message)| &message.content);
        let is_media = |block: &&ContentBlock| is_output(block) && !matches!(block, ContentBlock::Text(_));
        content.extend(of_task.chain(of_response).filter(is_media).cloned());
        Prompt::from(content)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        if let Some(message) = self.message {
            let _ = write!(text, "Handoff Message: {message}\n\n");
        }
        let task = self.task.text();
        if !task.is_empty() {
            let _ = write!(text, "User Request: {task}\n\n");
        }
        if let Some((member, message)) = self.response {
            let _ = write!(text, "Response of {member}: {}\n\n", message.text());
        }
        if let Some(first) = self.history.len().checked_sub(MAX_HISTORY).or((!self.history.is_empty()).then_some(0)) {
            let latest = self.history.get(first..).unwrap_or_default().join(" → ");
            let _ = write!(text, "Previous agents who worked on this: {latest}\n\n");
        }
        if let Some(lines) = self.shared.lines() {
            let _ = write!(text, "Shared knowledge from previous agents:\n{lines}\n");
        }
        if !self.others.is_empty() {
            text.push_str("Other agents available for collaboration:\n");
            for (name, description) in self.others {
                let _ = match *description {
                    "" => writeln!(text, "Agent name: {name}."),
                    description => writeln!(text, "Agent name: {name}. Agent description: {description}"),
                };
            }
            let _ = write!(text, "\nCall {TOOL} if another agent should continue. ");
        }
        match self.returns_to {
            Some(next) => {
                let _ = write!(text, "If you do not hand over, {next} continues with your response.");
            }
            None if self.others.is_empty() => text.push_str("Your response completes the task."),
            None => text.push_str("If you do not hand over, your response completes the task."),
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strands_core::message::{ImageBlock, ImageFormat, Role};

    use super::*;

    #[test]
    fn has_all_parts_and_every_kind_of_content() {
        let image = || ImageBlock::new(ImageFormat::Png, vec![1]);
        let task = Prompt::from(["Write about bees.".into(), image().into()]);
        let mut shared = SharedContext::default();
        shared.add(&"researcher".into(), json!({"legs": 6}).as_object().cloned().unwrap());
        let response = Message::new(Role::Assistant, [ContentBlock::text("Six."), image().into()]);
        let history: Vec<Arc<str>> = vec!["planner".into(), "researcher".into()];
        let parts = Parts {
            task: &task,
            message: Some("Now write."),
            response: Some(("researcher", &response)),
            history: &history,
            shared: &shared,
            others: &[("editor", "Edits."), ("planner", "")],
            returns_to: None,
        };
        let prompt = parts.prompt();
        let content = &prompt.messages().first().unwrap().content;
        assert_eq!(content.len(), 3);
        let expected = "Handoff Message: Now write.\n\nUser Request: Write about bees.\n\nResponse of researcher: Six.\n\n\
            Previous agents who worked on this: planner → researcher\n\nShared knowledge from previous agents:\n\
            • researcher: {\"legs\":6}\n\nOther agents available for collaboration:\nAgent name: editor. Agent description: Edits.\n\
            Agent name: planner.\n\nCall handoff_to_agent if another agent should continue. If you do not hand over, your response \
            completes the task.";
        assert_eq!(prompt.text(), expected);

        let many: Vec<Arc<str>> = (0..60).map(|number| format!("m{number}").into()).collect();
        let alone = Parts {
            message: None,
            response: None,
            history: &many,
            shared: &SharedContext::default(),
            others: &[],
            returns_to: Some("planner"),
            ..parts
        };
        let text = alone.prompt().text();
        assert!(
            text.contains("this: m10 → ")
                && text.ends_with("If you do not hand over, planner continues with your response.")
        );
        assert!(!text.contains(TOOL));
    }
}
