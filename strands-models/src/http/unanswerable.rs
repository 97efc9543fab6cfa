//! Requests that a server will never answer, although it says that it has failed (500): local servers and gateways do not
//! tell their own faults from those of a request.

use strands_core::models::ModelErrorKind;

use super::refusal::Refusal;

const MEDIA: &str = "the server can't read the image, audio or document: send another format, or none";
const TEMPLATE: &str = "the model's chat template does not take this conversation: use another template or model";

/// Words of such a message, in small letters, and what helps.
const NEVER: [(&str, &str); 18] = [
    ("requires --jinja", "start the server with `--jinja`: without it there are no tools"),
    ("jinja", TEMPLATE),
    ("chat template", TEMPLATE),
    ("chat_template", TEMPLATE),
    ("prompt template", TEMPLATE),
    ("roles must alternate", TEMPLATE),
    ("template: :", TEMPLATE),
    ("mmproj", "start the server with the model's projector (`--mmproj`), or send no media"),
    ("input is not supported", "the model of this server takes no such input"),
    ("does not support image", "the model of this server takes no such input"),
    ("failed to load image", MEDIA),
    ("failed to decode image", MEDIA),
    ("failed to process image", MEDIA),
    ("unable to load image", MEDIA),
    ("unsupported image", MEDIA),
    ("cannot identify image", MEDIA),
    ("image: unknown format", MEDIA),
    (
        "failed to parse tool call arguments",
        "the arguments of a tool call in the history are not valid JSON: repair them",
    ),
];

/// [`ModelErrorKind::InvalidRequest`] for what the server will never answer, with what helps.
pub(crate) fn unanswerable(refusal: &mut Refusal, status: Option<u16>, message: &str) -> Option<ModelErrorKind> {
    if !matches!(status, None | Some(400 | 422 | 500 | 501)) {
        return None;
    }
    let message = message.to_lowercase();
    let (_, advice) = NEVER.iter().find(|(words, _)| message.contains(words))?;
    refusal.advice = Some(advice);
    Some(ModelErrorKind::InvalidRequest)
}
