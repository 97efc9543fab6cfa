//! The provider's own count of a request's tokens. Source:
//! <https://platform.claude.com/docs/en/build-with-claude/token-counting>.

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use serde::Deserialize;
use sse_stream::Sse;
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::model::{ErrorDetails, ModelError, StreamEvent};

use crate::http::{AnswerReader, Exchange, Framing, ReadError};

#[derive(Deserialize)]
struct Counted {
    input_tokens: u64,
}

/// Reads a count as the cost of an answer without words.
struct CountReader;

impl AnswerReader for CountReader {
    const FRAMING: Framing = Framing::ServerSentEvents;

    fn read(&mut self, _: &Sse, _: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        Ok(())
    }

    fn end(&mut self, _: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        Err(ModelError::protocol("a count of tokens is one document, and this is none").into())
    }

    fn is_complete(&self) -> bool {
        false
    }

    fn whole(self, document: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let counted: Counted = serde_json::from_slice(document).map_err(|error| ModelError::Protocol {
            what: "the count of tokens is not what Messages sends".to_owned(),
            details: ErrorDetails::new().with_source(error).boxed(),
        })?;
        out.push_back(StreamEvent::metadata(Usage::new(counted.input_tokens, 0), ModelMetrics::default()));
        Ok(())
    }
}

/// How many tokens a request has.
pub(super) async fn count(exchange: &Exchange, body: Vec<u8>) -> Result<u64, ModelError> {
    let mut counted = exchange.ask(body, super::error::sort, |_| CountReader).await?;
    match counted.next().await.transpose()? {
        Some(StreamEvent::Metadata { usage, .. }) => Ok(usage.input_tokens),
        _ => Err(ModelError::protocol("the provider has counted no tokens")),
    }
}
