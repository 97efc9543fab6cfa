//! Images that a model makes: blocks of the response, events as they come, and part of later requests.
#![cfg(any(feature = "gemini", feature = "openai"))]

use futures_util::StreamExt;
use serde_json::{Value, json};
use strands_core::AgentEvent;
use strands_core::message::{ContentBlock, ImageFormat, MediaSource, Message};
use strands_testkit::case::Case;

use crate::case::start;

const PNG: &str = "iVBORw==";

/// Prompts for an image and once more, and returns the first response and the second request.
async fn drawn(name: &str, case: &Value) -> (Message, Value) {
    let mut running = start(&Case::parse(name, &case.to_string())).await;
    let prompt = running.next_prompt();
    let mut stream = running.agent.prompt(prompt).stream();
    let (mut media, mut response) = (Vec::new(), None);
    while let Some(event) = stream.next().await {
        match event.unwrap_or_else(|error| panic!("{name}: {error:?}")) {
            AgentEvent::Media { content } => media.push(*content),
            AgentEvent::Result { response: given } => response = Some(given),
            _ => {}
        }
    }
    drop(stream);
    let message = Message::clone(&response.unwrap().message);
    let images: Vec<_> = message.content.iter().filter(|block| matches!(block, ContentBlock::Image(_))).collect();
    assert_eq!(media.iter().collect::<Vec<_>>(), images, "{name}: events and response say the same");
    assert!(!images.is_empty(), "{name}: {message:?}");
    running.prompt().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    (message, running.bodies().pop().unwrap())
}

fn image(block: &ContentBlock) -> (&ImageFormat, &[u8]) {
    let ContentBlock::Image(image) = block else { panic!("{block:?}") };
    let MediaSource::Bytes(bytes) = &image.source else { panic!("{image:?}") };
    (&image.format, bytes)
}

/// A case with these replies, each in a stream and as one document.
fn case(provider: &str, reply: &Value) -> Value {
    let is_whole = reply.get("json").is_some();
    json!({"provider": provider, "options": {"streaming": !is_whole}, "prompts": ["Draw.", "Bigger."], "replies": [reply, reply]})
}

#[cfg(feature = "gemini")]
#[tokio::test]
async fn images_of_gemini_go_back_with_their_signatures() {
    let part = json!({"inlineData": {"mimeType": "image/jpeg", "data": PNG}, "thoughtSignature": "c2ln"});
    let plain = json!({"inlineData": {"mimeType": "image/png", "data": PNG}});
    let answer = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "Here."}, part, plain]}, "finishReason": "STOP", "index": 0}]});
    for reply in [json!({"sse": [answer]}), json!({"json": answer})] {
        let (message, body) = drawn("gemini", &case("gemini", &reply)).await;
        assert_eq!(image(&message.content[1]), (&ImageFormat::Jpeg, b"\x89PNG".as_slice()));
        assert_eq!(body["contents"][1]["parts"], json!([{"text": "Here."}, part, plain]));
    }
}

