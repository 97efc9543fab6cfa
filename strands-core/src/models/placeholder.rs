//! Texts that take the place of content that no provider accepts. They are sent, and never stored.

use crate::message::ToolResult;

/// A text that is blank, or a message without content. The words of Strands.
pub const BLANK_TEXT: &str = "[blank text]";

/// A tool result without content.
pub const EMPTY_RESULT: &str = "[The tool returned nothing.]";

/// An error result without content.
pub const EMPTY_ERROR: &str = "Error: the tool failed.";

/// A document that no text goes with.
pub const DOCUMENT: &str = "[See the attached document.]";

/// An image without bytes.
pub const EMPTY_IMAGE: &str = "[An empty image.]";

/// A document without bytes.
pub const EMPTY_DOCUMENT: &str = "[An empty document.]";

/// A video without bytes.
pub const EMPTY_VIDEO: &str = "[An empty video.]";

/// Audio without bytes.
pub const EMPTY_AUDIO: &str = "[An empty audio recording.]";

/// A medium that a model made, where only users may send media.
pub const MODEL_MEDIA: &str = "[Media that can't be shown to this model.]";

/// The text of a result of which no part can be sent.
pub fn of_result(result: &ToolResult) -> &'static str {
    if result.is_error() { EMPTY_ERROR } else { EMPTY_RESULT }
}
