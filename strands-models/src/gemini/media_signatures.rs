//! Signatures of generated media. The medium is an ordinary content block. Its signature is provider content in the next
//! block, and is sent back on the medium's part, as the provider requires.

use serde_json::{Value, json};
use strands_core::message::{ContentBlock, ProviderContent};

use super::PROVIDER;
use crate::generated_media;

const SIGNATURE: &str = "thoughtSignature";
const BEFORE: &str = "ofMediaBefore";

/// Splits a part into its medium and a block with its signature. `None` for other parts, and for drafts in reasoning.
pub(super) fn split_part(part: &Value) -> Option<(ContentBlock, Option<ProviderContent>)> {
    let fields = part.as_object()?;
    let data = fields.get("inlineData")?;
    let signature = fields.get(SIGNATURE).and_then(Value::as_str);
    // Parts with more fields are sent back unchanged.
    if fields.len() != 1 + usize::from(signature.is_some()) || data.as_object()?.len() != 2 {
        return None;
    }
    let medium = generated_media::of_base64(data.get("mimeType")?.as_str()?, data.get("data")?.as_str()?)?;
    let block = signature.map(|signature| ProviderContent::new(PROVIDER, json!({SIGNATURE: signature, BEFORE: true})));
    Some((medium, block))
}

/// Returns the signature of the medium in the previous block.
pub(super) fn signature(content: &Value) -> Option<&str> {
    content.get(BEFORE)?;
    content.get(SIGNATURE)?.as_str()
}
