//! Content of prompts: text, images, audio and files in the request itself.

use serde_json::{Value, json};
use strands::message::{AudioFormat, ContentBlock, DocumentFormat, ImageFormat};

use crate::rig::{Rig, user};

const PNG: &str = "data:image/png;base64,iVBORw0KGgo=";

/// Returns the content that the model got.
fn seen(rig: &Rig) -> Vec<ContentBlock> {
    rig.model.requests().pop().unwrap().messages.last().unwrap().content.clone()
}

fn assert_media(blocks: &[ContentBlock]) {
    let [
        ContentBlock::Text(text),
        ContentBlock::Image(image),
        ContentBlock::Audio(audio),
        ContentBlock::Document(file),
    ] = blocks
    else {
        panic!("{blocks:?}")
    };
    assert_eq!(text.text, "Look");
    assert_eq!((&image.format, &image.source.bytes().unwrap()[..]), (&ImageFormat::Png, &b"\x89PNG\r\n\x1a\n"[..]));
    assert_eq!((&audio.format, &audio.source.bytes().unwrap()[..]), (&AudioFormat::Wav, &b"hi"[..]));
    assert_eq!((file.name.as_str(), file.format.as_ref()), ("plan", Some(&DocumentFormat::Pdf)));
    assert_eq!(&file.source.bytes().unwrap()[..], b"hi");
}

#[tokio::test]
async fn media_in_the_request_reach_the_model() {
    let rig = Rig::new();
    let audio = json!({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}});
    let file = json!({"filename": "plan.pdf", "file_data": "data:application/pdf;base64,aGk="});
    let parts = json!([
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
        audio,
        {"type": "file", "file": file},
    ]);
    let reply = rig.chat(json!([{"role": "user", "content": parts}])).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_media(&seen(&rig));

    let parts = json!([
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": PNG, "detail": "auto"},
        audio,
        {"type": "input_file", "filename": "plan.pdf", "file_data": "aGk="},
    ]);
    let reply = rig.respond(json!([{"role": "user", "content": parts}]), json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_media(&seen(&rig));
}

#[tokio::test]
async fn refuses_media_that_are_not_in_the_request() {
    let rig = Rig::new();
    let chat = |part: Value| json!([{"role": "user", "content": [{"type": "text", "text": "Look"}, part]}]);
    let url = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    for part in [
        url("https://example.com/cat.png"),
        url("http://169.254.169.254/latest/meta-data"),
        url("file:///etc/passwd"),
        url("data:image/png;base64,"),
        url("data:image/png;base64,not base64"),
        url("data:image/tiff;base64,aGk="),
        url("data:text/html;base64,aGk="),
        json!({"type": "image_url"}),
        json!({"type": "text"}),
        json!({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "midi"}}),
        json!({"type": "input_audio", "input_audio": {"data": "%", "format": "wav"}}),
        json!({"type": "file", "file": {"file_id": "file-1"}}),
        json!({"type": "file", "file": {"file_data": "aGk=", "filename": "a.exe"}}),
        json!({"type": "file", "file": {"file_data": "aGk="}}),
        json!({"type": "tool_result", "content": "approved"}),
        json!({"type": "refusal", "refusal": "no"}),
        json!({}),
    ] {
        rig.chat(chat(part)).await.assert_error(400, Some("messages"), "invalid_content");
    }
    for part in [
        json!({"type": "input_image", "image_url": "https://example.com/cat.png"}),
        json!({"type": "input_image", "file_id": "file-1"}),
        json!({"type": "input_file", "file_url": "https://example.com/a.pdf"}),
        json!({"type": "input_file", "file_id": "file-1"}),
    ] {
        rig.respond(chat(part), json!({})).await.assert_error(400, Some("input"), "invalid_content");
    }
    assert!(rig.model.requests().is_empty());
}

#[tokio::test]
async fn empty_prompts_are_refused() {
    let rig = Rig::new();
    for content in [json!(""), json!(" \n"), json!(null), json!([]), json!([{"type": "text", "text": ""}])] {
        let messages = json!([{"role": "user", "content": content}]);
        rig.chat(messages.clone()).await.assert_error(400, Some("messages"), "empty_prompt");
        let earlier = json!([user("a"), {"role": "assistant", "content": "b"}, messages[0]]);
        rig.chat(earlier).await.assert_error(400, Some("messages"), "empty_prompt");
    }
    rig.chat(json!([])).await.assert_error(400, Some("messages"), "invalid_prompt");
    rig.respond(json!([]), json!({})).await.assert_error(400, Some("input"), "invalid_prompt");
    rig.respond(json!(""), json!({})).await.assert_error(400, Some("input"), "empty_prompt");
}
