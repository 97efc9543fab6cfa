//! Open blocks: content blocks of a streamed response that have begun and not ended.

use std::collections::VecDeque;

use strands_core::models::StreamEvent;

use super::provider_content::ProviderBlock;
use crate::http::StreamedArguments;

/// A content block that has not ended.
pub(super) struct OpenBlock {
    /// Index in the provider's events.
    pub(super) provider_index: usize,
    /// Index in our events.
    pub(super) index: usize,
    pub(super) content: OpenContent,
}

/// Content of an open block.
pub(super) enum OpenContent {
    Text,
    Reasoning,
    ToolCall(Box<CallArguments>),
    Provider(Box<ProviderBlock>),
    /// A block that was complete when it began.
    Complete,
}

/// Arguments of a tool call.
pub(super) struct CallArguments {
    /// Arguments of the start event, until streamed arguments replace them.
    pub(super) initial: Option<String>,
    pub(super) streamed: StreamedArguments,
}

impl OpenBlock {
    /// Adds the block's last events.
    pub(super) fn end(self, out: &mut VecDeque<StreamEvent>) {
        match self.content {
            OpenContent::ToolCall(mut arguments) => {
                if let Some(arguments) = arguments.initial.or_else(|| arguments.streamed.end()) {
                    out.push_back(StreamEvent::tool_input(self.index, arguments));
                }
            }
            OpenContent::Provider(block) => out.push_back(StreamEvent::provider_content(self.index, block.finish())),
            _ => {}
        }
        out.push_back(StreamEvent::block_stop(self.index));
    }
}
