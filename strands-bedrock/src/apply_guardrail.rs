//! Bedrock's guardrails as checks of an agent, with ApplyGuardrail: for any model, and also for tool results.

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::Config;
use aws_sdk_bedrockruntime::types::{
    GuardrailAction, GuardrailAssessment, GuardrailContentBlock, GuardrailContentSource, GuardrailTextBlock,
};
use secrecy::SecretString;
use strands_core::guardrails::{Check, GuardedContent, Guardrail, Verdict, Window};

use crate::builder::{BedrockBuildError, check_base_url};
use crate::client::{Connection, Shared};

/// Default maximum size of a text: the 25 text units of 1,000 characters that Bedrock accepts in one request.
const MAX_BYTES: usize = 25_000;

/// Action of a policy without a finding, or that only detects.
const NO_ACTION: &str = "NONE";

/// Action of the policy for sensitive information that masks a text. No other policy has it.
const MASKED: &str = "ANONYMIZED";

/// Attempts of one check.
const ATTEMPTS: u32 = 3;

/// A guardrail of Amazon Bedrock, applied to the texts of an agent with any model.
///
/// Each check is one ApplyGuardrail request, and a response of the model is held back until it is complete. Prompts, tool
/// results and responses to interrupts are checked as input, and text, reasoning and tool arguments of the model as output.
/// Masked text replaces the original; blocked content is replaced by the message of the guardrail. A failed request blocks,
/// unless the [hook](strands_core::guardrails::GuardrailHook) lets failures pass. It is tried up to three times.
///
/// The guardrail that a [`BedrockModel`](crate::BedrockModel) applies itself is [`Guardrail`](crate::Guardrail); it costs no
/// requests, but only knows models on Bedrock.
///
/// ```no_run
/// use strands::Agent;
/// use strands::guardrails::{GuardedContent, GuardrailHook};
/// use strands::models::bedrock::BedrockGuardrail;
/// # use strands::testing::ScriptedModel;
///
/// # async fn example(model: ScriptedModel) -> Result<(), Box<dyn std::error::Error>> {
/// let guardrail = BedrockGuardrail::builder("gr-abc123", "1").region("us-east-1").build().await?;
/// let hook = GuardrailHook::new(guardrail).except([GuardedContent::Reasoning]);
/// let agent = Agent::builder().model(model).hook(hook).build().await?;
/// # let _ = agent; Ok(()) }
/// ```
#[derive(Clone)]
pub struct BedrockGuardrail {
    shared: Arc<Shared>,
    id: String,
    version: String,
    max_bytes: usize,
}

/// Builder for [`BedrockGuardrail`]. `Debug` shows no secrets.
#[derive(Clone)]
#[must_use = "a builder does nothing until `build()`"]
pub struct BedrockGuardrailBuilder {
    id: String,
    version: String,
    connection: Connection,
    sdk_config: Option<SdkConfig>,
    client: Option<Client>,
    max_bytes: usize,
}

impl BedrockGuardrail {
    /// Returns a builder for a guardrail with this id or ARN, and this version: a number, or `DRAFT`.
    pub fn builder(id: impl Into<String>, version: impl Into<String>) -> BedrockGuardrailBuilder {
        BedrockGuardrailBuilder {
            id: id.into(),
            version: version.into(),
            connection: Connection::default(),
            sdk_config: None,
            client: None,
            max_bytes: MAX_BYTES,
        }
    }
}

#[async_trait]
impl Guardrail for BedrockGuardrail {
    fn name(&self) -> &str {
        &self.id
    }

    fn window(&self) -> Window {
        Window::whole(self.max_bytes)
    }

