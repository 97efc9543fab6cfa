//! Faults between a server and a model: each becomes a typed error, in time, and never a panic.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the calling test")]

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use strands_core::models::{ModelError, ModelRequest};
use strands_core::{Agent, RetryPolicy};

use super::{Provider, StreamFormat, Tuned, answer, ask, events, kind, order_of, text};
use crate::fault::{Cut, Splits};
use crate::ports::{RefusedPort, SilentPort, UntrustedTls};
use crate::response::Response;
use crate::server::Server;

const SHORT: Duration = Duration::from_millis(200);
const MIB: usize = 1024 * 1024;
/// Text of every provider's small stream.
const SAID: &str = "It is süß 🍯.";

fn assert_kind(provider: &dyn Provider, error: &ModelError, expected: &str) {
    assert_eq!(kind(error), expected, "{}: {error:?}", provider.name());
}

fn assert_waited(provider: &dyn Provider, error: &ModelError) {
    assert!(
        matches!(error, ModelError::Timeout { after, .. } if *after == Some(SHORT)),
        "{}: {error:?}",
        provider.name()
    );
    assert!(error.is_retryable());
}

/// Returns the error of a request to this server.
async fn failure(provider: &dyn Provider, url: &str, tuned: Tuned) -> ModelError {
    answer(&*provider.model(url, tuned).await, "hi").await.unwrap_err()
}

/// Returns the text received before the end, and the error, for this response.
async fn received(provider: &dyn Provider, response: Response) -> (String, Option<ModelError>) {
    let server = Server::repeat(response).await;
    let model = provider.model(&server.url(), Tuned::default()).await;
    let (events, error) = events(&*model, ModelRequest::new(&ask("hi"))).await;
    (text(&events), error)
}

/// Checks that a refused connection, an untrusted certificate, a server without TLS and one without HTTP are errors.
pub async fn reports_connection_failures(provider: &dyn Provider) {
    let refused = RefusedPort::bind();
    assert_kind(provider, &failure(provider, &refused.url(), Tuned::default()).await, "unreachable");

    let untrusted = UntrustedTls::start().await;
    assert_kind(provider, &failure(provider, &untrusted.url(), Tuned::default()).await, "unreachable");
    untrusted.rejected().await;
    assert_eq!(untrusted.trusted(), 0);

    let plain = Server::repeat(Response::new(200)).await;
    assert_kind(provider, &failure(provider, &plain.https_url(), Tuned::default()).await, "unreachable");

    let garbage = Server::repeat(Response::garbage("SMTP ready\r\n\r\n")).await;
    assert_kind(provider, &failure(provider, &garbage.url(), Tuned::default()).await, "transport");
}

/// Checks timeouts while connecting, before the head, in the stream, in a document and in an error.
pub async fn timeouts_report_their_duration(provider: &dyn Provider) {
    #[cfg(target_os = "linux")]
    {
        let unanswered = crate::ports::UnansweredPort::bind().await;
        let slow = Tuned { connect: Some(SHORT), ..Tuned::default() };
        assert_waited(provider, &failure(provider, &unanswered.url(), slow).await);
    }

    let idle = Tuned { idle: Some(SHORT), ..Tuned::default() };
    let silent = SilentPort::bind();
    assert_waited(provider, &failure(provider, &silent.url(), idle).await);

    // The total timeout, before the head and while a stream does not end.
    let total = Tuned { total: Some(SHORT), ..Tuned::default() };
    assert_waited(provider, &failure(provider, &silent.url(), total).await);
    let server = Server::repeat(provider.response(provider.small_stream()).stall_at(1)).await;
    for whole in [false, true] {
        assert_waited(provider, &failure(provider, &server.url(), Tuned { whole, ..total }).await);
    }

    // Silence inside the stream, after something was said.
    let stream = provider.small_stream();
    let stalled = stream.len() * 2 / 3;
    let server = Server::repeat(provider.response(stream).stall_at(stalled)).await;
    let model = provider.model(&server.url(), idle).await;
    let (events, error) = events(&*model, ModelRequest::new(&ask("hi"))).await;
    assert!(!events.is_empty());
    assert_waited(provider, &error.unwrap());

    // Silence inside a document, or inside an error.
    for (status, expected) in [(200, "timeout"), (400, "invalid request")] {
        let body = Response::json(status, &json!({"message": "a long enough body"})).stall_at(5);
        let server = Server::repeat(body).await;
        let error = failure(provider, &server.url(), Tuned { whole: true, ..idle }).await;
        assert_kind(provider, &error, expected);
    }
}

