//! Everything that can go wrong between a server and us, in both protocols: each fault is a typed error, seen in time,
//! and never a panic.
#![cfg(feature = "openai")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "what fails here fails the test"
)]

mod loopback;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use loopback::{Api, BOTH, Tuned, answer, ask, chat, events, fine, kind, sse, text};
use serde_json::json;
use strands_core::model::{Model, ModelError, ModelRequest};
use strands_testkit::openai::Expectation;
use strands_testkit::ports::{RefusedPort, SilentPort, UnansweredPort, UntrustedTls};
use strands_testkit::{Cut, Response, Server, Splits};

const SHORT: Duration = Duration::from_millis(200);

/// A stream with every kind of piece that a real one has.
fn small_stream(api: Api) -> String {
    match api {
        Api::Chat => {
            let delta =
                |delta| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}], "usage": null});
            let call = |function| delta(json!({"tool_calls": [{"index": 0, "id": "t-1", "function": function}]}));
            let stream = sse([
                &delta(json!({"role": "assistant", "content": "", "reasoning_content": "hm"})),
                &delta(json!({"content": "It is "})),
                &delta(json!({"content": "süß 🍯."})),
                &call(json!({"name": "get_weather", "arguments": ""})),
                &call(json!({"arguments": "{\"city\":\"Oslo\"}"})),
                &json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
                &json!({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}),
            ]);
            stream + "data: [DONE]\n\n"
        }
        Api::Responses => {
            let call = |arguments| json!({"type": "function_call", "id": "fc", "call_id": "t-1", "name": "get_weather", "arguments": arguments});
            let message = json!({"type": "message", "content": [{"type": "output_text", "text": "It is süß 🍯."}]});
            let usage = json!({"input_tokens": 10, "output_tokens": 5, "total_tokens": 15});
            let output = json!([message, call("{\"city\":\"Oslo\"}")]);
            let text = |delta| json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": delta});
            sse([
                &json!({"type": "response.created", "response": {"status": "in_progress"}}),
                &text("It is "),
                &text("süß 🍯."),
                &json!({"type": "response.output_item.done", "output_index": 0, "item": message}),
                &json!({"type": "response.output_item.added", "output_index": 1, "item": call("")}),
                &json!({"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{\"city\":\"Oslo\"}"}),
                &json!({"type": "response.output_item.done", "output_index": 1, "item": call("{\"city\":\"Oslo\"}")}),
                &json!({"type": "response.completed", "response": {"status": "completed", "output": output, "usage": usage}}),
            ])
        }
    }
}

#[tokio::test]
async fn connections_that_fail() {
    for api in BOTH {
        let refused = RefusedPort::bind();
        let error = answer(&*api.model(&refused.url()), "hi").await.unwrap_err();
        assert_eq!(kind(&error), "transport", "{error:?}");

        let untrusted = UntrustedTls::start().await;
        let error = answer(&*api.model(&untrusted.url()), "hi").await.unwrap_err();
        assert_eq!(kind(&error), "transport", "{error:?}");
        untrusted.rejected().await;
        assert_eq!(untrusted.trusted(), 0);

        let plain = Server::repeat(Response::new(200)).await;
        let error = answer(&*api.model(&plain.https_url()), "hi").await.unwrap_err();
        assert_eq!(kind(&error), "transport", "{error:?}");

        let garbage = Server::repeat(Response::garbage("SMTP ready\r\n\r\n")).await;
        let error = answer(&*api.model(&garbage.url()), "hi").await.unwrap_err();
        assert_eq!(kind(&error), "transport", "{error:?}");
    }
}

