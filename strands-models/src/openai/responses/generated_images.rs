//! Images that the provider's image tool generates. An item contains the image as base64; here the image is a separate block
//! after the item, so that programs find it, and requests contain both as one item again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use strands_core::message::{ContentBlock, MediaSource};

use crate::generated_media;

const RESULT: &str = "result";

/// Returns true for an item of the image tool, with or without its image.
pub(super) fn is_of_tool(item: &Value) -> bool {
    item.get("type").is_some_and(|kind| kind == "image_generation_call")
}

/// Returns the item without its image, and the image. `None` if it has none that can be read.
pub(super) fn apart(item: &Value) -> Option<(Value, ContentBlock)> {
    if !is_of_tool(item) {
        return None;
    }
    let format = item.get("output_format").and_then(Value::as_str).unwrap_or("png");
    let result = item.get(RESULT)?.as_str()?;
    let image = if result.starts_with("data:") {
        generated_media::of_url(result)?
    } else {
        generated_media::of_base64(&format!("image/{format}"), result)?
    };
    let mut item = item.clone();
    item.as_object_mut()?.shift_remove(RESULT);
    Some((item, image))
}

/// Returns true for an item whose image is the next block.
pub(super) fn is_apart(item: &Value) -> bool {
    is_of_tool(item) && item.get(RESULT).is_none()
}

/// Returns the item with the image of the next block. `None` if the image was removed.
pub(super) fn together(item: &Value, behind: Option<&ContentBlock>) -> Option<Value> {
    let Some(ContentBlock::Image(image)) = behind else { return None };
    let MediaSource::Bytes(bytes) = &image.source else { return None };
    let mut item = item.clone();
    item.as_object_mut()?.insert(RESULT.to_owned(), STANDARD.encode(bytes).into());
    Some(item)
}