/// Checks that dropping the call or the stream ends the request at once.
pub async fn dropping_a_stalled_call_ends_the_request(provider: &dyn Provider) {
    // Far below every timeout, and far above the scheduling delays of a busy machine.
    const AT_ONCE: Duration = Duration::from_millis(500);
    // Dropped before the head.
    let server = Server::repeat(Response::new(200).stall_head()).await;
    let (waiting, messages) = (provider.model(&server.url(), Tuned::default()).await, ask("hi"));
    let call = tokio::spawn(async move { waiting.stream(ModelRequest::new(&messages)).await.map(drop) });
    server.stalled().await;
    let dropped = Instant::now();
    call.abort();
    server.client_gone().await;
    assert!(dropped.elapsed() < AT_ONCE, "{}: {:?}", provider.name(), dropped.elapsed());

    // In the middle of the stream.
    let stream = provider.small_stream();
    let stalled = stream.len() * 2 / 3;
    let server = Server::repeat(provider.response(stream).stall_at(stalled)).await;
    let (model, messages) = (provider.model(&server.url(), Tuned::default()).await, ask("hi"));
    let mut stream = model.stream(ModelRequest::new(&messages)).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    server.stalled().await;
    let dropped = Instant::now();
    drop(stream);
    server.client_gone().await;
    assert!(dropped.elapsed() < AT_ONCE, "{}: {:?}", provider.name(), dropped.elapsed());
}

/// Checks `retry-after` in seconds, as a date, invalid and missing.
pub async fn reads_retry_after(provider: &dyn Provider) {
    let passing = |status| {
        let mut refusals = provider.refusals().into_iter();
        refusals.find(|refusal| refusal.status == status && refusal.headers.is_empty()).unwrap_or_else(|| {
            panic!("{} defines no error response with status {status}", provider.name());
        })
    };
    for (refusal, expected) in [(passing(429), "throttled"), (passing(503), "overloaded")] {
        for (header, wait) in [(None, None), (Some("7"), Some(Duration::from_secs(7))), (Some("soon"), None)] {
            let mut response = refusal.response().header(provider.request_id_header(), "req-1");
            if let Some(header) = header {
                response = response.header("retry-after", header);
            }
            let server = Server::repeat(response).await;
            let error = failure(provider, &server.url(), Tuned::default()).await;
            assert_kind(provider, &error, expected);
            assert_eq!(error.retry_after(), wait, "{}", provider.name());
            assert!(error.is_retryable());
            assert_eq!(error.details().status(), Some(refusal.status));
            assert_eq!(error.details().request_id(), Some("req-1"), "{}", provider.name());
            assert_eq!(server.requests().len(), 1, "the agent's loop retries, not the model");
        }
    }
    let far = passing(429).response().header("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT");
    let server = Server::repeat(far).await;
    let error = failure(provider, &server.url(), Tuned::default()).await;
    assert!(error.retry_after().unwrap() > Duration::from_secs(1_000_000), "{}: {error:?}", provider.name());
}

/// Checks the error kind of every error response of the provider.
pub async fn classifies_error_responses(provider: &dyn Provider) {
    let refusals = provider.refusals();
    let kinds: HashSet<_> = refusals.iter().map(|refusal| refusal.kind).collect();
    for needed in ["throttled", "overloaded", "authentication", "invalid request", "context overflow"] {
        assert!(kinds.contains(needed), "{} defines no error response of kind {needed}", provider.name());
    }
    for refusal in refusals {
        for whole in [false, true] {
            let server = Server::repeat(refusal.response()).await;
            let error = failure(provider, &server.url(), Tuned { whole, ..Tuned::default() }).await;
            assert_eq!(kind(&error), refusal.kind, "{}: {refusal:?}: {error:?}", provider.name());
            assert_eq!(error.details().status(), Some(refusal.status), "{refusal:?}");
            assert_eq!(error.details().code(), refusal.code, "{refusal:?}");
            let retryable =
                ["throttled", "overloaded", "transport", "malformed output", "timeout"].contains(&refusal.kind);
            assert_eq!(error.is_retryable(), retryable, "{refusal:?}");
        }
    }
}

/// Checks an error body of a megabyte that is not JSON.
pub async fn bounds_error_bodies(provider: &dyn Provider) {
    let long = format!("not even JSON {}", "x".repeat(MIB));
    let server = Server::repeat(Response::new(400).body(long)).await;
    let error = failure(provider, &server.url(), Tuned::default()).await;
    assert_kind(provider, &error, "invalid request");
    assert_eq!(error.details().body().unwrap().len(), 4 * 1024);
}