#[tokio::test]
async fn timeouts_say_how_long_was_waited() {
    for api in BOTH {
        let unanswered = UnansweredPort::bind().await;
        let slow = api.tuned(&unanswered.url(), Tuned { connect: Some(SHORT), ..Tuned::default() });
        let error = answer(&*slow, "hi").await.unwrap_err();
        assert!(matches!(error, ModelError::Timeout { after, .. } if after == SHORT), "{error:?}");

        let idle = Tuned { idle: Some(SHORT), ..Tuned::default() };
        let silent = SilentPort::bind();
        let error = answer(&*api.tuned(&silent.url(), idle), "hi").await.unwrap_err();
        assert!(matches!(error, ModelError::Timeout { after, .. } if after == SHORT), "{error:?}");

        // Silence inside the stream, after something was said.
        let stream = small_stream(api);
        let server = Server::repeat(Response::sse(stream.clone()).stall_at(stream.len() * 2 / 3)).await;
        let messages = ask("hi");
        let (events, error) = events(&*api.tuned(&server.url(), idle), ModelRequest::new(&messages)).await;
        assert!(!events.is_empty());
        let error = error.unwrap();
        assert!(matches!(error, ModelError::Timeout { after, .. } if after == SHORT), "{error:?}");
        assert!(error.is_retryable());

        // And in an answer that comes in one piece, or is an error.
        for status in [200, 400] {
            let body = Response::json(status, &json!({"message": "a long enough body"})).stall_at(5);
            let server = Server::repeat(body).await;
            let whole = Tuned { whole: true, ..idle };
            let error = answer(&*api.tuned(&server.url(), whole), "hi").await.unwrap_err();
            let expected = if status == 200 { "timeout" } else { "invalid request" };
            assert_eq!(kind(&error), expected, "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_stalled_call_ends_when_it_is_dropped() {
    for api in BOTH {
        // While the head is awaited.
        let server = Server::repeat(Response::new(200).stall_head()).await;
        let (waiting, messages) = (api.model(&server.url()), ask("hi"));
        let call = tokio::spawn(async move { waiting.stream(ModelRequest::new(&messages)).await.map(drop) });
        server.stalled().await;
        let dropped = Instant::now();
        call.abort();
        server.client_gone().await;
        assert!(dropped.elapsed() < Duration::from_millis(50), "{:?}", dropped.elapsed());

        // In the middle of the stream.
        let stream = small_stream(api);
        let server = Server::repeat(Response::sse(stream.clone()).stall_at(stream.len() * 2 / 3)).await;
        let (stalled, messages) = (api.model(&server.url()), ask("hi"));
        let mut stream = stalled.stream(ModelRequest::new(&messages)).await.unwrap();
        assert!(stream.next().await.unwrap().is_ok());
        server.stalled().await;
        let dropped = Instant::now();
        drop(stream);
        server.client_gone().await;
        assert!(dropped.elapsed() < Duration::from_millis(50), "{:?}", dropped.elapsed());
    }
}

#[tokio::test]
async fn refusals_with_and_without_retry_after() {
    for api in BOTH {
        for (status, expected) in [(429, "throttled"), (503, "overloaded")] {
            for (header, wait) in [(None, None), (Some("7"), Some(Duration::from_secs(7))), (Some("soon"), None)] {
                let mut response =
                    Response::json(status, &json!({"error": {"message": "slow down"}})).header("x-request-id", "req-1");
                if let Some(header) = header {
                    response = response.header("retry-after", header);
                }
                let server = Server::repeat(response).await;
                let error = answer(&*api.model(&server.url()), "hi").await.unwrap_err();
                assert_eq!(kind(&error), expected, "{error:?}");
                assert_eq!(error.retry_after(), wait);
                assert!(error.is_retryable());
                assert_eq!(error.details().status(), Some(status));
                assert_eq!(error.details().request_id(), Some("req-1"));
                assert_eq!(server.requests().len(), 1, "retrying is the loop's business");
            }
        }
        let far = Response::json(429, &json!({})).header("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT");
        let server = Server::repeat(far).await;
        let error = answer(&*api.model(&server.url()), "hi").await.unwrap_err();
        assert!(error.retry_after().unwrap() > Duration::from_secs(1_000_000));
    }
}

#[tokio::test]
async fn an_error_body_is_bounded_and_kept() {
    for api in BOTH {
        let long = format!("not even JSON {}", "x".repeat(1024 * 1024));
        let server = Server::repeat(Response::new(400).body(long)).await;
        let error = answer(&*api.model(&server.url()), "hi").await.unwrap_err();
        assert_eq!(kind(&error), "invalid request");
        assert_eq!(error.details().body().unwrap().len(), 4 * 1024);
    }
}

#[tokio::test]
async fn a_key_is_not_carried_to_where_a_redirect_points() {
    for api in BOTH {
        let elsewhere = Server::repeat(fine(api)).await;
        let target = format!("{}{}", elsewhere.url(), api.path());
        let server = Server::repeat(Response::new(307).header("location", &target)).await;
        let error = answer(&*api.model(&server.url()), "hi").await.unwrap_err();
        assert_eq!(kind(&error), "protocol", "{error:?}");
        assert_eq!(elsewhere.requests().len(), 0);
    }
}

#[tokio::test]
async fn no_secret_is_shown() {
    let server = Server::repeat(Response::json(401, &json!({"error": {"code": "invalid_api_key"}}))).await;
    let builder =
        chat(&server.url()).api_key("s3cret-key").query("sig", "s3cret-query").header("api-key", "s3cret-header");
    let mut shown = format!("{builder:?}");
    let model = builder.build().unwrap();
    let error = answer(&model, "s3cret prompt").await.unwrap_err();
    assert_eq!(kind(&error), "authentication");
    shown += &format!("{model:?} {error} {error:?}");
    let refused = RefusedPort::bind();
    let model = chat(&refused.url()).query("sig", "s3cret-query").build().unwrap();
    let error = answer(&model, "s3cret prompt").await.unwrap_err();
    shown += &format!("{error} {error:?}");
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        shown += &format!("{error} {error:?}");
        source = error.source();
    }
    assert!(!shown.contains("s3cret"), "{shown}");
    let sent = &server.requests()[0];
    assert!(sent.sends_credential("authorization", "Bearer s3cret-key"));
    assert!(sent.sends_credential("api-key", "s3cret-header"));
    assert_eq!(sent.parameter("sig"), Some("s3cret-query"));
}

#[tokio::test]
async fn errors_in_the_stream() {
    for (error, expected, retryable) in [
        (json!({"code": "rate_limit_exceeded", "message": "slow down"}), "throttled", true),
        (json!({"code": "server_error", "message": "oops"}), "overloaded", true),
        (json!({"code": "context_length_exceeded", "message": "long"}), "context overflow", false),
        (json!({"code": 502, "message": "upstream"}), "overloaded", true),
        (json!({"message": "what"}), "transport", true),
    ] {
        let said = json!({"choices": [{"index": 0, "delta": {"content": "half"}}]});
        let chunk = [said.clone(), json!({"error": error})];
        let choice = [said, json!({"choices": [{"index": 0, "delta": {}, "error": error, "finish_reason": "error"}]})];
        let delta = json!({"type": "response.output_text.delta", "delta": "half"});
        let failed =
            [delta.clone(), json!({"type": "response.failed", "response": {"status": "failed", "error": error}})];
        let nested = [delta, json!({"type": "error", "error": error})];
        for (api, stream) in
            [(Api::Chat, chunk), (Api::Chat, choice), (Api::Responses, failed), (Api::Responses, nested)]
        {
            let server = Server::repeat(Response::sse(sse(&stream)).header("x-request-id", "req-1")).await;
            let messages = ask("hi");
            let (events, failure) = events(&*api.model(&server.url()), ModelRequest::new(&messages)).await;
            assert_eq!(text(&events), "half");
            let failure = failure.unwrap();
            assert_eq!(kind(&failure), expected, "{failure:?}");
            assert_eq!(failure.is_retryable(), retryable, "{error}");
            assert_eq!(failure.details().request_id(), Some("req-1"));
            assert!(failure.details().body().unwrap().contains(error["message"].as_str().unwrap()));
        }
    }
    // The event of Responses that is the error itself.
    let flat = json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": null});
    let server = Server::repeat(Response::sse(sse([&flat]))).await;
    let error = answer(&*Api::Responses.model(&server.url()), "hi").await.unwrap_err();
    assert_eq!(kind(&error), "throttled", "{error:?}");
    // And finish reasons that say that the server could not go on.
    for (finish, expected) in [("error", "transport"), ("insufficient_system_resource", "overloaded")] {
        let chunk = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]});
        let server = Server::repeat(Response::sse(sse([&chunk]) + "data: [DONE]\n\n")).await;
        let error = answer(&*Api::Chat.model(&server.url()), "hi").await.unwrap_err();
        assert_eq!(kind(&error), expected, "{error:?}");
    }
}

