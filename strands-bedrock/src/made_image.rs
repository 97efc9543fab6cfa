//! An image that a model makes, while it is streamed: its format first, then its bytes.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use strands_core::message::{ImageBlock, ImageFormat, MediaSource};
use strands_core::models::{ModelError, StreamEvent};

use crate::stream::decode_base64;

#[derive(Deserialize)]
pub(crate) struct ImageStart {
    format: ImageFormat,
}

/// A piece of an image. One that could not be made has an error instead.
#[derive(Deserialize)]
pub(crate) struct ImagePiece {
    source: Option<Value>,
}

/// An image of which more may come.
pub(crate) struct MadeImage {
    pub(crate) index: usize,
    format: ImageFormat,
    bytes: Vec<u8>,
    /// Location of the image, if it comes without its bytes.
    location: Option<Value>,
}

impl MadeImage {
    pub(crate) fn new(index: usize, start: ImageStart) -> Self {
        Self { index, format: start.format, bytes: Vec::new(), location: None }
    }

    /// Takes in a piece. Returns by how many bytes the image grew.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::Protocol`] if its bytes are not base64.
    pub(crate) fn push(&mut self, piece: ImagePiece) -> Result<usize, ModelError> {
        let Some(source) = piece.source else { return Ok(0) };
        let Some(encoded) = source.get("bytes").and_then(Value::as_str) else {
            let size = source.to_string().len();
            self.location = Some(source);
            return Ok(size);
        };
        let bytes = decode_base64(encoded, "an image is")?;
        self.bytes.extend_from_slice(&bytes);
        Ok(bytes.len())
    }

    /// The image, if there is one, and the end of its block.
    pub(crate) fn finish(self) -> [Option<StreamEvent>; 2] {
        let location = self.location.and_then(|location| MediaSource::deserialize(location).ok());
        let bytes = (!self.bytes.is_empty()).then(|| MediaSource::from(Bytes::from(self.bytes)));
        let image = bytes.or(location).map(|source| ImageBlock::new(self.format, source));
        [image.map(|image| StreamEvent::media(self.index, image)), Some(StreamEvent::block_stop(self.index))]
    }
}
