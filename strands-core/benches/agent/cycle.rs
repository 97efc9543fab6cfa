//! One prompt of many cycles, with one tool call each.

use divan::Bencher;

use crate::hand_written::{Bare, Wire};
use crate::models::{BareModel, WireModel};
use crate::script::tool_cycles;
use crate::{awaited, by_agent, by_hand, streamed};

const CYCLES: [usize; 2] = [50, 200];

/// With serialization of the request and parsing of the response, as in every provider: the relevant ratio.
mod with_wire {
    use super::*;

    #[divan::bench(args = CYCLES)]
    fn hand_written(bencher: Bencher<'_, '_>, count: usize) {
        by_hand(bencher, count, &Wire::new(tool_cycles(count)));
    }

    #[divan::bench(args = CYCLES)]
    fn agent_awaited(bencher: Bencher<'_, '_>, count: usize) {
        by_agent(bencher, count, WireModel::new(tool_cycles(count)), awaited);
    }

    #[divan::bench(args = CYCLES)]
    fn agent_streamed(bencher: Bencher<'_, '_>, count: usize) {
        by_agent(bencher, count, WireModel::new(tool_cycles(count)), streamed);
    }
}

/// The loop alone, without serialization and parsing.
mod bare {
    use super::*;

    #[divan::bench(args = CYCLES)]
    fn hand_written(bencher: Bencher<'_, '_>, count: usize) {
        by_hand(bencher, count, &Bare::new(tool_cycles(count)));
    }

    #[divan::bench(args = CYCLES)]
    fn agent_awaited(bencher: Bencher<'_, '_>, count: usize) {
        by_agent(bencher, count, BareModel::new(tool_cycles(count)), awaited);
    }

    #[divan::bench(args = CYCLES)]
    fn agent_streamed(bencher: Bencher<'_, '_>, count: usize) {
        by_agent(bencher, count, BareModel::new(tool_cycles(count)), streamed);
    }
}
