//! Properties of Google's models by model id, and model ids in URLs.

use super::media::NestedMedia;

/// Context window, in tokens, of all Gemini models for text since 1.5 ([models][models]).
///
/// [models]: https://ai.google.dev/gemini-api/docs/models
const CONTEXT_WINDOW: u64 = 1_048_576;

/// Differences between models with the same protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    /// The model rejects calls without a signature, and accepts media in tool results: Gemini 3 and later.
    pub(super) signs_calls: bool,
    /// The model supports response schemas.
    pub(super) follows_schemas: bool,
    /// The server is Google Cloud's, whose protocol differs in some fields.
    pub(super) cloud: bool,
}

impl Traits {
    /// Returns the traits of a model id at a host.
    pub(super) fn of(model_id: &str, host: &str) -> Self {
        let name = name(model_id);
        Self {
            signs_calls: generation(name).is_some_and(|generation| generation >= 3) || is_latest(name),
            follows_schemas: !name.starts_with("gemma") && !makes_media(name),
            cloud: host == "aiplatform.googleapis.com" || host.ends_with("-aiplatform.googleapis.com"),
        }
    }

    /// Returns the media that tool results may contain.
    pub(super) fn nested_media(self) -> NestedMedia {
        if self.signs_calls { NestedMedia::Some } else { NestedMedia::None }
    }
}

/// Returns the context window in tokens.
pub(super) fn context_window(model_id: &str) -> Option<u64> {
    let name = name(model_id);
    let is_text_model = (generation(name).is_some() || is_latest(name)) && !makes_media(name);
    is_text_model.then_some(CONTEXT_WINDOW)
}

/// Returns the URL path of a model: `models/<id>`, unless the id has a collection, as in `tunedModels/<id>`.
pub(super) fn path<'a>(model_id: &'a str, method: &str) -> Vec<std::borrow::Cow<'a, str>> {
    use std::borrow::Cow;

    let mut path: Vec<Cow<'a, str>> = model_id.split('/').map(Cow::Borrowed).collect();
    if path.len() == 1 {
        path.insert(0, Cow::Borrowed("models"));
    }
    if let Some(last) = path.last_mut() {
        *last = Cow::Owned(format!("{last}:{method}"));
    }
    path
}

/// Returns the resource name for request bodies.
pub(super) fn resource(model_id: &str) -> String {
    if model_id.contains('/') { model_id.to_owned() } else { format!("models/{model_id}") }
}

/// Returns the id without its collection: `models/gemini-3.5-flash` is `gemini-3.5-flash`.
pub(super) fn name(model_id: &str) -> &str {
    model_id.rsplit('/').next().unwrap_or(model_id)
}

/// Returns the major version of a Gemini model: 3 for `gemini-3.5-flash`.
fn generation(name: &str) -> Option<u32> {
    let version = name.strip_prefix("gemini-")?;
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version.get(..end)?.parse().ok()
}

/// True for models that generate images or audio.
fn makes_media(name: &str) -> bool {
    ["-image", "-tts", "-audio"].iter().any(|kind| name.contains(kind))
}

/// True for aliases of the newest models, such as `gemini-flash-latest`.
fn is_latest(name: &str) -> bool {
    name.starts_with("gemini-") && name.ends_with("-latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_generations() {
        for (id, signs) in [
            ("gemini-3-flash-preview", true),
            ("models/gemini-3.5-flash", true),
            ("publishers/google/models/gemini-4-argon", true),
            ("gemini-12-pro", true),
            ("gemini-flash-latest", true),
            ("gemini-2.5-flash", false),
            ("gemini-2.0-flash-lite", false),
            ("gemma-3-27b-it", false),
            ("gemini", false),
            ("tunedModels/gemini-mine", false),
        ] {
            assert_eq!(Traits::of(id, "h").signs_calls, signs, "{id}");
        }
        assert_eq!(context_window("gemini-2.5-pro"), Some(1_048_576));
        assert_eq!(context_window("gemini-flash-latest"), Some(1_048_576));
        assert_eq!(context_window("gemma-3-27b-it"), None);
        assert_eq!(context_window("gemini-2.5-flash-image"), None, "image models have a smaller window");
    }

    #[test]
    fn media_models_and_gemma_have_no_response_schemas() {
        for (id, follows) in [
            ("gemini-3.5-flash", true),
            ("gemini-2.5-flash-image", false),
            ("gemini-2.5-flash-preview-tts", false),
            ("gemma-3-27b-it", false),
        ] {
            assert_eq!(Traits::of(id, "h").follows_schemas, follows, "{id}");
        }
    }

    #[test]
    fn recognizes_google_cloud_by_host() {
        for (host, cloud) in [
            ("aiplatform.googleapis.com", true),
            ("us-central1-aiplatform.googleapis.com", true),
            ("generativelanguage.googleapis.com", false),
            ("notaiplatform.googleapis.com", false),
        ] {
            assert_eq!(Traits::of("gemini-3.5-flash", host).cloud, cloud, "{host}");
        }
    }

    #[test]
    fn builds_paths_with_the_collection() {
        assert_eq!(path("gemini-3.5-flash", "countTokens"), ["models", "gemini-3.5-flash:countTokens"]);
        assert_eq!(path("models/gemini-3.5-flash", "x"), ["models", "gemini-3.5-flash:x"]);
        assert_eq!(path("tunedModels/mine", "x"), ["tunedModels", "mine:x"]);
        assert_eq!(resource("gemini-3.5-flash"), "models/gemini-3.5-flash");
        assert_eq!(resource("tunedModels/mine"), "tunedModels/mine");
    }
}
