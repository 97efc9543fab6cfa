//! Signatures on media that the model made. The medium is a block that any program can read, and its signature stands behind
//! it as content of Gemini's own, since the provider wants it back on the same part.

use serde_json::{Value, json};
use strands_core::message::{ContentBlock, ProviderContent};

use super::PROVIDER;
use crate::generated_media;

const SIGNATURE: &str = "thoughtSignature";
const BEFORE: &str = "ofMediaBefore";

/// The medium of a part, and what keeps its signature. `None` for other parts, and for drafts that are part of reasoning.
pub(super) fn apart(part: &Value) -> Option<(ContentBlock, Option<ProviderContent>)> {
    let fields = part.as_object()?;
    let data = fields.get("inlineData")?;
    let signature = fields.get(SIGNATURE).and_then(Value::as_str);
    // What has more fields goes back as it came.
    if fields.len() != 1 + usize::from(signature.is_some()) || data.as_object()?.len() != 2 {
        return None;
    }
    let medium = generated_media::of_base64(data.get("mimeType")?.as_str()?, data.get("data")?.as_str()?)?;
    let kept = signature.map(|signature| ProviderContent::new(PROVIDER, json!({SIGNATURE: signature, BEFORE: true})));
    Some((medium, kept))
}

/// The signature of the medium before this.
pub(super) fn signature(content: &Value) -> Option<&str> {
    content.get(BEFORE)?;
    content.get(SIGNATURE)?.as_str()
}
