//! A turn at the end of a long conversation. No step iterates over the whole history, except for the provider's request
//! body, which is not measured here.

use std::sync::Arc;

use divan::Bencher;
use strands_core::message::Message;

use crate::hand_written::{Bare, Chat};
use crate::models::BareModel;
use crate::script::{PROMPT, Responses, text_deltas, tool_cycles};
use crate::{agent, awaited, block_on, build};

const LENGTHS: [usize; 4] = [10, 100, 1_000, 10_000];

fn by_hand(bencher: Bencher<'_, '_>, length: usize, responses: Responses) {
    let model = Bare::new(responses);
    let chat = || {
        let mut chat = Chat::with_history(length);
        // Reserve capacity: a reallocation of the vector is not part of a turn.
        chat.messages.reserve(16);
        chat
    };
    bencher.with_inputs(chat).bench_local_refs(|chat| block_on(chat.prompt(&model, |_| {})));
}

fn by_agent(bencher: Bencher<'_, '_>, length: usize, responses: Responses) {
    let said = |at: usize| if at.is_multiple_of(2) { Message::user(PROMPT) } else { Message::assistant(PROMPT) };
    let messages: Vec<_> = (0..length).map(said).map(Arc::new).collect();
    let template = agent(BareModel::new(responses)).messages(messages);
    let grown = || {
        let mut agent = build(template.clone());
        awaited(&mut agent);
        agent
    };
    bencher.with_inputs(grown).bench_local_refs(awaited);
}

/// A turn of text.
mod text_turn {
    use super::*;

    #[divan::bench(args = LENGTHS)]
    fn hand_written(bencher: Bencher<'_, '_>, length: usize) {
        by_hand(bencher, length, text_deltas(5));
    }

    #[divan::bench(args = LENGTHS)]
    fn agent_awaited(bencher: Bencher<'_, '_>, length: usize) {
        by_agent(bencher, length, text_deltas(5));
    }
}

/// A turn with one tool call.
mod tool_turn {
    use super::*;

    #[divan::bench(args = LENGTHS)]
    fn hand_written(bencher: Bencher<'_, '_>, length: usize) {
        by_hand(bencher, length, tool_cycles(1));
    }

    #[divan::bench(args = LENGTHS)]
    fn agent_awaited(bencher: Bencher<'_, '_>, length: usize) {
        by_agent(bencher, length, tool_cycles(1));
    }
}
