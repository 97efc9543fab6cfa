//! Costs of agents beside hand-written loops that do the same work. See `../README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failing benchmark stops, and a benchmark prints its results"
)]

mod bedrock;
mod growth;
mod journal;
mod mcp;
mod measure;
mod openai;
mod process;
mod prompt;
mod redaction;
mod script;
mod serve;
mod start;
mod streams;
mod table;
mod tools;
mod work;

use strands::models::install_crypto_provider;

use crate::serve::Servers;
use crate::work::{Row, Side, Work};

const USAGE: &str = "usage:
  compare [FILTER]                        times of the rows whose name contains FILTER, as ratios to the hand-written loop
  compare rows                            the names of the rows, each with the clock that measures it
  compare once ROW SIDE COUNT [prepare]   COUNT runs of one side after one to warm up, or their preparation alone
  compare growth                          costs at growing numbers of turns, tools and streams, with exponents
  compare redaction                       throughput of the redaction of personal data, in MB/s
  compare journal                         cost of a journal in memory: entries, bytes and time of a turn
  compare journal SIDE COUNT              COUNT invocations (bare, recorded or replayed), for a profiler";

fn main() {
    install_crypto_provider();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => table::print(""),
        [serve::COMMAND] => serve::serve(),
        [mcp::COMMAND] => mcp::serve(),
        [streams::COMMAND, wire, side, address, count] => {
            streams::run(wire, named(side), address, count.parse().unwrap());
            process::report();
        }
        [start::COMMAND, side, address] => {
            start::run(named(side), address);
            process::report();
        }
        ["rows"] => rows().iter().for_each(|row| println!("{}\t{}", row.name, row.clock.name())),
        ["once", row, side, count] => once(row, named(side), count.parse().unwrap(), true),
        ["once", row, side, count, "prepare"] => once(row, named(side), count.parse().unwrap(), false),
        ["growth"] => growth::print(),
        ["redaction"] => redaction::print(),
        ["journal"] => journal::print(),
        ["journal", side, count] => journal::once(side, count.parse().unwrap()),
        ["help" | "--help"] => println!("{USAGE}"),
        [filter] => table::print(filter),
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    }
}

/// Returns all rows that compare one thread's work.
fn rows() -> Vec<Row> {
    [openai::rows(), bedrock::rows(), mcp::rows()].into_iter().flatten().collect()
}

fn named(side: &str) -> Side {
    Side::named(side).unwrap_or_else(|| panic!("unknown side: {side}"))
}

/// Runs one side of a row this many times after a first run, for a profiler.
fn once(name: &str, side: Side, count: usize, run: bool) {
    let row = rows().into_iter().find(|row| row.name == name).unwrap_or_else(|| panic!("unknown row: {name}"));
    let servers = Servers::start();
    let mut work = (row.work)(&servers);
    work.prepare(side);
    work.run();
    for _ in 0..count {
        work.prepare(side);
        if run {
            profiled(&mut *work);
        }
    }
}

/// The runs that a profiler counts: it finds them by the name of this function.
#[inline(never)]
fn profiled(work: &mut dyn Work) {
    std::hint::black_box(work.run());
}
