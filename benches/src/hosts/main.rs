//! Costs of serving an agent on HTTP, beside a handler that was written by hand. See `../../README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failing benchmark stops, and a benchmark prints its results"
)]

mod answer;
mod client;
mod hand_written;
mod server;
mod service;
mod sizing;
mod soak;
mod throughput;
mod turns;

use crate::server::Side;

const USAGE: &str = "usage:
  hosts throughput [PYTHON]       requests per second of the service and of the hand-written handler, and of FastAPI, if a
                                  Python with fastapi and strands-agents is named
  hosts soak ROUNDS STREAMS [RATIO]
                                  rounds of this many streams at once, with slow readers, disconnects and reconnects; RATIO
                                  is the largest accepted one of the times to the hand-written handler's
  hosts sizing                    memory of open streams, and processor time of events
  hosts turns                     processor time of a turn without HTTP
  hosts serve SIDE SESSIONS       one side alone, on a free port, with sessions in `memory` or in a folder";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", side, sessions] => server::serve(Side::named(side), sessions),
        ["throughput"] => throughput::print(None),
        ["throughput", python] => throughput::print(Some(python)),
        ["soak", rounds, streams] => soak::run(rounds.parse().unwrap(), streams.parse().unwrap(), f64::INFINITY),
        ["soak", rounds, streams, ratio] => {
            soak::run(rounds.parse().unwrap(), streams.parse().unwrap(), ratio.parse().unwrap());
        }
        ["sizing"] => sizing::print(),
        ["turns"] => turns::print(),
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    }
}
