//! Several workers with many sessions at once, and the cost of a turn.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::plan::{self, Plan};
use crate::rig::Rig;

/// Time between two kills of a worker for each session: 5 seconds with 300, so that fewer sessions see kills as well.
const BETWEEN_KILLS: Duration = Duration::from_micros(16_667);

/// Runs two turns of each of many sessions on workers, one of which is killed from time to time.
pub(crate) async fn fleet(sessions: u32, workers: usize, with_kills: bool) {
    let mut rig = Rig::start("fleet", workers, |_| {}).await;
    rig.mock.log().pace = 10;
    let began = Instant::now();
    let mut workers_alive = std::mem::take(&mut rig.workers);
    let rig = rig;
    let mut running: FuturesUnordered<_> = (0..sessions).map(|number| two_turns(&rig, format!("f-{number}"))).collect();
    let (mut times, mut kills, between) = (Vec::new(), 0, BETWEEN_KILLS * sessions);
    let mut next_kill = tokio::time::interval_at(Instant::now() + between, between);
    while !running.is_empty() {
        tokio::select! {
            Some(ended) = running.next() => times.extend(ended),
            _ = next_kill.tick(), if with_kills => {
                let worker = kills % workers;
                workers_alive[worker].kill();
                workers_alive[worker].start();
                kills += 1;
            }
        }
    }
    drop(running);
    let elapsed = began.elapsed().as_secs_f64();
    for number in 0..sessions {
        let session = format!("f-{number}");
        let turn = plan::history(Plan::Journey, &format!("journey {session} {}", plan::MARKER), &session);
        let (messages, ids) = rig.history(&session).await;
        assert!(messages == [&turn[..], &turn[..]].concat(), "{session}: {messages:?}");
        rig.check_effects(&session, &ids);
    }
    rig.check_failures().await;
    rig.check_repeated();
    assert!(!with_kills || kills >= workers, "only {kills} kills");
    assert_eq!(rig.mock.log().workers.len(), workers, "workers that have served turns");
    times.sort();
    let percentile = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64();
    let cpu: f64 = workers_alive.iter().map(crate::processes::Process::cpu).sum();
    println!(
        "{workers} workers, {kills} kills: {} turns of {sessions} sessions ended in {elapsed:.1} s: {:.1} turns/s; p50 {:.1} s, p99 {:.1} s; \
         CPU of the server {:.1} s, of the workers {cpu:.1} s (since their last start); {} model calls for {} responses",
        times.len(),
        times.len() as f64 / elapsed,
        percentile(0.5),
        percentile(0.99),
        rig.server.process.cpu(),
        rig.mock.log().total_model_calls(),
        times.len() * 10,
    );
}

/// Sends two turns of a session at once. Returns the time that each took, with its wait for the one before it.
async fn two_turns(rig: &Rig, session: String) -> [Duration; 2] {
    let mut turns = Vec::new();
    for _ in 0..2 {
        turns.push((rig.send("journey", &session).await, Instant::now()));
    }
    let mut times = [Duration::ZERO; 2];
    for ((turn, began), time) in turns.iter().zip(&mut times) {
        let (status, response) = rig.end(turn).await;
        assert!(status.is_success(), "{}: {status} {response}", turn.session);
        *time = began.elapsed();
    }
    times
}

/// Measures the cost of a turn with 10 model calls and 12 tools that take no time, with our server and that of the SDK.
pub(crate) async fn figures(turns: u32) {
    for is_sdk_server in [false, true] {
        let rig = Rig::start("figures", 1, |settings| {
            settings.is_sdk_server = is_sdk_server;
            settings.tool_time = 0;
        })
        .await;
        rig.mock.log().pace = 0;
        let warm = rig.send("journey", "warm").await;
        rig.check(&warm).await;
        let cpu = || (rig.server.process.cpu(), rig.workers[0].cpu());
        let (before, began) = (cpu(), Instant::now());
        for number in 0..turns {
            let sent = rig.send("journey", &format!("c-{number}")).await;
            assert!(rig.end(&sent).await.0.is_success());
        }
        let (elapsed, after) = (began.elapsed(), cpu());
        let each = |all: f64| all * 1e3 / f64::from(turns);
        println!(
            "{}: {:.1} ms a turn, one after the other; CPU: server {:.1} ms, worker {:.1} ms",
            if is_sdk_server { "server of the SDK" } else { "strands server" },
            each(elapsed.as_secs_f64()),
            each(after.0 - before.0),
            each(after.1 - before.1),
        );
        let query = format!("select index, entry_type, name, raw_length from sys_journal where id = '{}'", warm.run_id);
        let mut rows = rig.query(&query).await;
        rows.sort_by_key(|row| row["index"].as_u64());
        let sizes: Vec<u64> = rows.iter().filter_map(|row| row["raw_length"].as_u64()).collect();
        let of_end = &sizes[sizes.len() - 6..];
        println!(
            "{} entries of the journal, {} bytes; the end alone (record of the snapshot and of the response, state, output): {of_end:?}",
            sizes.len(),
            sizes.iter().sum::<u64>()
        );
    }
}
