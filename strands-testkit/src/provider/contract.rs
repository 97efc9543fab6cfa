//! The contract of models, checked by the suite that third parties use.
#![allow(clippy::unwrap_used, reason = "a failure here fails the calling test")]

use serde_json::json;
use strands_core::testing::contract::{check_model, check_model_failure};

use super::{Provider, Tuned};
use crate::fault::Cut;
use crate::response::Response;
use crate::server::Server;

/// Checks the contract of [`Model`](strands_core::models::Model) with a server that responds, streamed and in one
/// document, and with one that cuts the response off.
pub async fn keeps_the_contract(provider: &dyn Provider) {
    let path = provider.path();
    for tuned in [Tuned::default(), Tuned { whole: true, ..Tuned::default() }] {
        let (path, fine) = (path.clone(), provider.response(provider.fine()));
        let document = Response::json(200, &provider.fine_document());
        let server = Server::handler(move |request| match (request.path == path, tuned.whole) {
            (true, false) => fine.clone(),
            (_, true) if !is_count(&request.path) => document.clone(),
            _ => count(request.body.len()),
        })
        .await;
        check_model(&*provider.model(&server.url(), tuned).await).await.unwrap();
    }
    for cut in [Cut::Close, Cut::Reset, Cut::Clean] {
        let half = provider.half();
        let length = half.len();
        let server = Server::repeat(provider.response(half).cut_at(length, cut)).await;
        check_model_failure(&*provider.model(&server.url(), Tuned::default()).await).await.unwrap();
    }
}

fn is_count(path: &str) -> bool {
    path.to_ascii_lowercase().contains("token") || path.contains("template")
}

/// Returns a token count in the format of every provider that counts: one token for each byte of the request.
fn count(bytes: usize) -> Response {
    let tokens = vec![1; bytes];
    let counted = json!({
        "input_tokens": bytes, "inputTokens": bytes, "totalTokens": bytes, "tokens": tokens, "prompt": "x".repeat(bytes),
    });
    Response::json(200, &counted)
}
