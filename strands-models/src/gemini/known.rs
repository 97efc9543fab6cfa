//! What is known about Google's models by their ids, and where an id stands in a URL.

use super::media::NestedMedia;

/// How many tokens a request to any Gemini since 1.5 may have that writes text ([models][models]).
///
/// [models]: https://ai.google.dev/gemini-api/docs/models
const CONTEXT_WINDOW: u64 = 1_048_576;

/// What sets models apart that speak the same protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    /// The model refuses a step of calls of which none is signed, and a tool's result can hold media: Gemini 3 and later.
    pub(super) signs_calls: bool,
    /// The model answers in JSON of a schema.
    pub(super) follows_schemas: bool,
    /// The server is Google Cloud's, which words some things its own way.
    pub(super) cloud: bool,
}

impl Traits {
    /// What the model of this id, at this host, is known to be.
    pub(super) fn of(model_id: &str, host: &str) -> Self {
        let name = name(model_id);
        Self {
            signs_calls: generation(name).is_some_and(|generation| generation >= 3) || is_latest(name),
            follows_schemas: !name.starts_with("gemma") && !makes_media(name),
            cloud: host == "aiplatform.googleapis.com" || host.ends_with("-aiplatform.googleapis.com"),
        }
    }

    /// Which media may stand inside a tool's result.
    pub(super) fn nested_media(self) -> NestedMedia {
        if self.signs_calls { NestedMedia::Some } else { NestedMedia::None }
    }
}

/// How many tokens a request may have.
pub(super) fn context_window(model_id: &str) -> Option<u64> {
    let name = name(model_id);
    let speaks = (generation(name).is_some() || is_latest(name)) && !makes_media(name);
    speaks.then_some(CONTEXT_WINDOW)
}

/// The path of a model: `models/<id>`, unless the id says itself what it is one of, as `tunedModels/<id>` does.
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

/// The name of the resource, as bodies have it.
pub(super) fn resource(model_id: &str) -> String {
    if model_id.contains('/') { model_id.to_owned() } else { format!("models/{model_id}") }
}

/// The id without what it is one of: `models/gemini-3.5-flash` is `gemini-3.5-flash`.
pub(super) fn name(model_id: &str) -> &str {
    model_id.rsplit('/').next().unwrap_or(model_id)
}

/// The first number of a Gemini: 3 for `gemini-3.5-flash`.
fn generation(name: &str) -> Option<u32> {
    let version = name.strip_prefix("gemini-")?;
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version.get(..end)?.parse().ok()
}

/// True for models that draw or speak.
fn makes_media(name: &str) -> bool {
    ["-image", "-tts", "-audio"].iter().any(|kind| name.contains(kind))
}

/// True for the names that Google lets stand for its newest models, such as `gemini-flash-latest`.
fn is_latest(name: &str) -> bool {
    name.starts_with("gemini-") && name.ends_with("-latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_told_apart() {
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
        assert_eq!(context_window("gemini-2.5-flash-image"), None, "they take less");
    }

    #[test]
    fn models_that_write_no_json() {
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
    fn google_cloud_is_known_by_its_hosts() {
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
    fn an_id_stands_in_a_url_with_what_it_is_one_of() {
        assert_eq!(path("gemini-3.5-flash", "countTokens"), ["models", "gemini-3.5-flash:countTokens"]);
        assert_eq!(path("models/gemini-3.5-flash", "x"), ["models", "gemini-3.5-flash:x"]);
        assert_eq!(path("tunedModels/mine", "x"), ["tunedModels", "mine:x"]);
        assert_eq!(resource("gemini-3.5-flash"), "models/gemini-3.5-flash");
        assert_eq!(resource("tunedModels/mine"), "tunedModels/mine");
    }
}