/// Checks that redirects are not followed.
pub async fn does_not_follow_redirects(provider: &dyn Provider) {
    let elsewhere = Server::repeat(provider.response(provider.fine())).await;
    let target = format!("{}{}", elsewhere.url(), provider.path());
    let server = Server::repeat(Response::new(307).header("location", &target)).await;
    assert_kind(provider, &failure(provider, &server.url(), Tuned::default()).await, "protocol");
    assert_eq!(elsewhere.requests().len(), 0);
}

/// Checks that no secret is in `Debug` of builder and model, nor in errors and their sources.
pub async fn redacts_secrets(provider: &dyn Provider) {
    let shown = |error: &ModelError| {
        let mut shown = format!("{error} {error:?}");
        let mut source = std::error::Error::source(error);
        while let Some(error) = source {
            shown += &format!("{error} {error:?}");
            source = error.source();
        }
        shown
    };
    let unauthorized = provider.refusals().into_iter().find(|refusal| refusal.kind == "authentication").unwrap();
    let server = Server::repeat(unauthorized.response()).await;
    let secretive = provider.secretive(&server.url()).await;
    let error = answer(&*secretive.model, "s3cret prompt").await.unwrap_err();
    assert_kind(provider, &error, "authentication");
    let mut seen = secretive.shown + &shown(&error);
    let sent = &server.requests()[0];
    for (name, value) in &secretive.sent {
        let plainly = sent.header(name) == Some(value) || sent.parameter(name) == Some(value);
        assert!(plainly || sent.sends_credential(name, value), "{}: {name} did not arrive", provider.name());
    }
    assert!(!secretive.sent.is_empty());

    // A server that quotes the request in its error message.
    let quotes: Vec<_> = secretive.sent.iter().map(|(_, value)| value.trim_start_matches("Bearer ")).collect();
    let quoting = json!(format!("{} is not valid for 's3cret prompt of a user'", quotes.join(", ")));
    let quoting = json!({"error": {"message": quoting}, "message": quoting});
    for status in [400, 401, 404, 500] {
        let server = Server::repeat(Response::json(status, &quoting)).await;
        let model = provider.secretive(&server.url()).await.model;
        let agent = Agent::builder().model(model).retry(RetryPolicy::never()).build().await.unwrap();
        let error = agent.into_prompt("s3cret prompt of a user").await.unwrap_err();
        assert!(error.to_string().contains("is not valid for '[..]'"), "{}: {error}", provider.name());
        seen += &format!("{error} {error:?}");
    }

    let refused = RefusedPort::bind();
    let untrusted = UntrustedTls::start().await;
    let cut = Server::repeat(provider.response(provider.half())).await;
    for url in [refused.url(), untrusted.url(), cut.url()] {
        let model = provider.secretive(&url).await.model;
        seen += &shown(&answer(&*model, "s3cret prompt").await.unwrap_err());
    }
    assert!(!seen.contains("s3cret"), "{}: {seen}", provider.name());
}

/// Checks errors of the provider in the middle of a stream.
pub async fn reports_errors_in_the_stream(provider: &dyn Provider) {
    for broken in provider.broken_off() {
        let response = provider.response(broken.stream.clone()).header(provider.request_id_header(), "req-1");
        let (said, error) = received(provider, response).await;
        assert_eq!(said, "half", "{}: {broken:?}", provider.name());
        let error = error.unwrap_or_else(|| panic!("{}: {broken:?} was accepted as a response", provider.name()));
        assert_eq!(kind(&error), broken.kind, "{}: {broken:?}: {error:?}", provider.name());
        let retryable = ["throttled", "overloaded", "transport", "malformed output"].contains(&broken.kind);
        assert_eq!(error.is_retryable(), retryable, "{broken:?}");
        assert_eq!(error.details().request_id(), Some("req-1"), "{broken:?}");
        assert!(error.details().body().unwrap_or_default().contains(broken.says), "{broken:?}: {error:?}");
    }
}

/// Checks documents with status 200 that are errors.
pub async fn reports_errors_with_status_200(provider: &dyn Provider) {
    for (body, expected) in provider.refusing_documents() {
        for whole in [true, false] {
            let server = Server::repeat(Response::json(200, &body)).await;
            let error = failure(provider, &server.url(), Tuned { whole, ..Tuned::default() }).await;
            assert_eq!(kind(&error), expected, "{}: {body}: {error:?}", provider.name());
        }
    }
}

