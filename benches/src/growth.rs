//! Costs at growing sizes, and the exponent that fits them: 0 for a constant cost, 1 for a linear one.

use std::time::Duration;

use crate::measure::timed;
use crate::openai::sessions::{Growing, Kept};
use crate::serve::Servers;
use crate::work::{Clock, Side, Work};
use crate::{openai, streams};

const TURNS: [usize; 4] = [10, 100, 1_000, 10_000];
const STORED_TURNS: [usize; 5] = [10, 100, 200, 1_000, 2_000];
const TOOLS: [usize; 4] = [1, 10, 100, 1_000];
const ROUNDS: usize = 15;

/// Measures and prints all costs.
pub(crate) fn print() {
    let servers = Servers::start();
    println!("| work | side | sizes | fastest | exponent |\n|---|---|---|---|---|");
    for side in Side::ALL {
        let prompt = |turns, tools| {
            let prompt = openai::prompt_with_tools(&servers, "openai-turn", tools).after(turns).next();
            fastest(&mut *prompt.boxed(), side)
        };
        row("prompt after turns", side, TURNS, |turns| prompt(turns, 0));
        row("prompt with tools", side, TOOLS, |tools| prompt(1, tools));
        for kept in Kept::ALL {
            let mut session = Growing::new(&servers, kept, side);
            let work = format!("turn of a session, sending {}", kept.name());
            row(&work, side, STORED_TURNS, |turns| session.turn_after(turns));
        }
        row("process with streams", side, streams::COUNTS, |count| {
            streams::measure(&servers, "openai", side, count).time
        });
    }
}

fn fastest(work: &mut dyn Work, side: Side) -> Duration {
    let time = |_| {
        work.prepare(side);
        timed(Clock::Thread, work)
    };
    (0..ROUNDS).map(time).min().unwrap()
}

fn row<const N: usize>(work: &str, side: Side, sizes: [usize; N], cost: impl FnMut(usize) -> Duration) {
    let costs = sizes.map(cost);
    let logarithms = sizes.map(|size| f64::from(u32::try_from(size).unwrap()).ln());
    let exponent = slope(&logarithms, &costs.map(|cost| cost.as_secs_f64().ln()));
    println!("| {work} | {} | {sizes:?} | {costs:.1?} | {exponent:.2} |", side.name());
}

/// Slope of the least-squares line.
fn slope(x: &[f64], y: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).unwrap());
    let (mean_x, mean_y) = (mean(x), mean(y));
    let products: f64 = x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let squares: f64 = x.iter().map(|x| (x - mean_x).powi(2)).sum();
    products / squares
}
