//! Files of the page.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::HeaderValue;

/// A file of the page.
pub(super) struct File {
    /// Path below `/ui/`.
    pub(super) path: &'static str,
    pub(super) bytes: &'static [u8],
}

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(File { path: $path, bytes: include_bytes!(concat!("../../ui/", $path)) }),*]
    };
}

/// The page itself, which is at `/`.
pub(super) const PAGE: File = File { path: "index.html", bytes: include_bytes!("../../ui/index.html") };

/// The files below `/ui/`.
pub(super) const FILES: &[File] = files![
    "api.js",
    "app.css",
    "app.js",
    "approvals.js",
    "attachment.js",
    "chart.js",
    "chat.css",
    "composer.js",
    "conversation.js",
    "dom.js",
    "elements.js",
    "events.js",
    "icon.svg",
    "inbox.js",
    "interrupts.js",
    "markdown.js",
    "markdown/blocks.js",
    "markdown/code_block.js",
    "markdown/delimiters.js",
    "markdown/entities.js",
    "markdown/inlines.js",
    "markdown/line.js",
    "markdown/links.js",
    "markdown/render.js",
    "markdown/starts.js",
    "markdown/tables.js",
    "prompt_view.js",
    "run.js",
    "scroll.js",
    "session_list.js",
    "sign_in.js",
    "sign_in_view.js",
    "storage.js",
    "tabs.js",
    "timeline.js",
    "timeline/call.js",
    "timeline/results.js",
    "timeline/status_icon.js",
    "timeline/values.js",
    "transcript.js",
    "turn.js",
    "widgets.css",
];

impl File {
    pub(super) fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(match self.path.rsplit_once('.') {
            Some((_, "html")) => "text/html; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "application/octet-stream",
        })
    }
}

/// Returns the entity tag of a content. It is weak, since the bytes that are sent may be compressed.
pub(super) fn entity_tag(bytes: &[u8]) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    // Hexadecimal digits are valid in a header.
    HeaderValue::try_from(format!("W/\"{:016x}\"", hasher.finish())).unwrap_or(HeaderValue::from_static("W/\"0\""))
}
