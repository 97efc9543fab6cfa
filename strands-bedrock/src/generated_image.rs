//! Assembly of a generated image from a stream: its format comes first, then its bytes.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use strands_core::message::{ImageBlock, ImageFormat, MediaSource};
use strands_core::models::{ModelError, StreamEvent};

use crate::stream_reader::decode_base64;

#[derive(Deserialize)]
pub(crate) struct ImageStart {
    format: ImageFormat,
}

/// A chunk of an image. If the image could not be generated, there is an error in place of the source.
#[derive(Deserialize)]
pub(crate) struct ImageDelta {
    source: Option<Value>,
}

/// A partial image.
pub(crate) struct GeneratedImage {
    pub(crate) index: usize,
    format: ImageFormat,
    bytes: Vec<u8>,
    /// Location of the image, if it comes without its bytes.
    location: Option<Value>,
}

impl GeneratedImage {
    pub(crate) fn new(index: usize, start: ImageStart) -> Self {
        Self { index, format: start.format, bytes: Vec::new(), location: None }
    }

    /// Appends a chunk, and returns the number of bytes that it added.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::Protocol`] if its bytes are not base64.
    pub(crate) fn push(&mut self, delta: ImageDelta) -> Result<usize, ModelError> {
        let Some(source) = delta.source else { return Ok(0) };
        let Some(encoded) = source.get("bytes").and_then(Value::as_str) else {
            let size = source.to_string().len();
            self.location = Some(source);
            return Ok(size);
        };
        let bytes = decode_base64(encoded, "an image is")?;
        self.bytes.extend_from_slice(&bytes);
        Ok(bytes.len())
    }

    /// Returns the image, if there is one, and the end of its block.
    pub(crate) fn finish(self) -> [Option<StreamEvent>; 2] {
        let location = self.location.and_then(|location| MediaSource::deserialize(location).ok());
        let bytes = (!self.bytes.is_empty()).then(|| MediaSource::from(Bytes::from(self.bytes)));
        let image = bytes.or(location).map(|source| ImageBlock::new(self.format, source));
        [image.map(|image| StreamEvent::media(self.index, image)), Some(StreamEvent::block_stop(self.index))]
    }
}
