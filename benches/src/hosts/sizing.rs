//! Memory of open connections and streams, and processor time of events: figures for the size of a deployment.

use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::client::{Connection, Events};
use crate::server::{Server, Side, mebibytes};

const SIDES: [Side; 2] = [Side::HandWritten, Side::Service];
/// Numbers of open connections and of streams.
const COUNTS: [u32; 2] = [1_000, 4_000];
/// Numbers of streams with an event every 20 ms.
const BUSY: [u32; 3] = [100, 400, 800];
/// Time until all streams are open.
const OPENING: Duration = Duration::from_secs(4);
/// Measured time of events.
const TIME: Duration = Duration::from_secs(5);

pub(crate) fn print() {
    println!("| memory of | side | number | before | then | of each |\n|---|---|---|---|---|---|");
    for (work, deltas) in [("connections without a request", 0), ("streams, an event a second", 10)] {
        for count in COUNTS {
            for side in SIDES {
                let answer = Answer { deltas, interval: Duration::from_secs(1), padding: 0 };
                let (before, then, _) = opened(side, count, answer, Duration::from_secs(3));
                println!(
                    "| {work} | {} | {count} | {:.1} MiB | {:.1} MiB | {:.1} KiB |",
                    side.name(),
                    mebibytes(before),
                    mebibytes(then),
                    f64::from(then - before) / f64::from(count),
                );
            }
        }
    }
    println!("\n| streams, an event in 20 ms | side | events/s | CPU | CPU of 1,000 events/s |\n|---|---|---|---|---|");
    for count in BUSY {
        for side in SIDES {
            let answer = Answer { deltas: 500, interval: Duration::from_millis(20), padding: 0 };
            let (_, _, used) = opened(side, count, answer, TIME);
            let share = used.as_secs_f64() / TIME.as_secs_f64();
            let rate = count * 50;
            println!(
                "| {count} | {} | {rate} | {:.1} % | {:.2} % |",
                side.name(),
                share * 100.0,
                share * 1e5 / f64::from(rate),
            );
        }
    }
}

/// Opens connections, with a stream each unless it has no deltas. Returns the server's memory before and then, and its
/// processor time in a time after they have opened.
fn opened(side: Side, count: u32, answer: Answer, time: Duration) -> (u32, u32, Duration) {
    let folder = tempfile::Builder::new().prefix("strands-sizing").tempdir_in("/dev/shm").unwrap();
    let server = Server::start(side, folder.path().to_str().unwrap(), None);
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        // The first request is that of a process which has just started.
        let mut first = Connection::open(server.port, "first", None).await;
        let short = Answer { deltas: 1, interval: Duration::ZERO, padding: 0 };
        let mut events = Events::new(first.post("/prompt/stream", &short.prompt(), None).await);
        while events.next().await.is_some() {}
        let before = server.memory();
        let start = Instant::now();
        let port = server.port;
        let _streams: JoinSet<()> = (0..count)
            .map(|number| async move {
                tokio::time::sleep(OPENING.mul_f64(0.75 * f64::from(number) / f64::from(count))).await;
                let mut connection = Connection::open(port, &format!("user-{number}"), None).await;
                if answer.deltas > 0 {
                    let mut events = Events::new(connection.post("/prompt/stream", &answer.prompt(), None).await);
                    while events.next().await.is_some() {}
                }
                std::future::pending::<()>().await;
            })
            .collect();
        tokio::time::sleep(OPENING.saturating_sub(start.elapsed())).await;
        let used = server.time();
        tokio::time::sleep(time).await;
        (before, server.memory(), server.time() - used)
    })
}
