//! Atomic counter of model calls and tokens, which several agents update concurrently.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::Spent;
use crate::limits::Limits;
use crate::stop_reason::StopReason;
use crate::usage::Usage;

/// Model calls and tokens. Each number is exact; a concurrent read may see only some of the numbers of a call.
#[derive(Debug, Default)]
pub(super) struct Counter {
    turns: AtomicU32,
    input: AtomicU64,
    output: AtomicU64,
    total: AtomicU64,
    cache_read: Cached,
    cache_write: Cached,
}

/// Cached tokens, which not every provider reports.
#[derive(Debug, Default)]
struct Cached {
    is_reported: AtomicBool,
    tokens: AtomicU64,
}

impl Cached {
    fn get(&self) -> Option<u64> {
        self.is_reported.load(Relaxed).then(|| self.tokens.load(Relaxed))
    }

    fn set(&self, tokens: Option<u64>) {
        self.tokens.store(tokens.unwrap_or(0), Relaxed);
        self.is_reported.store(tokens.is_some(), Relaxed);
    }

    fn add(&self, tokens: Option<u64>) {
        if let Some(tokens) = tokens {
            add(&self.tokens, tokens);
            self.is_reported.store(true, Relaxed);
        }
    }
}

impl Counter {
    pub(super) fn new(spent: Spent) -> Self {
        let counter = Self::default();
        if !spent.is_nothing() {
            counter.set(spent);
        }
        counter
    }

    pub(super) fn get(&self) -> Spent {
        let usage = Usage::new(self.input.load(Relaxed), self.output.load(Relaxed))
            .with_total(self.total.load(Relaxed))
            .with_cache(self.cache_read.get(), self.cache_write.get());
        Spent { turns: self.turns.load(Relaxed), usage, ..Spent::default() }
    }

    pub(super) fn set(&self, Spent { turns, usage, .. }: Spent) {
        self.turns.store(turns, Relaxed);
        self.input.store(usage.input_tokens, Relaxed);
        self.output.store(usage.output_tokens, Relaxed);
        self.total.store(usage.total_tokens, Relaxed);
        self.cache_read.set(usage.cache_read_input_tokens);
        self.cache_write.set(usage.cache_write_input_tokens);
    }

    pub(super) fn add(&self, usage: Usage) {
        add(&self.input, usage.input_tokens);
        add(&self.output, usage.output_tokens);
        add(&self.total, usage.total_tokens);
        self.cache_read.add(usage.cache_read_input_tokens);
        self.cache_write.add(usage.cache_write_input_tokens);
    }

    pub(super) fn add_turns(&self, turns: u32) {
        let mut before = self.turns.load(Relaxed);
        while let Err(now) = self.turns.compare_exchange_weak(before, before.saturating_add(turns), Relaxed, Relaxed) {
            before = now;
        }
    }

    pub(super) fn remove_turn(&self) {
        self.turns.fetch_sub(1, Relaxed);
    }

    /// Reserves a turn, unless a limit is reached.
    pub(super) fn reserve_turn(&self, limits: &Limits) -> Result<(), StopReason> {
        let mut turns = self.turns.load(Relaxed);
        loop {
            if let Some(reached) = limits.reached(turns, &self.get().usage) {
                return Err(reached);
            }
            // Another agent may have reserved a turn meanwhile; then the limits are checked again.
            match self.turns.compare_exchange_weak(turns, turns.saturating_add(1), Relaxed, Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => turns = now,
            }
        }
    }
}

/// Adds tokens, saturating.
fn add(counter: &AtomicU64, tokens: u64) {
    let mut before = counter.load(Relaxed);
    while let Err(now) = counter.compare_exchange_weak(before, before.saturating_add(tokens), Relaxed, Relaxed) {
        before = now;
    }
}