/// Checks that the complete part of a cut stream is received, and that only a complete response is `Ok`.
pub async fn detects_a_cut_at_every_byte(provider: &dyn Provider) {
    let stream = provider.small_stream();
    cut_everywhere(provider, &stream, Cut::Clean, 0..stream.len()).await;
    cut_everywhere(provider, &stream, Cut::Close, 0..stream.len()).await;
    // A reset may destroy bytes not read yet, so its exact position matters less.
    cut_everywhere(provider, &stream, Cut::Reset, (0..stream.len()).step_by(41)).await;
}

/// Cuts a stream at these lengths, and checks the result of each.
pub async fn cut_everywhere(
    provider: &dyn Provider,
    stream: &Bytes,
    cut: Cut,
    lengths: impl IntoIterator<Item = usize>,
) {
    let lengths: Vec<usize> = lengths.into_iter().collect();
    let responses: Vec<_> =
        lengths.iter().map(|length| provider.response(stream.clone()).cut_at(*length, cut)).collect();
    let server = Server::sequence(responses).await;
    let (model, messages) = (provider.model(&server.url(), Tuned::default()).await, ask("hi"));
    for &length in &lengths {
        let (events, error) = events(&*model, ModelRequest::new(&messages)).await;
        let at = format!("{} cut at {length} ({cut:?})", provider.name());
        let seen = match cut {
            Cut::Clean if provider.format() == StreamFormat::ServerSentEvents => with_last_event(&stream[..length]),
            _ => stream[..length].to_vec(),
        };
        let whole = provider.is_whole(&seen, cut);
        match error {
            // If the response is complete, a reset may or may not be noticed.
            None if cut == Cut::Reset => assert!(provider.is_whole(&seen, Cut::Clean), "{at}"),
            None => assert!(whole, "{at}: a cut response was accepted"),
            Some(error) => {
                assert!(!whole || cut == Cut::Reset, "{at}: {error:?}");
                assert_eq!(kind(&error), "transport", "{at}: {error:?}");
                assert!(error.is_retryable(), "{at}");
            }
        }
        if cut == Cut::Clean {
            assert_eq!(text(&events), provider.meaning(&seen).text, "{at}");
        }
    }
    assert_eq!(server.requests().len(), lengths.len(), "nothing is sent twice");
}

/// Returns the stream with the blank line after its last event, if only that is missing: if a response ends properly,
/// the event counts.
fn with_last_event(stream: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(stream);
    let last = text.rsplit("\n\n").next().unwrap_or_default();
    let data = last.lines().find_map(|line| line.strip_prefix("data:")).map(str::trim).unwrap_or_default();
    let is_whole = data == "[DONE]" || data.starts_with('{') && serde_json::from_str::<Value>(data).is_ok();
    if is_whole { [stream, b"\n\n"].concat() } else { stream.to_vec() }
}

/// Checks chunks that end inside characters and inside line endings.
pub async fn reads_single_byte_chunks_with_either_line_ending(provider: &dyn Provider) {
    let ends: &[&[u8]] = match provider.format() {
        StreamFormat::ServerSentEvents => &[b"\n", b"\r\n", b"\r"],
        StreamFormat::JsonLines => &[b"\n", b"\r\n"],
        StreamFormat::EventStream => &[b"\n"],
    };
    let stream = provider.small_stream();
    let expected = provider.meaning(&stream);
    assert_eq!(expected.text, SAID, "{}: text of the small stream", provider.name());
    for end in ends {
        let lines: Vec<&[u8]> =
            if *end == b"\n" { vec![&stream] } else { stream.split_inclusive(|byte| *byte == b'\n').collect() };
        let mut written = Vec::new();
        for line in lines {
            match line.strip_suffix(b"\n") {
                Some(line) if *end != b"\n" => written.extend_from_slice(&[line, end].concat()),
                _ => written.extend_from_slice(line),
            }
        }
        let server = Server::repeat(provider.response(written.into()).splits(Splits::Every(1))).await;
        let model = provider.model(&server.url(), Tuned::default()).await;
        let turn = answer(&*model, "hi").await.unwrap();
        assert_eq!(turn.message.text(), SAID, "{}", provider.name());
        let calls: Vec<_> = turn.message.tool_uses().map(|call| (call.name.as_str(), call.input.clone())).collect();
        assert_eq!(calls, [("get_weather", json!({"city": "Oslo"}))], "{}", provider.name());
        assert_eq!(turn.usage.output_tokens, 5, "{}", provider.name());
        assert_eq!(turn.usage.input_tokens, 10, "{}", provider.name());
        if let Some(order) = &expected.order {
            assert_eq!(order_of(&turn.message), *order, "{}", provider.name());
        }
    }
}

