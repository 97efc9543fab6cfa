//! `POST /prompt/stream` and `GET /runs/{id}/events`: nothing is missed, nothing comes twice, and slow readers are dropped.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use serde_json::json;
use strands_serve::{Disconnect, ServiceLimits};

use crate::support::{Outgoing, Reply, Rig, Sse, get, limited, post, read_until, request, rig, sse, types};

fn stream(text: &str) -> Outgoing {
    post("/prompt/stream", json!({"prompt": text})).user("alice")
}

fn events_after(run: &str, last: &str) -> Outgoing {
    get(format!("/runs/{run}/events")).user("alice").header("last-event-id", last)
}

/// Returns the run and the number in an event's id.
fn parts(event: &Sse) -> (&str, u64) {
    let (run, number) = event.id.rsplit_once(':').unwrap();
    (run, number.parse().unwrap())
}

#[tokio::test]
async fn streams_all_events_with_their_ids() {
    let rig = rig();
    let reply = rig.send(stream("one two")).await;
    assert_eq!(reply.status, 200);
    let events = sse(reply.text());
    let types = types(&events);
    assert_eq!(types.first(), Some(&"start"));
    assert_eq!(types.last(), Some(&"result"));
    assert_eq!(types.iter().filter(|kind| **kind == "text_delta").count(), 2);
    let (run, first) = parts(&events[0]);
    for (index, event) in (0..).zip(&events) {
        assert_eq!(parts(event), (run, first + index));
    }
    assert_eq!(reply.header("location"), format!("/runs/{run}/events?session_id=session_for_user_alice"));
    // The prompt has the id of the run.
    let session = rig.send(get("/sessions/session_for_user_alice").user("alice")).await.ok();
    assert_eq!(session["messages"][0]["tracking_id"], run);
}

#[tokio::test]
async fn failures_after_the_start_are_events() {
    let rig = rig();
    for text in ["fail", "panic"] {
        let events = sse(rig.send(stream(text)).await.text());
        let last = events.last().unwrap();
        assert_eq!((last.event.as_str(), last.id.as_str()), ("failure", ""));
        assert!(!last.data.to_string().contains("internals"));
        let expected = if text == "fail" { "model_failed" } else { "internal" };
        assert_eq!(last.data["code"], expected);
    }
    assert_eq!(rig.send(stream("again")).await.status, 200);
    rig.prompt("alice", "call ask").await.ok();
    let events = sse(rig.send(stream("hi")).await.text());
    assert_eq!(events.last().unwrap().data["code"], "interrupted");
}

#[tokio::test]
async fn a_reader_comes_back_while_the_run_lives() {
    let rig = rig();
    let mut body = rig.open(stream("call wait")).await.into_body();
    rig.gate.arrived().await;
    let before = read_until(&mut body, |text| text.contains("tool_start")).await;
    drop(body);
    let before = sse(&before);
    let last = before.last().unwrap().id.clone();
    let mut body = rig.open(events_after(parts(&before[0]).0, &last)).await.into_body();
    rig.gate.open();
    let after = sse(&read_until(&mut body, |text| text.contains("\"result\"")).await);
    assert_eq!(parts(&after[0]).1, parts(before.last().unwrap()).1 + 1);
    let whole = rig.send(get(format!("/runs/{}/events", parts(&before[0]).0)).user("alice")).await;
    assert_eq!(sse(whole.text()), [before, after].concat());
}

