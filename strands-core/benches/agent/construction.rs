//! Construction of an agent with 20 tools.

use std::time::Duration;

use divan::Bencher;
use strands_core::AgentBuilder;

use crate::models::BareModel;
use crate::script::text_deltas;
use crate::tools::Numbered;
use crate::{agent, block_on, build};

const TOOLS: usize = 20;

fn template() -> AgentBuilder {
    agent(BareModel::new(text_deltas(5))).tools(Numbered::many(TOOLS - 1, Duration::ZERO))
}

/// The first agent of a template, whose build checks the tools.
#[divan::bench]
fn first_of_a_template(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(template).bench_local_values(|template| block_on(template.build()));
}

/// An agent per request: later agents of a template share the checked tools of the first.
#[divan::bench]
fn from_a_cloned_template(bencher: Bencher<'_, '_>) {
    let template = template();
    build(template.clone());
    bencher.bench_local(|| block_on(template.clone().build()));
}