#[cfg(feature = "gemini")]
#[tokio::test]
async fn a_signature_whose_image_is_gone_is_not_sent() {
    let signature = json!({"providerContent": {"provider": "gemini", "content": {"thoughtSignature": "c2ln", "ofMediaBefore": true}}, "text": ""});
    let history = json!([{"role": "user", "content": [{"text": "Draw."}]}, {"role": "assistant", "content": [{"text": "Gone."}, signature]}]);
    let answer = json!({"candidates": [{"content": {"parts": [{"text": "Yes."}]}, "finishReason": "STOP"}]});
    let case =
        json!({"provider": "gemini", "history": history, "prompts": ["Bigger."], "replies": [{"sse": [answer]}]});
    let mut running = start(&Case::parse("gone", &case.to_string())).await;
    running.prompt().await.unwrap();
    assert_eq!(running.bodies()[0]["contents"][1]["parts"], json!([{"text": "Gone."}]));
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn images_of_chat_completions_go_back_beside_the_content() {
    let image_url = json!({"type": "image_url", "image_url": {"url": format!("data:image/webp;base64,{PNG}")}});
    let said = json!({"role": "assistant", "content": "Here.", "images": [image_url]});
    let streamed = json!({"sse": [{"choices": [{"index": 0, "delta": said, "finish_reason": null}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}], "done": true});
    let whole = json!({"json": {"choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}});
    for reply in [streamed, whole] {
        let (message, body) = drawn("chat", &case("openai", &reply)).await;
        assert_eq!(image(&message.content[1]), (&ImageFormat::Webp, b"\x89PNG".as_slice()));
        let sent = &body["messages"][1];
        assert_eq!(sent["content"], json!([{"type": "text", "text": "Here."}]));
        assert_eq!(sent["images"][0]["image_url"]["url"], image_url["image_url"]["url"]);
    }
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn images_are_blocks_however_they_are_written() {
    for image in [
        json!({"image_url": {"url": format!("data:image/png;charset=utf-8;base64,{PNG}")}}),
        json!({"image_url": {"url": format!("data:IMAGE/PNG;BASE64,{PNG}")}}),
        json!({"image_url": {"url": "data:image/png;base64,iVBO\nRw==\n"}}),
        json!(format!("data:image/png;base64,{PNG}")),
        json!({"b64_json": PNG}),
    ] {
        let said = json!({"content": "Here.", "images": [image]});
        let reply = json!({"json": {"choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}});
        let (message, body) = drawn(&image.to_string(), &case("openai", &reply)).await;
        assert_eq!(self::image(&message.content[1]), (&ImageFormat::Png, b"\x89PNG".as_slice()), "{image}");
        let sent = &body["messages"][1]["images"][0]["image_url"]["url"];
        assert_eq!(sent, &format!("data:image/png;base64,{PNG}"), "{image}");
    }
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn images_without_words_and_those_that_lie_elsewhere_are_blocks_too() {
    let there = json!({"image_url": {"url": "https://a.b/c.jpg"}});
    let said = json!({"content": null, "images": [there, {"image_url": "data:text/html;base64,AAE="}]});
    let reply = json!({"json": {"choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}});
    let (message, body) = drawn("elsewhere", &case("openai", &reply)).await;
    let ContentBlock::Image(made) = &message.content[0] else { panic!("{message:?}") };
    assert_eq!(made.source, MediaSource::location("url", "https://a.b/c.jpg"));
    assert!(matches!(message.content[1], ContentBlock::Provider(_)), "what is no image is kept: {message:?}");
    assert_eq!(body["messages"][1]["images"][0]["image_url"]["url"], "https://a.b/c.jpg");
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn images_of_responses_go_back_in_their_items() {
    let item = json!({"type": "image_generation_call", "id": "ig_1", "status": "completed", "output_format": "jpeg", "result": PNG});
    let response = json!({"id": "r", "status": "completed", "output": [item]});
    for made in [
        json!({"type": "image_generation_call", "id": "ig_1", "result": format!("data:image/jpeg;base64,{PNG}")}),
        json!({"type": "message", "content": [{"type": "output_image", "image_url": format!("data:image/jpeg;base64,{PNG}")}]}),
    ] {
        let reply = json!({"json": {"status": "completed", "output": [made]}});
        let (message, _) = drawn(&made.to_string(), &case("responses", &reply)).await;
        assert_eq!(image(message.content.last().unwrap()), (&ImageFormat::Jpeg, b"\x89PNG".as_slice()), "{made}");
    }
    let streamed = json!({"anthropic": [{"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [item]}}]});
    for reply in [streamed, json!({"json": response})] {
        let (message, body) = drawn("responses", &case("responses", &reply)).await;
        assert_eq!(image(&message.content[1]), (&ImageFormat::Jpeg, b"\x89PNG".as_slice()));
        assert!(!serde_json::to_string(&message.content[0]).unwrap().contains(PNG), "the image is kept once");
        let sent: Vec<_> = body["input"].as_array().unwrap().iter().filter(|item| item.get("type").is_some()).collect();
        assert_eq!(sent, [&item]);
    }
}
