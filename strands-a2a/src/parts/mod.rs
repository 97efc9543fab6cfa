//! Conversion between the parts of A2A and content blocks, for the server and the client.
//!
//! Every kind of part has a block that models read, and is restored from it:
//!
//! | part | block |
//! |---|---|
//! | text | text |
//! | bytes | image, document, video or audio by media type; a text file is a document |
//! | URL of an image or a PDF | image or document with a location |
//! | other URL | text that names it |
//! | data | text with the JSON |
//!
//! The last two remember their part within the process ([`UnknownFields`](strands_core::message::UnknownFields)), so that an agent
//! that forwards a message of another agent forwards the part.

mod blocks;
mod formats;
mod outgoing;

pub(crate) use blocks::blocks_of;
pub(crate) use outgoing::parts_of;

/// Field of a text block with the part that it was made from.
const PART: &str = "a2aPart";

/// Field of other blocks with the media type and the file name of their part.
const FILE: &str = "a2aFile";

#[cfg(test)]
mod tests;