#[tokio::test]
async fn a_repeated_prompt_continues_its_run() {
    let rig = rig();
    let events = sse(rig.send(stream("one two three")).await.text());
    let repeated = rig.send(stream("one two three").header("last-event-id", events[3].id.clone())).await;
    assert_eq!(sse(repeated.text()), events[4..]);
    let finished = rig.send(stream("one").header("last-event-id", events.last().unwrap().id.clone())).await;
    assert_eq!(finished.status, 204);
    assert_eq!(finished.text(), "");
    let session = rig.send(get("/sessions/session_for_user_alice").user("alice")).await.ok();
    assert_eq!(session["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn runs_of_others_do_not_exist() {
    let rig = rig();
    let events = sse(rig.send(stream("one")).await.text());
    let run = parts(&events[0]).0;
    for (method, path) in [("GET", format!("/runs/{run}/events")), ("DELETE", format!("/runs/{run}"))] {
        let reply = rig.send(request(method, path).user("bob")).await;
        assert_eq!(reply.problem(), (404, "unknown_run".into()), "{method}");
    }
    let stolen =
        post("/prompt/stream", json!({"prompt": "x"})).user("bob").header("last-event-id", events[0].id.clone());
    assert_eq!(rig.send(stolen).await.problem(), (404, "unknown_run".into()));
    for (id, code) in [("nonsense", 400), ("a:b", 400), (":", 400), ("a:-1", 400), ("a:99999999999999999999999", 400)] {
        assert_eq!(rig.send(events_after(run, id)).await.problem().0, code, "{id}");
    }
    assert_eq!(rig.send(events_after(run, "other:1")).await.problem().0, 400);
}

#[tokio::test]
async fn a_run_is_cancelled_by_its_owner() {
    let rig = rig();
    let mut body = rig.open(stream("stall")).await.into_body();
    let begin = sse(&read_until(&mut body, |text| text.contains("text_delta")).await);
    let run = parts(&begin[0]).0.to_owned();
    assert_eq!(rig.send(request("DELETE", format!("/runs/{run}")).user("alice")).await.status, 204);
    let rest = sse(&read_until(&mut body, |text| text.contains("\"result\"")).await);
    assert_eq!(rest.last().unwrap().data["response"]["stop_reason"], "cancelled");
    rig.prompt("alice", "again").await.ok();
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_cancels_the_turn_after_a_while() {
    let time = Duration::from_secs(10);
    let rig = limited(ServiceLimits::new().disconnect(Disconnect::CancelAfter(time)));
    let mut body = rig.open(stream("stall")).await.into_body();
    let begin = sse(&read_until(&mut body, |text| text.contains("text_delta")).await);
    let run = parts(&begin[0]).0.to_owned();
    drop(body);
    // A reader that comes back in time keeps it running.
    tokio::time::sleep(time / 2).await;
    let mut body = rig.open(get(format!("/runs/{run}/events")).user("alice")).await.into_body();
    tokio::time::sleep(time * 3).await;
    read_until(&mut body, |text| text.contains("text_delta")).await;
    assert_eq!(rig.service.running_turns(), 1);
    drop(body);
    tokio::time::sleep(time * 2).await;
    assert_eq!(rig.service.running_turns(), 0);
    let events = sse(rig.send(get(format!("/runs/{run}/events")).user("alice")).await.text());
    assert_eq!(events.last().unwrap().data["response"]["stop_reason"], "cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_disconnected_prompt_is_cancelled_too() {
    let rig = limited(ServiceLimits::new().disconnect(Disconnect::CancelAfter(Duration::from_secs(1))));
    let prompt = rig.prompt("alice", "stall");
    assert!(tokio::time::timeout(Duration::from_secs(5), prompt).await.is_err());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(rig.service.running_turns(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_disconnected_turn_may_finish() {
    let rig = limited(ServiceLimits::new().disconnect(Disconnect::Finish));
    let mut body = rig.open(stream("call wait")).await.into_body();
    let begin = sse(&read_until(&mut body, |text| text.contains("tool_start")).await);
    drop(body);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(rig.service.running_turns(), 1);
    rig.gate.open();
    let run = parts(&begin[0]).0;
    let mut body = rig.open(get(format!("/runs/{run}/events")).user("alice")).await.into_body();
    read_until(&mut body, |text| text.contains("\"end_turn\"")).await;
}

/// Limits with small buffers.
fn small() -> ServiceLimits {
    ServiceLimits::new().reader_lag_bytes(2_000).slow_reader_timeout(Duration::from_secs(10))
}

/// A prompt whose response has many events, which together are larger than the small buffers.
fn long() -> String {
    "some words ".repeat(400)
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_makes_the_turn_wait_then_is_dropped_and_comes_back() {
    let rig = limited(small());
    let mut body = rig.open(stream(&long())).await.into_body();
    let first = read_until(&mut body, |text| !text.is_empty()).await;
    // The turn waits.
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(rig.service.running_turns(), 1);
    // The reader is dropped, and the turn ends.
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(rig.service.running_turns(), 0);
    let rest = body.collect().await.unwrap().to_bytes();
    let read = sse(&(first + std::str::from_utf8(&rest).unwrap()));
    let (last, read) = read.split_last().unwrap();
    assert_eq!((last.event.as_str(), &last.data["code"]), ("failure", &json!("slow_reader")));
    // It comes back, and misses nothing.
    let (run, _) = parts(&read[0]);
    let after = sse(rig.send(events_after(run, &read.last().unwrap().id)).await.text());
    let whole = sse(rig.send(get(format!("/runs/{run}/events")).user("alice")).await.text());
    assert_eq!([read.to_vec(), after].concat(), whole);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_continues_in_time_is_not_dropped() {
    let rig = limited(small());
    let mut body = rig.open(stream(&long())).await.into_body();
    let mut text = read_until(&mut body, |text| !text.is_empty()).await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(rig.service.running_turns(), 1);
    text += &read_until(&mut body, |text| text.contains("\"result\"")).await;
    let events = sse(&text);
    assert_eq!(types(&events).iter().filter(|kind| **kind == "text_delta").count(), 800);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_does_not_stop_others_for_good() {
    let rig = limited(small());
    let mut slow = rig.open(stream(&long())).await.into_body();
    let begin = sse(&read_until(&mut slow, |text| !text.is_empty()).await);
    let fast = rig.send(get(format!("/runs/{}/events", parts(&begin[0]).0)).user("alice")).await;
    assert_eq!(types(&sse(fast.text())).last(), Some(&"result"));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_response_alone_makes_no_turn_wait() {
    let rig = limited(small());
    let turn = rig.service.turn(strands_identity::Identity::new("alice"), (), long()).start().await.unwrap();
    // Events are recorded, and skipped.
    let response = tokio::time::timeout(Duration::from_secs(1), turn.response()).await.expect("nothing waits");
    assert_eq!(response.unwrap().text().len(), long().len());
}

#[tokio::test(start_paused = true)]
async fn evicted_events_are_replaced_by_the_result() {
    let rig = limited(ServiceLimits::new().buffer_bytes(2_000));
    let events = sse(rig.send(stream(&long())).await.text());
    // A connected reader gets all of them, although the buffer is smaller than the size by which it may lag.
    assert_eq!(types(&events).iter().filter(|kind| **kind == "text_delta").count(), 800);
    let (run, _) = parts(&events[0]);
    let late = sse(rig.send(events_after(run, &events[1].id)).await.text());
    assert_eq!(late, [events.last().unwrap().clone()]);
    assert_eq!(rig.send(events_after(run, &events.last().unwrap().id)).await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn large_events_evict_nothing_that_a_reader_waits_for() {
    let rig = limited(ServiceLimits::new().buffer_bytes(10_000));
    let prompt = "word ".repeat(20) + &"x".repeat(50_000);
    let events = sse(rig.send(stream(&prompt)).await.text());
    assert_eq!(types(&events)[0], "start");
    assert_eq!(types(&events).iter().filter(|kind| **kind == "text_delta").count(), 21);
    let numbers: Vec<u64> = events.iter().map(|event| parts(event).1).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_too_late_gets_the_result_and_stops_nobody() {
    let rig = limited(small().buffer_bytes(2_000).disconnect(Disconnect::Finish));
    let mut body = rig.open(stream(&format!("{}\ncall wait", "x".repeat(8_000)))).await.into_body();
    let begin = sse(&read_until(&mut body, |text| text.contains("tool_start")).await);
    rig.gate.arrived().await;
    let (run, _) = parts(&begin[0]);
    let late = rig.open(get(format!("/runs/{run}/events")).user("alice")).await;
    rig.gate.open();
    read_until(&mut body, |text| text.contains("\"result\"")).await;
    let late = sse(Reply::of(late).await.text());
    assert_eq!(types(&late), ["result"]);
}

#[tokio::test(start_paused = true)]
async fn ended_runs_are_retained_for_a_while_and_up_to_a_size() {
    let rig = limited(ServiceLimits::new().finished_time(Duration::from_secs(60)).finished_bytes(100_000));
    let events = sse(rig.send(stream("one two")).await.text());
    let (run, _) = parts(&events[0]);
    let again = async || sse(rig.send(get(format!("/runs/{run}/events")).user("alice")).await.text()).len();
    assert_eq!(again().await, events.len());
    tokio::time::sleep(Duration::from_secs(61)).await;
    // From the session.
    assert_eq!(again().await, 1);

    let events = sse(rig.send(stream("one two")).await.text());
    let (run, _) = parts(&events[0]);
    rig.send(stream(&long())).await;
    let again = sse(rig.send(get(format!("/runs/{run}/events")).user("alice")).await.text()).len();
    assert_eq!(again, 1);
}

/// Reads the events of a run with a disconnect after each of some numbers of bytes.
async fn read_with_disconnects(rig: &Rig, run: &str, disconnects: &[usize]) -> Vec<Sse> {
    let mut events: Vec<Sse> = Vec::new();
    for bytes in disconnects.iter().copied().chain([usize::MAX]) {
        let mut request = get(format!("/runs/{run}/events")).user("alice");
        if let Some(last) = events.last() {
            request = request.header("last-event-id", last.id.clone());
        }
        let response = rig.open(request).await;
        if response.status() == 204 {
            break;
        }
        let mut body: Body = response.into_body();
        let mut text = String::new();
        while text.len() < bytes {
            let Some(frame) = body.frame().await else { break };
            text.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
        }
        // The client sees the connection end within an event: it dispatches whole events alone.
        let seen = text.get(..bytes.min(text.len())).unwrap_or(&text);
        events.extend(sse(seen.rsplit_once("\n\n").map_or("", |(whole, _)| whole)));
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Readers that disconnect anywhere, and come back, read each event once.
    #[test]
    fn readers_miss_nothing_and_read_nothing_twice(
        readers in prop::collection::vec(prop::collection::vec(0_usize..6_000, 0..12), 1..4),
        words in 1_usize..120,
        lag in 300_usize..5_000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let rig = limited(ServiceLimits::new().reader_lag_bytes(lag).disconnect(Disconnect::Finish));
            let turn = rig.service.turn(strands_identity::Identity::new("alice"), (), "word ".repeat(words));
            let turn = turn.start().await.unwrap();
            let run = turn.run_id().to_owned();
            drop(turn);
            let reading = readers.iter().map(|disconnects| read_with_disconnects(&rig, &run, disconnects));
            let read = futures_util::future::join_all(reading).await;
            let whole = sse(rig.send(get(format!("/runs/{run}/events")).user("alice")).await.text());
            assert_eq!(types(&whole).iter().filter(|kind| **kind == "text_delta").count(), words);
            for events in read {
                assert_eq!(events, whole);
            }
        });
    }
}
