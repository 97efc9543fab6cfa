//! How many tokens a request has, as the provider counts them.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use strands_core::model::{ErrorDetails, ModelError};

use super::body::Body;
use super::{error, known};
use crate::http::{Exchange, body};

/// Asks the provider to count.
pub(super) struct Counting {
    pub(super) exchange: Exchange,
}

impl Counting {
    pub(super) async fn count(&self, request: &Body<'_>) -> Result<u64, ModelError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Counted {
            total_tokens: u64,
        }
        let body = body(&Request { model_id: self.exchange.endpoint.model_id(), request })?;
        let document = self.exchange.ask_for_document(body, error::sort).await?;
        let counted = serde_json::from_slice::<Counted>(&document).map_err(|error| ModelError::Protocol {
            what: "the count of tokens is not what Gemini sends".to_owned(),
            details: ErrorDetails::new().with_source(error).boxed(),
        })?;
        Ok(counted.total_tokens)
    }
}

/// The Gemini API counts a whole request, which stands inside this one; Google Cloud takes the fields as they are.
struct Request<'a> {
    model_id: &'a str,
    request: &'a Body<'a>,
}

impl Serialize for Request<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.request.traits.cloud {
            return self.request.serialize(serializer);
        }
        let mut fields = serializer.serialize_map(Some(1))?;
        fields.serialize_entry("generateContentRequest", &Named(self))?;
        fields.end()
    }
}

struct Named<'a>(&'a Request<'a>);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Request { model_id, request } = self.0;
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("model", &known::resource(model_id))?;
        request.write(fields)?.end()
    }
}