#[tokio::test]
async fn an_error_that_comes_as_an_answer() {
    let error = json!({"error": {"code": 429, "message": "slow down"}});
    let failed =
        json!({"status": "failed", "output": [], "error": {"code": "rate_limit_exceeded", "message": "slow down"}});
    for (api, body) in [(Api::Chat, error), (Api::Responses, failed)] {
        for whole in [true, false] {
            let server = Server::repeat(Response::json(200, &body)).await;
            let tuned = Tuned { whole, ..Tuned::default() };
            let error = answer(&*api.tuned(&server.url(), tuned), "hi").await.unwrap_err();
            assert_eq!(kind(&error), "throttled", "{error:?}");
        }
    }
}

/// Cuts a stream after each of its bytes: what was whole is seen, and nothing but a whole answer is `Ok`.
async fn cut_everywhere(api: Api, cut: Cut) {
    let stream = small_stream(api);
    let lengths: Vec<usize> = (0..stream.len()).collect();
    let (body, cuts) = (stream.clone(), lengths.clone());
    // Each request gets its own length of the body.
    let server = Server::handler(move |request| Response::sse(body.clone()).cut_at(cuts[request.index], cut)).await;
    let (model, messages) = (api.model(&server.url()), ask("hi"));
    for &length in &lengths {
        let (events, error) = events(&*model, ModelRequest::new(&messages)).await;
        let at = format!("{api:?} cut at {length} ({cut:?})");
        // What a cut through a letter has left of it is no event anyhow.
        let seen = String::from_utf8_lossy(&stream.as_bytes()[..length]).into_owned();
        let whole = match api {
            // Without its last line the answer is whole, where the end of the response was not cut off, too.
            Api::Chat => {
                let said = Expectation::of_chat_stream(&seen).stop_reason.is_some();
                said && (cut == Cut::Clean || seen.contains("[DONE]\n\n"))
            }
            Api::Responses => Expectation::of_responses_stream(&seen).stop_reason.is_some(),
        };
        match error {
            None => assert!(whole, "{at}: half an answer passed for a whole one"),
            Some(error) => {
                assert!(!whole, "{at}: {error:?}");
                assert_eq!(kind(&error), "transport", "{at}: {error:?}");
                assert!(error.is_retryable(), "{at}");
            }
        }
        if cut == Cut::Clean && api == Api::Chat {
            assert_eq!(text(&events), Expectation::of_chat_stream(&seen).text, "{at}");
        }
    }
    assert_eq!(server.requests().len(), lengths.len(), "nothing is sent twice");
}