    async fn check(&self, check: &Check<'_>) -> Result<Verdict, Box<dyn StdError + Send + Sync>> {
        // Bedrock rejects blank text.
        if check.text.trim().is_empty() {
            return Ok(Verdict::Pass);
        }
        let source = match check.content {
            GuardedContent::Prompt | GuardedContent::InterruptResponse | GuardedContent::ToolResult => {
                GuardrailContentSource::Input
            }
            _ => GuardrailContentSource::Output,
        };
        let text = GuardrailTextBlock::builder().text(check.text).build()?;
        let retries = Config::builder().retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
        let request = self
            .shared
            .client
            .apply_guardrail()
            .guardrail_identifier(&self.id)
            .guardrail_version(&self.version)
            .source(source)
            .content(GuardrailContentBlock::Text(text))
            .customize()
            .config_override(retries);
        // The SDK's future is large.
        let response = Box::pin(request.send()).await?;
        if response.action == GuardrailAction::None {
            return Ok(Verdict::Pass);
        }
        let text: String = response.outputs.iter().filter_map(|output| output.text.as_deref()).collect();
        let is_masked = !response.assessments.is_empty() && response.assessments.iter().all(is_only_masked);
        match (is_masked, text.is_empty()) {
            (true, true) => Err("the guardrail returned no masked text".into()),
            (true, false) => Ok(Verdict::Rewrite(text)),
            (false, true) => Ok(Verdict::block("blocked by a guardrail")),
            (false, false) => Ok(Verdict::block(text)),
        }
    }
}

/// Returns true if an assessment masks text, and has no other action.
fn is_only_masked(assessment: &GuardrailAssessment) -> bool {
    let topics = assessment.topic_policy.iter().flat_map(|policy| &policy.topics).map(|topic| topic.action.as_str());
    let content =
        assessment.content_policy.iter().flat_map(|policy| &policy.filters).map(|found| found.action.as_str());
    let words = assessment.word_policy.iter().flat_map(|policy| {
        let custom = policy.custom_words.iter().map(|word| word.action.as_str());
        custom.chain(policy.managed_word_lists.iter().map(|word| word.action.as_str()))
    });
    let grounding = assessment.contextual_grounding_policy.iter().flat_map(|policy| policy.filters());
    let grounding = grounding.map(|filter| filter.action.as_str());
    let sensitive = assessment.sensitive_information_policy.iter().flat_map(|policy| {
        let entities = policy.pii_entities.iter().map(|entity| entity.action.as_str());
        entities.chain(policy.regexes.iter().map(|regex| regex.action.as_str()))
    });
    let findings = assessment.automated_reasoning_policy.iter().flat_map(|policy| policy.findings());
    let others = topics.chain(content).chain(words).chain(grounding);
    let mut actions = others.chain(sensitive).filter(|action| *action != NO_ACTION).peekable();
    findings.count() == 0 && actions.peek().is_some() && actions.all(|action| action == MASKED)
}

impl std::fmt::Debug for BedrockGuardrail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BedrockGuardrail").field("id", &self.id).field("version", &self.version).finish_non_exhaustive()
    }
}

impl BedrockGuardrailBuilder {
    /// AWS region. Default: that of the environment or the profile, or else `us-west-2`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.connection.region = Some(region.into());
        self
    }

    /// Base URL of the endpoint. Default: that of the region.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.connection.base_url = Some(url.into());
        self
    }

    /// Bedrock API key, in place of AWS credentials.
    pub fn api_key(mut self, key: impl Into<SecretString>) -> Self {
        self.connection.api_key = Some(key.into());
        self
    }

    /// Configuration of the AWS SDK to start from: credentials, region, HTTP client and timeouts.
    pub fn sdk_config(mut self, config: &SdkConfig) -> Self {
        self.sdk_config = Some(config.clone());
        self
    }

    /// Client of the AWS SDK whose configuration to use.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Maximum size of a text, in bytes. A longer one is blocked. Default: 25,000, which Bedrock accepts in any region; accounts
    /// may have a higher quota.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Builds the guardrail. Nothing is sent; the first check looks for credentials.
    ///
    /// # Errors
    ///
    /// Returns [`BedrockBuildError`] for invalid options.
    pub async fn build(self) -> Result<BedrockGuardrail, BedrockBuildError> {
        if self.client.is_some() && self.sdk_config.is_some() {
            return Err(BedrockBuildError::TwoClients);
        }
        check_base_url(&self.connection)?;
        let shared = match (&self.client, &self.sdk_config) {
            (Some(client), _) => Arc::new(self.connection.like(client)),
            (None, Some(config)) => Arc::new(self.connection.over(config)),
            (None, None) => Box::pin(self.connection.shared()).await,
        };
        Ok(BedrockGuardrail { shared, id: self.id, version: self.version, max_bytes: self.max_bytes })
    }
}

impl std::fmt::Debug for BedrockGuardrailBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BedrockGuardrailBuilder")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("region", &self.connection.region)
            .field("api_key", &self.connection.api_key.as_ref().map(|_| "[redacted]"))
            .finish_non_exhaustive()
    }
}
