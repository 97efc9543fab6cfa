//! One prompt of many cycles, with one tool call each.

use divan::Bencher;

use crate::hand_written::{Bare, Wire};
use crate::models::{BareModel, WireModel};
use crate::script::tool_cycles;
use crate::{awaited, by_agent, by_hand, streamed};

const CYCLES: [usize; 2] = [50, 200];

/// The request is written and the answer is read, as every provider has to: the ratio that counts.
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

/// Nothing is written or read: the loop alone.
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
