//! Parts, messages and artifacts. A part of 0.3 names its kind, and has a file in an object of its own; a part of 1.0 is known by the
//! field that has its content.

use serde_json::{Value, json};

use super::TranslationError;
use super::json::{Object, change_each, rename, take, text};

/// Key of the metadata that says that the data of a part is under `value`, since 0.3 has no data but objects. `a2a-sdk` 1.x calls it so.
const WRAPPED_DATA: &str = "data_part_compat";

pub(super) fn message_to_v1(message: &mut Object) -> Result<(), TranslationError> {
    message.remove("kind");
    let role = match text(message, "role") {
        Some("user") => "ROLE_USER",
        Some("agent") => "ROLE_AGENT",
        _ => return Err(TranslationError::Field { what: "message", field: "role" }),
    };
    message.insert("role".to_owned(), role.into());
    change_each(message, "parts", "message", part_to_v1)
}

pub(super) fn message_to_v03(message: &mut Object) -> Result<(), TranslationError> {
    let role = if text(message, "role") == Some("ROLE_USER") { "user" } else { "agent" };
    message.insert("role".to_owned(), role.into());
    message.insert("kind".to_owned(), "message".into());
    message.entry("parts").or_insert_with(|| json!([]));
    change_each(message, "parts", "message", part_to_v03)
}

#[cfg(feature = "client")]
pub(super) fn artifact_to_v1(artifact: &mut Object) -> Result<(), TranslationError> {
    change_each(artifact, "parts", "artifact", part_to_v1)
}

#[cfg(feature = "server")]
pub(super) fn artifact_to_v03(artifact: &mut Object) -> Result<(), TranslationError> {
    artifact.entry("parts").or_insert_with(|| json!([]));
    change_each(artifact, "parts", "artifact", part_to_v03)
}

fn part_to_v1(part: &mut Object) -> Result<(), TranslationError> {
    part.remove("kind");
    if let Some(file) = take(part, "file") {
        let Value::Object(mut file) = file else { return Err(TranslationError::NoObject { what: "file part" }) };
        rename(&mut file, "bytes", "raw");
        rename(&mut file, "uri", "url");
        rename(&mut file, "mimeType", "mediaType");
        rename(&mut file, "name", "filename");
        if !["raw", "url"].iter().any(|content| file.get(*content).is_some_and(Value::is_string)) {
            return Err(TranslationError::Field { what: "file part", field: "bytes` or `uri" });
        }
        part.extend(file);
        return Ok(());
    }
    let is_wrapped = part.get("metadata").and_then(|metadata| metadata.get(WRAPPED_DATA)) == Some(&Value::Bool(true));
    if is_wrapped {
        if let Some(Value::Object(mut data)) = part.remove("data") {
            part.insert("data".to_owned(), data.remove("value").unwrap_or_default());
        }
        if let Some(metadata) = part.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove(WRAPPED_DATA);
        }
    }
    if part.get("text").is_some_and(Value::is_string) || part.contains_key("data") {
        Ok(())
    } else {
        Err(TranslationError::Field { what: "part", field: "text`, `file` or `data" })
    }
}

fn part_to_v03(part: &mut Object) -> Result<(), TranslationError> {
    let media_type = take(part, "mediaType");
    let name = take(part, "filename");
    for (content, content_v03) in [("raw", "bytes"), ("url", "uri")] {
        if let Some(content) = take(part, content) {
            let mut file = Object::new();
            file.insert(content_v03.to_owned(), content);
            file.extend(media_type.map(|media_type| ("mimeType".to_owned(), media_type)));
            file.extend(name.map(|name| ("name".to_owned(), name)));
            part.insert("kind".to_owned(), "file".into());
            part.insert("file".to_owned(), Value::Object(file));
            return Ok(());
        }
    }
    // Texts and data have neither a media type nor a name in 0.3.
    if part.contains_key("text") {
        part.insert("kind".to_owned(), "text".into());
        return Ok(());
    }
    let Some(data) = part.remove("data") else {
        return Err(TranslationError::Field { what: "part", field: "text`, `raw`, `url` or `data" });
    };
    part.insert("kind".to_owned(), "data".into());
    if data.is_object() {
        part.insert("data".to_owned(), data);
        return Ok(());
    }
    part.insert("data".to_owned(), json!({"value": data}));
    let mut metadata = match part.remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        _ => Object::new(),
    };
    metadata.insert(WRAPPED_DATA.to_owned(), true.into());
    part.insert("metadata".to_owned(), Value::Object(metadata));
    Ok(())
}