#[tokio::test]
async fn a_stream_cut_at_every_byte() {
    for api in BOTH {
        cut_everywhere(api, Cut::Clean).await;
        cut_everywhere(api, Cut::Close).await;
    }
}

#[tokio::test]
async fn a_stream_in_pieces_of_a_byte_with_either_line_end() {
    for api in BOTH {
        for stream in
            [small_stream(api), small_stream(api).replace('\n', "\r\n"), small_stream(api).replace('\n', "\r")]
        {
            let server = Server::repeat(Response::sse(stream).splits(Splits::Every(1))).await;
            let turn = answer(&*api.model(&server.url()), "hi").await.unwrap();
            assert_eq!(turn.message.text(), "It is süß 🍯.", "{api:?}");
            assert_eq!(turn.message.tool_uses().next().unwrap().input, json!({"city": "Oslo"}));
            assert_eq!(turn.usage.input_tokens, 10);
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_complete_does_not_need_the_connection_any_more() {
    for api in BOTH {
        let stream = small_stream(api);
        let whole = || Response::sse(stream.clone());
        for response in [whole().cut_at(stream.len(), Cut::Close), whole().stall_at(stream.len())] {
            let server = Server::repeat(response).await;
            let asked = Instant::now();
            assert_eq!(answer(&*api.model(&server.url()), "hi").await.unwrap().message.text(), "It is süß 🍯.");
            assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        }
    }
}

#[tokio::test]
async fn one_connection_carries_one_answer_after_the_other() {
    for api in BOTH {
        let server = Server::repeat(Response::sse(small_stream(api))).await;
        // Two models, one client.
        for model in [api.model(&server.url()), api.model(&server.url())] {
            for _ in 0..3 {
                answer(&*model, "hi").await.unwrap();
            }
        }
        assert_eq!(server.counts().connections, 1, "{api:?}");
    }
}

#[tokio::test]
async fn damaged_streams_are_protocol_errors() {
    for api in BOTH {
        let half = match api {
            Api::Chat => sse([&json!({"choices": [{"index": 0, "delta": {"content": "half"}}]})]),
            Api::Responses => sse([&json!({"type": "response.output_text.delta", "delta": "half"})]),
        };
        let named = if api == Api::Chat { "" } else { "event: response.output_text.delta\n" };
        let damages: [&[u8]; 4] =
            [b"data: {\"choices\"\n\n", b"data: <html>\n\n", b"data: \"\xff\xfe\"\n\n", b"data: [1, 2]\n\n"];
        for damage in damages {
            let bytes = [half.as_bytes(), named.as_bytes(), damage, b"data: {}\n\n"].concat();
            let server = Server::repeat(Response::sse(bytes)).await;
            let messages = ask("hi");
            let (events, error) = events(&*api.model(&server.url()), ModelRequest::new(&messages)).await;
            assert_eq!(text(&events), "half", "{damage:?}");
            let error = error.unwrap();
            assert_eq!(kind(&error), "protocol", "{api:?} {damage:?}: {error:?}");
        }
    }
}

#[tokio::test]
async fn what_an_answer_may_hold_is_bounded() {
    const MIB: usize = 1024 * 1024;
    let too_large = |error: ModelError, limit: usize| {
        assert!(matches!(error, ModelError::ResponseTooLarge { limit: l, .. } if l == limit), "{error:?}");
    };
    for api in BOTH {
        // 32 MiB in pieces: the end of the stream is never read.
        let piece = "x".repeat(MIB);
        let piece = match api {
            Api::Chat => {
                json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "t", "function": {"name": "t", "arguments": piece}}]}}]})
            }
            Api::Responses => json!({"type": "response.output_text.delta", "delta": piece}),
        };
        let server = Server::repeat(Response::sse(sse(std::iter::repeat_n(&piece, 32)))).await;
        too_large(answer(&*api.model(&server.url()), "hi").await.unwrap_err(), 16 * MIB);

        // One line without an end, one event without an end, and nothing but comments.
        let small = Tuned { max: Some(MIB), ..Tuned::default() };
        for endless in ["x".repeat(4 * MIB), "data: x\n".repeat(MIB), format!("data: {}", "x".repeat(4 * MIB))] {
            let server = Server::repeat(Response::sse(endless)).await;
            too_large(answer(&*api.tuned(&server.url(), small), "hi").await.unwrap_err(), MIB);
        }

        // In one piece.
        let server = Server::repeat(Response::json(200, &json!({"text": "x".repeat(4 * MIB)}))).await;
        let whole = Tuned { whole: true, ..small };
        too_large(answer(&*api.tuned(&server.url(), whole), "hi").await.unwrap_err(), MIB);
    }
}

#[tokio::test]
async fn a_failed_call_leaves_the_next_one_alone() {
    for api in BOTH {
        let server = Server::sequence([Response::sse(small_stream(api)).cut_at(150, Cut::Reset), fine(api)]).await;
        let model = api.model(&server.url());
        assert!(answer(&*model, "hi").await.is_err());
        assert_eq!(answer(&*model, "hi").await.unwrap().message.text(), "fine.");
    }
}
