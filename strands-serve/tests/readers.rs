//! Readers of a run: none misses an event, none makes the run wait for longer than it may, and the memory is bounded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use strands::identity::Identity;
use strands::serve::{AgentService, Disconnect, ServiceLimits, SessionChoice, Turn, TurnError};
use strands::session::{SessionStore, object_store::memory::InMemory};
use strands::testing::ScriptedModel;
use strands::{Agent, AgentEvent};

const HOUR: Duration = Duration::from_secs(3_600);

fn service(text: &str, limits: ServiceLimits) -> AgentService {
    let template = Agent::builder().model(ScriptedModel::responding(text));
    let store = SessionStore::objects(Arc::new(InMemory::new()), "").unwrap();
    AgentService::builder(template, store).limits(limits).build()
}

async fn start(service: &AgentService) -> Turn {
    service.turn(Identity::new("alice"), SessionChoice::New, "Hi").start().await.unwrap()
}

/// Returns the numbers of the events up to the result.
async fn numbers(turn: Turn) -> Vec<u64> {
    let numbers: Vec<_> = turn.into_events().map(|event| event.unwrap().seq()).collect().await;
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    numbers
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_the_response_does_not_hold_the_run() {
    let limits = ServiceLimits::new().reader_lag_bytes(1).slow_reader_timeout(HOUR).turn_time(None);
    let service = service("It is sunny in Oslo.", limits);

    let turn = start(&service).await;
    let begin = tokio::time::Instant::now();
    let response = turn.response().await.unwrap();

    assert_eq!(response.text(), "It is sunny in Oslo.");
    assert!(begin.elapsed() < HOUR, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_dropped_and_reads_the_rest_later() {
    let timeout = Duration::from_secs(5);
    let limits = ServiceLimits::new().reader_lag_bytes(4_096).slow_reader_timeout(timeout);
    let service = service(&"word ".repeat(500), limits);

    let mut turn = start(&service).await;
    let run = turn.run_id().to_owned();
    let mut last = turn.next().await.unwrap().unwrap().seq();
    let first = last;
    tokio::time::sleep(2 * timeout).await;
    let error = loop {
        match turn.next().await.unwrap() {
            Ok(event) => {
                assert_eq!(event.seq(), last + 1);
                last = event.seq();
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(error, TurnError::SlowReader), "{error:?}");
    drop(turn);

    let rest = numbers(service.attach(&Identity::new("alice"), &run, Some(last)).unwrap()).await;
    assert_eq!(rest[0], last + 1);
    // Start, prompt, cycle, 500 deltas, response and result.
    assert_eq!(rest.last().unwrap() - first, 504);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_that_come_and_go_on_several_threads_see_each_event_once() {
    let limits = ServiceLimits::new().reader_lag_bytes(2_048).turns(100).turns_per_user(100);
    let service = service(&"word ".repeat(2_000), limits.disconnect(Disconnect::Finish));
    let rounds = (0..50_u64).map(|round| {
        let service = service.clone();
        tokio::spawn(async move {
            let turn = start(&service).await;
            let run = turn.run_id().to_owned();
            let whole = tokio::spawn(numbers(turn));
            // Another reader, which comes back again and again.
            let mut last = None;
            let mut seen = Vec::new();
            'turns: loop {
                let mut turn = service.attach(&Identity::new("alice"), &run, last).unwrap();
                for _ in 0..100 + 7 * round {
                    let event = turn.next().await.unwrap().unwrap();
                    seen.push(event.seq());
                    last = Some(event.seq());
                    if matches!(event.event(), AgentEvent::Result { .. }) {
                        break 'turns;
                    }
                }
            }
            assert_eq!(whole.await.unwrap(), seen);
        })
    });
    let all = futures_util::future::join_all(rounds.collect::<Vec<_>>());
    for done in tokio::time::timeout(Duration::from_secs(120), all).await.expect("no reader waits forever") {
        done.unwrap();
    }
}
