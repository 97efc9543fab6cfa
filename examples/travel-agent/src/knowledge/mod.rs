//! Search of the company's policy documents: the documents in this program, or a knowledge base on Amazon Bedrock.

#[cfg(feature = "aws")]
mod bedrock;
mod embedded;

use std::{error::Error, fmt};

use serde::Serialize;
use strands::async_trait;

#[cfg(feature = "aws")]
pub use bedrock::BedrockKnowledgeBase;
pub use embedded::EmbeddedDocuments;

/// Maximum number of passages of one search.
pub const MOST_PASSAGES: u8 = 10;
/// Maximum number of characters of a query, and of a passage's text. The rest is cut off.
const MOST_QUERY_CHARS: usize = 1_000;
#[cfg(any(feature = "aws", test))]
const MOST_TEXT_CHARS: usize = 2_000;

/// A passage of a policy document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Passage {
    /// The document and its section, or the URI of the document.
    pub source: String,
    /// The text.
    pub text: String,
    /// Relevance: higher is better. Scores of different searches don't compare.
    pub score: f64,
}

/// A search engine for policy documents.
#[async_trait]
pub trait PolicySearch: fmt::Debug + Send + Sync {
    /// Returns the passages that match a query best, best first, at most `limit` of them.
    ///
    /// # Errors
    ///
    /// Returns [`KnowledgeError`] if the documents can't be searched.
    async fn search(&self, query: &str, limit: u8) -> Result<Vec<Passage>, KnowledgeError>;
}

/// An error of a search. Its message goes to the model as a tool error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KnowledgeError {
    /// The query has no words.
    #[error("the query has no words: describe what you are looking for")]
    EmptyQuery,
    /// The documents can't be searched with SQLite.
    #[error("the policy documents can't be searched")]
    Database(#[from] rusqlite::Error),
    /// Too many requests.
    #[error("the knowledge base is busy: try again later")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// The credentials may not use the knowledge base, or it does not exist.
    #[error("the knowledge base refuses the search: its operator must allow `bedrock:Retrieve` and check its id")]
    Denied(#[source] Box<dyn Error + Send + Sync>),
    /// No response in time.
    #[error("the knowledge base did not respond in time: try again later")]
    TimedOut(#[source] Box<dyn Error + Send + Sync>),
    /// Any other failure.
    #[error("the knowledge base failed: try again later")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

/// Returns the beginning of a text, if it is longer than this number of characters.
fn bounded(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}
