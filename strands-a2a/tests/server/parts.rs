//! Parts of messages in and out.

use serde_json::{Value, json};
use strands::a2a::A2aServer;
use strands::message::{ContentBlock, DocumentFormat, ImageBlock, ImageFormat, MediaSource, Message, Role};
use strands::models::StopReason;
use strands::{AgentResponse, Prompt};

use crate::client::{Client, URL, message, parts_of, server, short};
use crate::controlled::{Controlled, Step};

#[tokio::test]
async fn an_agent_gets_the_blocks_of_a_message() {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled));
    let parts = json!([
        {"text": "Summarize these."},
        {"raw": "JVBERg==", "mediaType": "application/pdf", "filename": "report.pdf"},
        {"url": "https://example.com/a.png", "mediaType": "image/png"},
        {"data": {"city": "Oslo"}},
    ]);
    let task = client.call("SendMessage", {
        let mut params = message(parts, json!({}));
        params["configuration"] = json!({"returnImmediately": true});
        params
    });
    let (_, prompt) = tokio::join!(task, prompts.next());
    let [sent] = prompt.request.prompt.messages() else { panic!("one message") };
    let [text, ContentBlock::Document(document), ContentBlock::Image(image), data] = sent.content.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!(text.as_text(), Some("Summarize these."));
    assert_eq!((document.name.as_str(), &document.format), ("report", &Some(DocumentFormat::Pdf)));
    assert_eq!(document.source, MediaSource::from(b"%PDF".to_vec()));
    assert_eq!(image.source, MediaSource::location("url", "https://example.com/a.png"));
    assert_eq!(data.as_text(), Some("{\n  \"city\": \"Oslo\"\n}"));
    assert_ne!(prompt.request.prompt, Prompt::none());
    prompt.end("done");
}

#[tokio::test]
async fn media_and_structured_output_are_parts_of_the_artifact() {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled));
    let mut events = client.stream("SendStreamingMessage", message(json!([{"text": "x"}]), json!({}))).await;
    let prompt = prompts.next().await;
    prompt.step(Step::Text("A chart:"));
    let chart = ImageBlock::new(ImageFormat::Png, MediaSource::from(vec![1, 2, 3]));
    let content = [ContentBlock::text("A chart:"), chart.into()];
    let mut response = AgentResponse::new(Message::new(Role::Assistant, content), StopReason::EndTurn);
    // Numbers of JSON stay as they are.
    response.output = Some(json!({"big": 9_007_199_254_740_993_u64, "one": 1, "half": 0.5}));
    prompt.step(Step::End(response));
    let expected = json!([
        {"text": "A chart:"},
        {"raw": "AQID", "mediaType": "image/png"},
        {"data": {"big": 9_007_199_254_740_993_u64, "one": 1, "half": 0.5}},
    ]);
    let all = events.rest().await;
    assert_eq!(all[3]["artifactUpdate"]["artifact"]["parts"], expected);
    assert_eq!(short(&all[2]), "=A chart:");
    assert_eq!(parts_of(&client.get(&all[0]["task"]["id"]).await.unwrap()), &expected);
    // Clients of 0.3 get the same, in its form.
    let old = client.version("0.3").call("tasks/get", json!({"id": all[0]["task"]["id"]})).await.unwrap();
    let kinds: Vec<&Value> = parts_of(&old).as_array().unwrap().iter().map(|part| &part["kind"]).collect();
    assert_eq!(kinds, ["text", "file", "data"]);
}

#[tokio::test]
async fn media_types_that_the_agent_does_not_read_are_rejected() {
    let (controlled, prompts) = Controlled::new();
    let server = A2aServer::builder(controlled, URL).input_modes(["text/plain", "image/*"]).build().unwrap();
    let client = Client::of(&server);
    for (part, is_accepted) in [
        (json!({"text": "a"}), true),
        (json!({"text": "a", "mediaType": "text/plain; charset=utf-8"}), true),
        (json!({"text": "a", "mediaType": "text/html"}), false),
        (json!({"raw": "", "mediaType": "IMAGE/PNG"}), true),
        (json!({"raw": ""}), false),
        (json!({"data": {}}), false),
    ] {
        let mut params = message(json!([part]), json!({}));
        params["configuration"] = json!({"returnImmediately": true});
        let response = client.call("SendMessage", params).await;
        assert_eq!(
            response.as_ref().err().map(|error| error["code"].clone()),
            (!is_accepted).then(|| json!(-32005)),
            "{part}"
        );
        if is_accepted {
            prompts.next().await.end("ok");
        }
    }
}
