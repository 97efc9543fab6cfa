//! Permanent errors of requests with a status for server errors (500). Local servers and gateways do not distinguish their own
//! faults from those of a request.

use strands_core::models::ModelErrorKind;

use super::error_response::ErrorResponse;

const MEDIA: &str = "the server can't read the image, audio or document: send another format, or none";
const TEMPLATE: &str = "the model's chat template does not take this conversation: use another template or model";

/// Parts of such messages in lower case, with advice.
const PERMANENT: [(&str, &str); 18] = [
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

/// Returns [`ModelErrorKind::InvalidRequest`] for a request that can't succeed when it is repeated, and sets the advice.
pub(crate) fn permanent_error(
    error_response: &mut ErrorResponse,
    status: Option<u16>,
    message: &str,
) -> Option<ModelErrorKind> {
    if !matches!(status, None | Some(400 | 422 | 500 | 501)) {
        return None;
    }
    let message = message.to_lowercase();
    let (_, advice) = PERMANENT.iter().find(|(words, _)| message.contains(words))?;
    error_response.advice = Some(advice);
    Some(ModelErrorKind::InvalidRequest)
}
