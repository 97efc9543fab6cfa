//! One prompt whose response is streamed in many deltas.

use divan::Bencher;

use crate::hand_written::{Bare, Wire};
use crate::models::{BareModel, WireModel};
use crate::script::{text_deltas, tool_input_deltas};
use crate::{awaited, by_agent, by_hand, streamed};

const DELTAS: [usize; 2] = [1_000, 10_000];

/// Text deltas, each a line of JSON to parse: the relevant ratio.
mod text_with_wire {
    use super::*;

    #[divan::bench(args = DELTAS)]
    fn hand_written(bencher: Bencher<'_, '_>, count: usize) {
        by_hand(bencher, count, &Wire::new(text_deltas(count)));
    }

    #[divan::bench(args = DELTAS)]
    fn agent_awaited(bencher: Bencher<'_, '_>, count: usize) {
        by_agent(bencher, count, WireModel::new(text_deltas(count)), awaited);
    }

    #[divan::bench(args = DELTAS)]
    fn agent_streamed(bencher: Bencher<'_, '_>, count: usize) {
        by_agent(bencher, count, WireModel::new(text_deltas(count)), streamed);
    }
}

/// Text deltas that are already parsed.
mod text_bare {
    use super::*;

    #[divan::bench(args = DELTAS)]
    fn hand_written(bencher: Bencher<'_, '_>, count: usize) {
        by_hand(bencher, count, &Bare::new(text_deltas(count)));
    }

    #[divan::bench(args = DELTAS)]
    fn agent_awaited(bencher: Bencher<'_, '_>, count: usize) {
        by_agent(bencher, count, BareModel::new(text_deltas(count)), awaited);
    }

    #[divan::bench(args = DELTAS)]
    fn agent_streamed(bencher: Bencher<'_, '_>, count: usize) {
        by_agent(bencher, count, BareModel::new(text_deltas(count)), streamed);
    }
}

/// Deltas of a tool call's arguments, each a line of JSON to parse.
mod tool_input_with_wire {
    use super::*;

    #[divan::bench(args = DELTAS)]
    fn hand_written(bencher: Bencher<'_, '_>, count: usize) {
        by_hand(bencher, count, &Wire::new(tool_input_deltas(count)));
    }

    #[divan::bench(args = DELTAS)]
    fn agent_awaited(bencher: Bencher<'_, '_>, count: usize) {
        by_agent(bencher, count, WireModel::new(tool_input_deltas(count)), awaited);
    }

    #[divan::bench(args = DELTAS)]
    fn agent_streamed(bencher: Bencher<'_, '_>, count: usize) {
        by_agent(bencher, count, WireModel::new(tool_input_deltas(count)), streamed);
    }
}

/// Deltas of a tool call's arguments that are already parsed.
mod tool_input_bare {
    use super::*;

    #[divan::bench(args = DELTAS)]
    fn hand_written(bencher: Bencher<'_, '_>, count: usize) {
        by_hand(bencher, count, &Bare::new(tool_input_deltas(count)));
    }

    #[divan::bench(args = DELTAS)]
    fn agent_awaited(bencher: Bencher<'_, '_>, count: usize) {
        by_agent(bencher, count, BareModel::new(tool_input_deltas(count)), awaited);
    }

    #[divan::bench(args = DELTAS)]
    fn agent_streamed(bencher: Bencher<'_, '_>, count: usize) {
        by_agent(bencher, count, BareModel::new(tool_input_deltas(count)), streamed);
    }
}
