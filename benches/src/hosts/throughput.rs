//! Requests per second and latencies of a closed loop: each connection sends its next request when it has the response.

use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::client::{Connection, field};
use crate::server::{Server, Side, mebibytes};

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(500);
/// Turns of each session.
const TURNS: usize = 10;
/// Deltas of each response.
const DELTAS: u32 = 20;

/// Results of a round, or medians of rounds.
#[derive(Clone, Copy, Debug)]
struct Figures {
    rate: f64,
    median: f64,
    p99: f64,
    time: f64,
    memory: f64,
}

pub(crate) fn print(python: Option<&str>) {
    let sides: &[Side] = match python {
        Some(_) => &[Side::HandWritten, Side::Service, Side::FastApi],
        None => &[Side::HandWritten, Side::Service],
    };
    println!("| work | sessions | side | requests/s | p50 | p99 | CPU of a request | CPU, ratio | memory |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for path in ["/prompt", "/prompt/stream"] {
        for sessions in ["memory", "files"] {
            // Sessions in memory (tmpfs), since a disk's noise is larger than all differences.
            let folder = tempfile::Builder::new().prefix("strands-hosts").tempdir_in("/dev/shm").unwrap();
            let figures = measure(
                path,
                sides,
                |side| {
                    let place = folder.path().join(side.name());
                    if sessions == "memory" { "memory".to_owned() } else { place.to_str().unwrap().to_owned() }
                },
                python,
            );
            let floor = figures[0].time;
            for (side, Figures { rate, median, p99, time, memory }) in sides.iter().zip(figures) {
                println!(
                    "| `{path}` | {sessions} | {} | {rate:.0} | {median:.2} ms | {p99:.2} ms | {time:.0} µs | {:.2} | {memory:.0} MiB |",
                    side.name(),
                    time / floor,
                );
            }
        }
    }
}

/// Measures all sides in turn, so that a disturbance affects each of them.
fn measure(path: &'static str, sides: &[Side], place: impl Fn(Side) -> String, python: Option<&str>) -> Vec<Figures> {
    let servers: Vec<_> = sides.iter().map(|side| Server::start(*side, &place(*side), python)).collect();
    for server in &servers {
        load(server, path, WARM_UP);
    }
    let mut rounds: Vec<Vec<Figures>> = vec![Vec::new(); sides.len()];
    for _ in 0..ROUNDS {
        for (server, rounds) in servers.iter().zip(&mut rounds) {
            rounds.push(load(server, path, TIME));
        }
    }
    rounds.iter().map(|rounds| medians(rounds)).collect()
}

fn medians(rounds: &[Figures]) -> Figures {
    let median = |of: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Figures {
        rate: median(|round| round.rate),
        median: median(|round| round.median),
        p99: median(|round| round.p99),
        time: median(|round| round.time),
        memory: median(|round| round.memory),
    }
}

fn load(server: &Server, path: &'static str, time: Duration) -> Figures {
    let port = server.port;
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let (used, start) = (server.time(), Instant::now());
        let connections: JoinSet<Vec<Duration>> =
            (0..CONNECTIONS).map(|number| requests(port, path, number, start + time)).collect();
        let mut latencies = connections.join_all().await.concat();
        let (elapsed, used) = (start.elapsed(), server.time() - used);
        latencies.sort_unstable();
        let count = f64::from(u32::try_from(latencies.len()).unwrap());
        let milliseconds = |index: usize| latencies[index].as_secs_f64() * 1e3;
        Figures {
            rate: count / elapsed.as_secs_f64(),
            median: milliseconds(latencies.len() / 2),
            p99: milliseconds(latencies.len() * 99 / 100),
            time: used.as_secs_f64() * 1e6 / count,
            memory: mebibytes(server.memory()),
        }
    })
}

/// Sends requests until a time, and returns their latencies.
async fn requests(port: u16, path: &'static str, number: usize, end: Instant) -> Vec<Duration> {
    let prompt = Answer { deltas: DELTAS, interval: Duration::ZERO, padding: 0 }.prompt();
    let text = "word ".repeat(usize::try_from(DELTAS).unwrap());
    let mut connection = Connection::open(port, &format!("user-{number}"), None).await;
    let (mut latencies, mut session) = (Vec::new(), None);
    while Instant::now() < end {
        let start = Instant::now();
        let response = connection.post(path, &prompt, session.as_deref()).await;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        latencies.push(start.elapsed());
        let id = field(&body, "session_id").expect("a session");
        session = (latencies.len() % TURNS != 0).then(|| id.to_owned());
        assert!(memchr::memmem::find(&body, text.as_bytes()).is_some(), "{}", String::from_utf8_lossy(&body));
        if path == "/prompt/stream" {
            assert_eq!(memchr::memmem::find_iter(&body, b"data: ").count(), usize::try_from(DELTAS).unwrap() + 5);
        }
    }
    latencies
}
