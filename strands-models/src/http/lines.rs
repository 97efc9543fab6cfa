//! JSON documents, one on each line of a response, with a limit of the size of one document.

use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use serde::de::IgnoredAny;
use sse_stream::Sse;
use strands_core::models::{ErrorDetails, ModelError};
use tokio_util::codec::{Decoder as _, LinesCodec, LinesCodecError};

use super::body::Body;
use super::framing::EVENT_OVERHEAD;

/// Lines of a response.
pub(super) struct LineStream {
    body: Body,
    lines: Lines,
    /// True after the end of the body.
    ended: bool,
}

impl LineStream {
    /// Creates lines of up to `limit` bytes of content each.
    pub(super) fn new(body: Body, limit: usize) -> Self {
        Self { body, lines: Lines::new(limit), ended: false }
    }

    /// Returns the next line that is not empty, or `None` at the end.
    pub(super) fn poll_line(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Sse, ModelError>>> {
        loop {
            if self.ended {
                return Poll::Ready(self.lines.last().transpose());
            }
            if let Some(line) = self.lines.next().transpose() {
                return Poll::Ready(Some(line));
            }
            match ready!(self.body.poll_text(context)) {
                Some(Ok(bytes)) => self.lines.kept.extend_from_slice(&bytes),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.ended = true,
            }
        }
    }
}

/// Splits bytes into lines.
struct Lines {
    codec: LinesCodec,
    /// Bytes of an incomplete line.
    kept: BytesMut,
    limit: usize,
}

impl Lines {
    fn new(limit: usize) -> Self {
        Self { codec: codec(limit), kept: BytesMut::new(), limit }
    }

    fn next(&mut self) -> Result<Option<Sse>, ModelError> {
        while let Some(line) = self.codec.decode(&mut self.kept).map_err(|error| self.broken(error))? {
            if !line.trim().is_empty() {
                return Ok(Some(Sse::default().data(line)));
            }
        }
        Ok(None)
    }

    /// Returns the rest at the end. The last line may lack its line break; one that was cut is dropped.
    fn last(&mut self) -> Result<Option<Sse>, ModelError> {
        if let Some(line) = self.next()? {
            return Ok(Some(line));
        }
        let rest = self.kept.split();
        // The codec stores its position in the bytes that are removed here.
        self.codec = codec(self.limit);
        let is_whole = serde_json::from_slice::<IgnoredAny>(&rest).is_ok();
        let line = std::str::from_utf8(&rest).ok().filter(|_| is_whole);
        Ok(line.map(|line| Sse::default().data(line)))
    }

    fn broken(&self, error: LinesCodecError) -> ModelError {
        match error {
            LinesCodecError::MaxLineLengthExceeded => {
                ModelError::ResponseTooLarge { limit: Some(self.limit), details: Box::default() }
            }
            error @ LinesCodecError::Io(_) => ModelError::Protocol {
                what: "a line of the stream can't be read".to_owned(),
                details: ErrorDetails::new().with_source(error).boxed(),
            },
        }
    }
}

fn codec(limit: usize) -> LinesCodec {
    LinesCodec::new_with_max_length(limit.saturating_add(EVENT_OVERHEAD))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the lines of bytes in these chunks.
    fn read(bytes: &[u8], chunk: usize, limit: usize) -> Result<Vec<String>, ModelError> {
        let mut lines = Lines::new(limit);
        let mut read = Vec::new();
        for chunk in bytes.chunks(chunk) {
            lines.kept.extend_from_slice(chunk);
            while let Some(line) = lines.next()? {
                read.push(line.data.unwrap());
            }
        }
        while let Some(line) = lines.last()? {
            read.push(line.data.unwrap());
        }
        Ok(read)
    }

    proptest! {
        #[test]
        fn reads_lines_alike_in_any_chunks(
            words in prop::collection::vec("[a-z ü\\\\]{0,6}", 0..6), chunk in 1..9_usize, crlf in any::<bool>(), whole in any::<bool>()
        ) {
            let written: Vec<String> = words.iter().map(|word| serde_json::json!({"word": word}).to_string()).collect();
            let mut bytes = written.join(if crlf { "\r\n" } else { "\n\n" });
            if whole {
                bytes.push('\n');
            }
            prop_assert_eq!(read(bytes.as_bytes(), chunk, 64).unwrap(), written);
        }
    }

    #[test]
    fn drops_a_last_line_that_was_cut() {
        assert_eq!(read(b"{\"a\":1}\n{\"a\":", 3, 64).unwrap(), ["{\"a\":1}"]);
    }

    #[test]
    fn rejects_invalid_utf8() {
        let error = read(b"{\"a\":\"\xff\"}\n", 3, 64).unwrap_err();
        assert!(matches!(error, ModelError::Protocol { .. }), "{error}");
    }

    #[test]
    fn limits_a_line_without_an_end() {
        let endless = vec![b'x'; EVENT_OVERHEAD + 100];
        let error = read(&endless, 4096, 64).unwrap_err();
        assert!(matches!(error, ModelError::ResponseTooLarge { limit: Some(64), .. }), "{error}");
    }
}
