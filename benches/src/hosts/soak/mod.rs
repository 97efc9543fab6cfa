//! A soak: many streams at once, some of whose readers are slow, or leave and come back.

mod reader;

use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::server::{Server, Side, mebibytes};
use reader::{Kind, Seen};

/// Deltas of each stream, and the time between them.
const DELTAS: u32 = 200;
const INTERVAL: Duration = Duration::from_millis(20);
/// Size of the deltas for slow readers: together more than the buffers of the system, and less than those of a run.
const PADDING: usize = 1_000;
/// Time in which the streams of a round start.
const RAMP: Duration = Duration::from_secs(1);
/// Round after which the memory must not grow, and the growth that is noise.
const FLAT_AFTER: usize = 2;
const NOISE: f64 = 1.15;

const SIDES: [Side; 2] = [Side::HandWritten, Side::Service];

/// Measurements of one side in a round.
#[derive(Default)]
struct Round {
    events: u64,
    returns: u64,
    dropped: u64,
    /// Times from the model's delta to the client, in microseconds, of readers that are neither slow nor leave.
    latencies: Vec<u32>,
}

/// Runs rounds of both sides in turn. Panics if an event is missed or repeated, if the service's memory grows, or if the
/// ratio of the 99th percentiles is larger than the accepted one.
pub(crate) fn run(rounds: usize, streams: usize, accepted: f64) {
    let folder = tempfile::Builder::new().prefix("strands-soak").tempdir_in("/dev/shm").unwrap();
    let servers =
        SIDES.map(|side| (side, Server::start(side, folder.path().join(side.name()).to_str().unwrap(), None)));
    let mut latencies = [const { Vec::new() }; 2];
    let mut ratios = Vec::new();
    let mut flat = None;
    println!("| round | side | events | came back | of them dropped for slowness | p50 | p99 | CPU | memory |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for number in 1..=rounds {
        let mut p99 = [0.0; 2];
        for (index, (side, server)) in servers.iter().enumerate() {
            let (used, start) = (server.time(), Instant::now());
            let Round { events, returns, dropped, latencies: mut of_round } = round(*side, server, (number, streams));
            let share = (server.time() - used).as_secs_f64() / start.elapsed().as_secs_f64();
            // The last runs end after their readers.
            std::thread::sleep(Duration::from_millis(500));
            let memory = mebibytes(server.memory());
            p99[index] = percentile(&mut of_round, 99);
            println!(
                "| {number} | {} | {events} | {returns} | {dropped} | {:.2} ms | {:.2} ms | {:.0} % | {memory:.1} MiB |",
                side.name(),
                percentile(&mut of_round, 50),
                p99[index],
                share * 100.0,
            );
            latencies[index].extend(of_round);
            if *side == Side::Service {
                match flat {
                    Some(flat) => {
                        assert!(memory <= flat * NOISE, "the memory has grown from {flat:.1} to {memory:.1} MiB");
                    }
                    None if number == FLAT_AFTER => flat = Some(memory),
                    None => {}
                }
            }
        }
        ratios.push(p99[1] / p99[0]);
    }
    ratios.sort_by(f64::total_cmp);
    let [hand_written, service] = latencies.each_mut().map(|latencies| percentile(latencies, 99));
    let ratio = service / hand_written;
    println!(
        "\np99 of all rounds: {service:.2} ms, hand-written {hand_written:.2} ms: ratio {:.2}; median of the rounds' ratios: {:.2}",
        ratio,
        ratios[ratios.len() / 2],
    );
    assert!(ratio <= accepted, "the accepted ratio is {accepted}");
}

/// Returns a percentile in milliseconds.
fn percentile(latencies: &mut [u32], percent: usize) -> f64 {
    latencies.sort_unstable();
    f64::from(latencies[latencies.len() * percent / 100]) / 1e3
}

/// Reads this many streams at once. Each round has users of its own, since their histories would grow.
fn round(side: Side, server: &Server, (round, streams): (usize, usize)) -> Round {
    let port = server.port;
    Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let readers = (0..streams).map(|number| {
            let user = format!("user-{round}-{number}");
            let kind = Kind::of(number);
            let padding = if kind == Kind::Slow { PADDING } else { 0 };
            let answer = Answer { deltas: DELTAS, interval: INTERVAL, padding };
            let wait = RAMP.mul_f64(number as f64 / streams as f64);
            async move {
                tokio::time::sleep(wait).await;
                let limit = Duration::from_secs(60);
                let seen = tokio::time::timeout(limit, reader::read(side, port, user, kind, answer)).await;
                (kind, seen.expect("the stream ends in time"))
            }
        });
        let readers: JoinSet<(Kind, Seen)> = readers.collect();
        let mut total = Round::default();
        for (kind, seen) in readers.join_all().await {
            total.events += seen.events;
            total.returns += seen.returns;
            total.dropped += seen.dropped;
            if kind == Kind::Plain {
                total.latencies.extend(seen.latencies);
            }
        }
        total
    })
}