/// Checks that the connection may stall or break once the stream has reported its end.
pub async fn completes_at_the_end_mark_without_waiting_for_the_connection(provider: &dyn Provider) {
    if !provider.has_end_mark() {
        return;
    }
    let stream = provider.small_stream();
    let whole = || provider.response(stream.clone());
    for response in [whole().cut_at(stream.len(), Cut::Close), whole().stall_at(stream.len())] {
        let server = Server::repeat(response).await;
        let asked = Instant::now();
        let model = provider.model(&server.url(), Tuned { idle: Some(SHORT), ..Tuned::default() }).await;
        assert_eq!(answer(&*model, "hi").await.unwrap().message.text(), SAID, "{}", provider.name());
        assert!(asked.elapsed() < Duration::from_secs(5), "{}: {:?}", provider.name(), asked.elapsed());
    }
}

/// Checks that two models with one client share a connection.
pub async fn reuses_connections(provider: &dyn Provider) {
    let server = Server::repeat(provider.response(provider.small_stream())).await;
    for _ in 0..2 {
        let model = provider.model(&server.url(), Tuned::default()).await;
        for _ in 0..3 {
            answer(&*model, "hi").await.unwrap();
        }
    }
    assert_eq!(server.counts().connections, 1, "{}", provider.name());
}

/// Checks truncated JSON, data that is not JSON, bytes that are not UTF-8, and JSON of another form.
pub async fn damaged_streams_are_protocol_errors(provider: &dyn Provider) {
    let (before, after, next): (_, &[u8], &[u8]) = match provider.format() {
        StreamFormat::ServerSentEvents => (format!("{}data: ", provider.event_head()), b"\n\n", b"data: {}\n\n"),
        StreamFormat::JsonLines => (String::new(), b"\n", b"{}\n"),
        StreamFormat::EventStream => panic!("binary frames have their own tests of damage"),
    };
    let damages: [&[u8]; 4] = [b"{\"choices\"", b"<html>", b"\"\xff\xfe\"", b"[1, 2]"];
    for damage in damages {
        let bytes = [&provider.half()[..], before.as_bytes(), damage, after, next].concat();
        let (said, error) = received(provider, provider.response(bytes.into())).await;
        assert_eq!(said, "half", "{}: {damage:?}", provider.name());
        assert_kind(provider, &error.unwrap(), "protocol");
    }
}

/// Checks the size limit for streamed content, for lines and events without an end, and for documents.
pub async fn bounds_response_size(provider: &dyn Provider) {
    let too_large = |error: ModelError, limit: usize| {
        let name = provider.name();
        assert!(
            matches!(error, ModelError::ResponseTooLarge { limit: Some(l), .. } if l == limit),
            "{name}: {error:?}"
        );
    };
    // 32 MiB in chunks: the end of the stream is never read.
    let piece = provider.content(&"x".repeat(MIB));
    let server = Server::repeat(provider.response(piece.repeat(32).into())).await;
    too_large(failure(provider, &server.url(), Tuned::default()).await, 16 * MIB);

    let small = Tuned { max: Some(MIB), ..Tuned::default() };
    let endless = match provider.format() {
        StreamFormat::ServerSentEvents => {
            vec![":".repeat(4 * MIB), "data: x\n".repeat(MIB), format!("data: {}", "x".repeat(4 * MIB))]
        }
        StreamFormat::JsonLines => {
            vec![format!("[{}", "x".repeat(4 * MIB)), format!("{{\"text\": \"{}", "x".repeat(4 * MIB))]
        }
        StreamFormat::EventStream => Vec::new(),
    };
    for endless in endless {
        let server = Server::repeat(provider.response(endless.into())).await;
        too_large(failure(provider, &server.url(), small).await, MIB);
    }

    let server = Server::repeat(Response::json(200, &json!({"text": "x".repeat(4 * MIB)}))).await;
    too_large(failure(provider, &server.url(), Tuned { whole: true, ..small }).await, MIB);
}

/// Checks that a connection that was reset is not used again.
pub async fn recovers_after_a_failed_call(provider: &dyn Provider) {
    let stream = provider.small_stream();
    let cut = stream.len() / 3;
    let broken = provider.response(stream).cut_at(cut, Cut::Reset);
    let server = Server::sequence([broken, provider.response(provider.fine())]).await;
    let model = provider.model(&server.url(), Tuned::default()).await;
    assert!(answer(&*model, "hi").await.is_err());
    assert_eq!(answer(&*model, "hi").await.unwrap().message.text(), "fine.", "{}", provider.name());
}
