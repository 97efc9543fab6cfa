//! The table of times.

use std::time::Duration;

use crate::measure::{self, Times};
use crate::process::Cost;
use crate::serve::Servers;
use crate::work::Side;
use crate::{rows, start, streams};

/// Number of measured processes of each side.
const PROCESSES: usize = 5;
const STREAMS: usize = 1_000;

/// Measures the rows whose name contains the filter, and prints them.
pub(crate) fn print(filter: &str) {
    let servers = Servers::start();
    println!("| work | hand-written | awaited | streamed | awaited, fastest | streamed, fastest |");
    println!("|---|---|---|---|---|---|");
    for row in rows().iter().filter(|row| row.name.contains(filter)) {
        let [hand_written, awaited, streamed] = &measure::measure(row, &servers);
        let ratio =
            |of: fn(&Times) -> Duration, times: &Times| of(times).as_secs_f64() / of(hand_written).as_secs_f64();
        println!(
            "| {} | {:.2?} | {:.2} | {:.2} | {:.2} | {:.2} |",
            row.name,
            hand_written.median() / row.items,
            ratio(Times::median, awaited),
            ratio(Times::median, streamed),
            ratio(Times::fastest, awaited),
            ratio(Times::fastest, streamed),
        );
    }
    println!("\n| process | side | CPU, median | CPU, fastest | peak memory, median |\n|---|---|---|---|---|");
    let processes: [(&str, &dyn Fn(Side) -> Cost); 2] = [
        ("openai streams", &|side| streams::measure(&servers, "openai", side, STREAMS)),
        ("start", &|side| start::measure(&servers, side)),
    ];
    for (name, measure) in processes.into_iter().filter(|(name, _)| name.contains(filter)) {
        let mut costs = [const { Vec::new() }; 3];
        for _ in 0..PROCESSES {
            for (side, costs) in Side::ALL.into_iter().zip(&mut costs) {
                costs.push(measure(side));
            }
        }
        for (side, costs) in Side::ALL.into_iter().zip(costs) {
            let mut times: Vec<_> = costs.iter().map(|cost| cost.time).collect();
            let mut memory: Vec<_> = costs.iter().map(|cost| cost.memory).collect();
            times.sort();
            memory.sort_unstable();
            let middle = PROCESSES / 2;
            println!(
                "| {name} | {} | {:.2?} | {:.2?} | {:.1} MiB |",
                side.name(),
                times[middle],
                times[0],
                f64::from(u32::try_from(memory[middle]).unwrap()) / 1024.0
            );
        }
    }
}
