//! Capabilities of a provider, determined by trying and compared with the table in the book.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failure here fails the calling test")]

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;
use strands_core::message::{
    AudioBlock, AudioFormat, ContentBlock, DocumentBlock, DocumentFormat, ImageBlock, ImageFormat, Message, Role,
    ToolResult, ToolResultContent, ToolResultStatus, ToolUse, VideoBlock, VideoFormat,
};
use strands_core::models::{BlockDelta, ModelRequest, ReasoningDelta, StreamEvent};

use super::{Provider, Tuned, ask, events, weather_tools};
use crate::server::Server;

/// Columns of the table in the book, after the provider's name.
const COLUMNS: [&str; 10] = [
    "reasoning",
    "streamed arguments",
    "tool choice",
    "structured output",
    "images",
    "documents",
    "audio",
    "video",
    "images from tools",
    "audio from tools",
];

/// Content of every medium that is tried. A body that carries it contains its base64.
const MEDIUM: &[u8] = b"medium that is tried";

/// Returns the differences between a provider's row in the book's table and its behavior. A cell begins with `yes` or
/// `no`; one that begins with `some` depends on the model and is not tried.
pub async fn differences_to_the_book(provider: &dyn Provider, page: &str) -> Vec<String> {
    let name = provider.name();
    let heads = COLUMNS.join(" | ");
    let (_, table) = page
        .split_once(&format!("| provider | {heads} |"))
        .unwrap_or_else(|| panic!("the book has no table with the columns {heads}"));
    let row = table
        .lines()
        .find(|line| line.starts_with(&format!("| `{name}` |")))
        .unwrap_or_else(|| panic!("the book's table has no row for `{name}`"));
    let said: Vec<_> = row.trim_matches('|').split('|').skip(1).map(str::trim).collect();
    let found = tried(provider).await;
    assert_eq!(said.len(), COLUMNS.len(), "{row}");
    let cells = COLUMNS.iter().zip(said).zip(found);
    let differs = cells.filter_map(|((column, said), found)| {
        let found = if found { "yes" } else { "no" };
        let agrees = said.starts_with(found) || said.starts_with("some");
        (!agrees).then(|| format!("`{name}`, {column}: `{said}` in the book, `{found}` when tried"))
    });
    differs.collect()
}

async fn tried(provider: &dyn Provider) -> [bool; COLUMNS.len()] {
    let server = Server::repeat(provider.response(provider.small_stream())).await;
    let model = provider.model(&server.url(), Tuned::default()).await;
    let tools = weather_tools();
    let (said, _) = events(&*model, ModelRequest::new(&ask("hi")).with_tools(&tools)).await;
    let deltas = |is: fn(&BlockDelta) -> bool| {
        said.iter().filter(|event| matches!(event, StreamEvent::ContentBlockDelta { delta, .. } if is(delta))).count()
    };
    let reasoning = deltas(|delta| matches!(delta, BlockDelta::ReasoningContent(ReasoningDelta::Text(_))));
    let arguments = deltas(|delta| matches!(delta, BlockDelta::ToolUse(_)));
    let can = model.capabilities();

    let image = || ImageBlock::new(ImageFormat::Png, Bytes::from_static(MEDIUM));
    let document = DocumentBlock::new("paper", DocumentFormat::Pdf, Bytes::from_static(MEDIUM));
    let audio = || AudioBlock::new(AudioFormat::Wav, Bytes::from_static(MEDIUM));
    let from_tool = |content: ToolResultContent| {
        vec![
            Message::user("Show it."),
            Message::new(Role::Assistant, [ToolUse::new("t-1", "get_weather", json!({"city": "Oslo"}))]),
            Message::new(Role::User, [ToolResult::new("t-1", ToolResultStatus::Success, [content])]),
        ]
    };
    let asked = |block: ContentBlock| vec![Message::new(Role::User, [ContentBlock::text("Look."), block])];
    let images = is_sent(provider, asked(image().into())).await;
    let documents = is_sent(provider, asked(document.into())).await;
    let audio_of_user = is_sent(provider, asked(audio().into())).await;
    let video = VideoBlock::new(VideoFormat::Mp4, Bytes::from_static(MEDIUM));
    let video = is_sent(provider, asked(video.into())).await;
    let images_from_tools = is_sent(provider, from_tool(image().into())).await;
    let audio_from_tools = is_sent(provider, from_tool(audio().into())).await;
    [
        reasoning > 0,
        arguments > 1,
        can.tool_choice,
        can.structured_output,
        images,
        documents,
        audio_of_user,
        video,
        images_from_tools,
        audio_from_tools,
    ]
}

/// True if the bytes of the medium in these messages are sent. Otherwise a note has to report it.
async fn is_sent(provider: &dyn Provider, messages: Vec<Message>) -> bool {
    let server = Server::repeat(provider.response(provider.fine())).await;
    let model = provider.model(&server.url(), Tuned::default()).await;
    let messages: Vec<_> = messages.into_iter().map(Arc::new).collect();
    let tools = weather_tools();
    let (_, error) = events(&*model, ModelRequest::new(&messages).with_tools(&tools)).await;
    let request = server.requests().into_iter().next();
    match (request, error) {
        (Some(request), _) => {
            let body = String::from_utf8_lossy(&request.body);
            let is_sent = body.contains(&STANDARD.encode(MEDIUM));
            assert!(is_sent || body.contains("can't be"), "{}: a medium is neither sent nor reported", provider.name());
            is_sent
        }
        (None, error) => panic!("{}: nothing was sent: {error:?}", provider.name()),
    }
}
