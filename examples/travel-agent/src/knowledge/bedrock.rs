//! Policy documents in a knowledge base on Amazon Bedrock.

use std::{fmt, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_bedrockagentruntime::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    error::SdkError,
    operation::retrieve::RetrieveError,
    types::{
        KnowledgeBaseQuery, KnowledgeBaseRetrievalConfiguration, KnowledgeBaseRetrievalResult,
        KnowledgeBaseVectorSearchConfiguration,
    },
};
use strands::async_trait;

use super::{KnowledgeError, MOST_PASSAGES, MOST_QUERY_CHARS, MOST_TEXT_CHARS, Passage, PolicySearch, bounded};

/// Default limits of one attempt, and of a search with its repetitions.
const TIMEOUTS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(12)];
const ATTEMPTS: u32 = 3;
const BACKOFF: Duration = Duration::from_millis(200);

/// A knowledge base, searched with its `Retrieve` operation. Credentials need `bedrock:Retrieve`.
pub struct BedrockKnowledgeBase {
    client: Client,
    id: String,
}

impl BedrockKnowledgeBase {
    /// Creates a client for the knowledge base with this id, with the credentials and the region of the environment or the profile.
    pub async fn from_env(id: impl Into<String>) -> Self {
        Self::new(id, &crate::services::aws_config().await, TIMEOUTS)
    }

    /// Creates a client with a configuration of the AWS SDK, and limits of one attempt and of a search with its repetitions.
    pub fn new(id: impl Into<String>, config: &SdkConfig, [attempt, search]: [Duration; 2]) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(search).build();
        let config = aws_sdk_bedrockagentruntime::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF))
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(config), id: id.into() }
    }

    fn passage(&self, result: KnowledgeBaseRetrievalResult) -> Option<Passage> {
        let text = result.content.map(|content| content.text).filter(|text| !text.trim().is_empty())?;
        let uri = result.location.and_then(|location| {
            let s3 = location.s3_location.and_then(|location| location.uri);
            s3.or_else(|| location.web_location.and_then(|location| location.url))
        });
        let source = uri.unwrap_or_else(|| format!("knowledge base {}", self.id));
        Some(Passage {
            source: bounded(&source, MOST_QUERY_CHARS).to_owned(),
            text: bounded(&text, MOST_TEXT_CHARS).to_owned(),
            score: result.score.unwrap_or_default(),
        })
    }
}

#[async_trait]
impl PolicySearch for BedrockKnowledgeBase {
    async fn search(&self, query: &str, limit: u8) -> Result<Vec<Passage>, KnowledgeError> {
        let query = bounded(query.trim(), MOST_QUERY_CHARS);
        if query.is_empty() {
            return Err(KnowledgeError::EmptyQuery);
        }
        let limit = limit.clamp(1, MOST_PASSAGES);
        let vectors = KnowledgeBaseVectorSearchConfiguration::builder().number_of_results(limit.into()).build();
        let retrieval = KnowledgeBaseRetrievalConfiguration::builder().vector_search_configuration(vectors).build();
        let sent = self
            .client
            .retrieve()
            .knowledge_base_id(&self.id)
            .retrieval_query(KnowledgeBaseQuery::builder().text(query).build())
            .retrieval_configuration(retrieval)
            .send()
            .await;
        let results = sent.map_err(classified)?.retrieval_results;
        Ok(results.into_iter().filter_map(|result| self.passage(result)).take(limit.into()).collect())
    }
}

fn classified(error: SdkError<RetrieveError>) -> KnowledgeError {
    let kind = match &error {
        SdkError::TimeoutError(_) => KnowledgeError::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => KnowledgeError::TimedOut,
        SdkError::ServiceError(service) => match service.err() {
            error if error.is_throttling_exception() || error.is_service_quota_exceeded_exception() => {
                KnowledgeError::Throttled
            }
            error
                if error.is_access_denied_exception()
                    || error.is_resource_not_found_exception()
                    || error.is_validation_exception() =>
            {
                KnowledgeError::Denied
            }
            _ => KnowledgeError::Failed,
        },
        _ => KnowledgeError::Failed,
    };
    kind(error.into())
}

impl fmt::Debug for BedrockKnowledgeBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BedrockKnowledgeBase").field("id", &self.id).finish_non_exhaustive()
    }
}
