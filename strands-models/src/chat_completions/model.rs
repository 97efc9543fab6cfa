//! Model over Chat Completions, in the dialect of its server.

use std::sync::Arc;

use serde_json::{Map, Value};
use strands_core::models::{MessageSerializer, ModelCapabilities, ModelError, ModelRequest, ModelStream};

use super::classify;
use super::content::system_text;
use super::dialect::Dialect;
use super::request::{Body, OutgoingMessage, PlainMessage};
use super::settings::Settings;
use super::stream_reader::ChatReader;
use crate::http::{self, Conversation, Exchange};

/// Model behind a server with Chat Completions.
pub(crate) struct Chat {
    pub(crate) exchange: Exchange,
    pub(crate) dialect: Arc<Dialect>,
    pub(crate) settings: Settings,
    pub(crate) extra: Map<String, Value>,
    pub(crate) context_window: Option<u64>,
    pub(crate) capabilities: ModelCapabilities,
    pub(crate) serializer: MessageSerializer,
    /// Endpoint that counts the tokens of a request, if the server has one.
    pub(crate) counter: Option<Exchange>,
}

impl Chat {
    fn body(&self, request: &ModelRequest<'_>, streaming: bool) -> Result<Vec<u8>, ModelError> {
        let mut body = http::body(&Body {
            model_id: self.exchange.endpoint.model_id(),
            dialect: &self.dialect,
            settings: &self.settings,
            extra: &self.extra,
            request,
            streaming,
        })?;
        // As every field in `extra`, it overrides ours.
        if !self.extra.contains_key("messages") {
            let conversation = Conversation {
                messages: request.messages,
                serialized: request.serialized,
                serializer: self.serializer,
            };
            let system = system_text(request.system);
            let system = system.as_ref().map(|text| PlainMessage { role: "system", content: &**text });
            conversation.append(&mut body, "messages", system.as_ref(), |bytes, message| {
                serde_json::to_writer(bytes, &OutgoingMessage(message, &self.dialect))
            })?;
        }
        Ok(body)
    }

    pub(crate) async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let body = self.body(&request, self.exchange.streaming)?;
        let reader = |limit| ChatReader::new(Arc::clone(&self.dialect), limit);
        self.exchange.ask(body, |error_response| classify(error_response, self.dialect.classify), reader).await
    }

    /// Returns the number of input tokens of a request, if the server can count them.
    pub(crate) async fn count_tokens(&self, request: ModelRequest<'_>) -> Option<Result<u64, ModelError>> {
        let counter = self.counter.as_ref()?;
        let body = match self.body(&request, false) {
            Ok(body) => body,
            Err(error) => return Some(Err(error)),
        };
        Some(
            counter
                .ask_for_count(body, |error_response| classify(error_response, self.dialect.classify), "input_tokens")
                .await,
        )
    }
}

/// Implements `Model` and `builder()` for a struct with a field `chat: Arc<Chat>`.
macro_rules! chat_model {
    ($model:ident, $builder:ident) => {
        impl $model {
            /// Returns a builder with default options.
            pub fn builder() -> $builder {
                $builder::default()
            }
        }

        #[async_trait::async_trait]
        impl strands_core::models::Model for $model {
            fn model_id(&self) -> &str {
                self.chat.exchange.endpoint.model_id()
            }

            fn context_window(&self) -> Option<u64> {
                self.chat.context_window
            }

            fn capabilities(&self) -> strands_core::models::ModelCapabilities {
                self.chat.capabilities
            }

            async fn stream(
                &self,
                request: strands_core::models::ModelRequest<'_>,
            ) -> Result<strands_core::models::ModelStream, strands_core::models::ModelError> {
                self.chat.stream(request).await
            }

            async fn count_tokens(
                &self,
                request: strands_core::models::ModelRequest<'_>,
            ) -> Result<u64, strands_core::models::ModelError> {
                match self.chat.count_tokens(request).await {
                    Some(counted) => counted,
                    None => Ok(strands_core::models::estimate_tokens(&request)),
                }
            }
        }

        impl std::fmt::Debug for $model {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.chat.exchange.describe(f.debug_struct(stringify!($model)))
            }
        }
    };
}

pub(crate) use chat_model;
