//! Placeholder texts for content that no provider accepts. They are sent, and never stored.

use crate::message::ToolResult;

/// Placeholder for blank text, or for a message without content. Python Strands uses the same text.
pub const BLANK_TEXT: &str = "[blank text]";

/// Placeholder for a tool result without content.
pub const EMPTY_RESULT: &str = "[The tool returned nothing.]";

/// Placeholder for an error result without content.
pub const EMPTY_ERROR: &str = "Error: the tool failed.";

/// Text that accompanies a document in a message without text.
pub const DOCUMENT: &str = "[See the attached document.]";

/// Placeholder for an image without bytes.
pub const EMPTY_IMAGE: &str = "[An empty image.]";

/// Placeholder for a document without bytes.
pub const EMPTY_DOCUMENT: &str = "[An empty document.]";

/// Placeholder for a video without bytes.
pub const EMPTY_VIDEO: &str = "[An empty video.]";

/// Placeholder for audio without bytes.
pub const EMPTY_AUDIO: &str = "[An empty audio recording.]";

/// Placeholder for a medium that a model generated, for providers that accept media from users only.
pub const MODEL_MEDIA: &str = "[Media that can't be shown to this model.]";

/// Returns the placeholder for a tool result of which no part can be sent.
pub fn of_result(result: &ToolResult) -> &'static str {
    if result.is_error() { EMPTY_ERROR } else { EMPTY_RESULT }
}
