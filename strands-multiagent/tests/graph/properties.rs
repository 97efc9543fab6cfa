//! Properties of random graphs: they follow the model of the semantics, however they are stopped and continued.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use strands::models::StopReason;
use strands::multiagent::Graph;
use strands::{
    AgentError, AgentEvent, AgentResponse, CancellationToken, InterruptResponse, Prompt, PromptRequest, Promptable,
    StreamExt,
};
use tokio::time::Instant;

use super::model::{self, Outcome};
use super::plan::{Counts, Plan, id, plans};
use super::store::Store;

/// End of one stream.
enum End {
    Response(Box<AgentResponse>),
    Failed,
    Dropped,
}

/// Moments at which streams are dropped or cancelled, in numbers of events, and choices among interrupts.
struct Moments {
    numbers: Vec<u8>,
    next: usize,
}

impl Moments {
    fn next(&mut self) -> u8 {
        let number = self.numbers[self.next % self.numbers.len()];
        self.next += 1;
        // Later ones come later, so that each run makes progress.
        number.saturating_add(u8::try_from(self.next / 16).unwrap_or(u8::MAX))
    }
}

/// Number of cases; more with `PROPTEST_CASES`.
fn cases(least: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(least)
}

fn in_paused_time<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(work)
}

/// Reads a stream; drops or cancels it after some events.
async fn read(graph: &Graph<Counts>, request: PromptRequest, drop_after: Option<u8>, cancel_after: Option<u8>) -> End {
    let token = CancellationToken::new();
    let mut events = graph.stream(request.cancel_with(token.clone()));
    let (mut count, mut cancelled) = (0_u8, None);
    loop {
        if drop_after.is_some_and(|after| count >= after) {
            return End::Dropped;
        }
        if cancel_after.is_some_and(|after| count == after) && cancelled.is_none() {
            token.cancel();
            cancelled = Some(Instant::now());
        }
        let next = tokio::time::timeout(Duration::from_secs(60), events.next()).await.expect("no deadlock");
        count = count.saturating_add(1);
        let ended = match next {
            Some(Ok(AgentEvent::Result { response })) => End::Response(response),
            Some(Ok(_)) => continue,
            Some(Err(AgentError::Promptable { .. })) => End::Failed,
            Some(Err(error)) => panic!("{error:?}"),
            None => panic!("a stream without a result"),
        };
        if let Some(cancelled) = cancelled {
            assert!(cancelled.elapsed() < Duration::from_millis(50), "it took {:?}", cancelled.elapsed());
        }
        assert!(events.next().await.is_none());
        return ended;
    }
}

fn responses(response: &AgentResponse, choice: u8) -> Vec<InterruptResponse> {
    let chosen = response.interrupts.iter().enumerate().filter(|(index, _)| choice >> (index % 8) & 1 == 1);
    let mut chosen: Vec<_> = chosen.map(|(_, interrupt)| interrupt.respond("yes")).collect();
    if chosen.is_empty() {
        chosen.push(response.interrupts[0].respond("yes"));
    }
    chosen
}

/// Runs a graph to its end, with a session that a new graph opens for each part.
async fn in_session(plan: &Plan, store: &Store, mut moments: Option<Moments>, cancels: bool) -> bool {
    let (mut responded, mut is_new, mut asked) = (Vec::new(), true, BTreeSet::new());
    for _ in 0..5_000 {
        let graph = plan.graph(Some(store.clone()));
        let mut request = PromptRequest::new(if is_new { Prompt::from("go") } else { Prompt::none() });
        request = request.resume(std::mem::take(&mut responded));
        let after = moments.as_mut().map(Moments::next);
        let (drop_after, cancel_after) = if cancels { (None, after) } else { (after, None) };
        match read(&graph, request, drop_after, cancel_after).await {
            End::Response(response) => match response.stop_reason {
                StopReason::EndTurn => return false,
                StopReason::Interrupt => {
                    // A run that is never cut off keeps its responses, and asks each question once.
                    if moments.is_none() {
                        let ids = response.interrupts.iter().map(|interrupt| interrupt.id.clone());
                        ids.for_each(|id| assert!(asked.insert(id.clone()), "`{id}` is asked twice"));
                    }
                    responded = responses(&response, moments.as_mut().map_or(u8::MAX, Moments::next));
                }
                StopReason::Cancelled => assert!(cancels),
                other => panic!("{other}"),
            },
            End::Failed => return true,
            End::Dropped => {}
        }
        // Until the first save there is no run to continue. A run that waits needs its responses again.
        is_new = store.document().is_none();
        if responded.is_empty() {
            responded = pending(store, moments.as_mut().map_or(u8::MAX, Moments::next));
        }
    }
    panic!("no end after 5,000 parts");
}

/// Returns responses to stored interrupts, if the run can only be continued with some.
fn pending(store: &Store, choice: u8) -> Vec<InterruptResponse> {
    let Some(document) = store.document() else { return Vec::new() };
    let nodes = nodes(&document);
    // A list that has failed leaves items that never start.
    let executing = nodes.values().filter(|node| node["status"] == "executing");
    let activities = executing.flat_map(|node| node["activities"].as_array().cloned().unwrap_or_default());
    let activities: Vec<Value> = activities.collect();
    let is_active = |status: &str| ["ready", "started"].contains(&status);
    let is_ready = !own(&document)["ready"].as_array().unwrap().is_empty();
    if is_ready || activities.iter().any(|activity| is_active(activity["status"].as_str().unwrap())) {
        return Vec::new();
    }
    let waiting = activities.iter().filter(|activity| activity["status"] == "interrupted");
    let interrupts =
        waiting.flat_map(|activity| activity["result"]["interrupts"].as_array().cloned().unwrap_or_default());
    let mut response = AgentResponse::new(strands::message::Message::assistant(""), StopReason::Interrupt);
    response.interrupts = interrupts.map(|interrupt| serde_json::from_value(interrupt).unwrap()).collect();
    if response.interrupts.is_empty() { Vec::new() } else { responses(&response, choice) }
}

/// Returns the part of a document that is not of Strands.
fn own(document: &Value) -> &Value {
    &document["_internal_state"]["run"]["state"]
}

fn nodes(document: &Value) -> BTreeMap<String, Value> {
    own(document)["nodes"].as_object().unwrap().iter().map(|(id, node)| (id.clone(), node.clone())).collect()
}

/// Returns the outcome that a document has.
fn stored_outcome(plan: &Plan, document: &Value, has_failed: bool) -> Outcome {
    let (stored, counts) = (nodes(document), &own(document)["state"]);
    let node = |index: usize| {
        let name = id(index);
        let count = counts[&name].as_u64().unwrap_or_default() as u32;
        let status = stored.get(&name).map_or("pending", |node| node["status"].as_str().unwrap());
        (name, (count, status.to_owned()))
    };
    Outcome { has_failed, nodes: (0..plan.nodes.len()).map(node).collect() }
}

fn outputs(document: &Value) -> Vec<Value> {
    let output = |(id, node): (String, Value)| {
        json!([document["node_results"][&id]["result"]["message"]["content"], node["visits"]])
    };
    nodes(document).into_iter().map(output).collect()
}

fn check(plan: &Plan, store: &Store, has_failed: bool) -> Result<Value, TestCaseError> {
    let document = store.document().unwrap();
    let (outcome, expected) = (stored_outcome(plan, &document, has_failed), model::outcome(plan));
    if expected.has_failed {
        prop_assert!(has_failed);
    } else {
        prop_assert_eq!(outcome, expected);
    }
    Ok(document)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(24), max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn runs_follow_the_model(plan in plans(40)) {
        in_paused_time(async {
            let store = Store::default();
            let has_failed = in_session(&plan, &store, None, false).await;
            check(&plan, &store, has_failed).map(drop)
        })?;
    }

    #[test]
    fn runs_that_are_dropped_have_the_same_results(
        plan in plans(40),
        numbers in proptest::collection::vec(1..12_u8, 1..16),
        save_millis in 0..60_u64,
    ) {
        in_paused_time(async {
            let (straight, dropped) = (Store::default(), Store::slow(Duration::from_millis(save_millis)));
            let failed = in_session(&plan, &straight, None, false).await;
            let document = check(&plan, &straight, failed)?;
            let has_failed = in_session(&plan, &dropped, Some(Moments { numbers, next: 0 }), false).await;
            let after = check(&plan, &dropped, has_failed)?;
            if plan.has_fixed_inputs() && !failed {
                prop_assert_eq!(outputs(&document), outputs(&after));
            }
            Ok(())
        })?;
    }

    #[test]
    fn runs_that_are_cancelled_have_the_same_results(
        plan in plans(40),
        numbers in proptest::collection::vec(1..12_u8, 1..16),
        save_millis in 0..60_u64,
    ) {
        in_paused_time(async {
            let (straight, cancelled) = (Store::default(), Store::slow(Duration::from_millis(save_millis)));
            let failed = in_session(&plan, &straight, None, false).await;
            let document = check(&plan, &straight, failed)?;
            let has_failed = in_session(&plan, &cancelled, Some(Moments { numbers, next: 0 }), true).await;
            let after = check(&plan, &cancelled, has_failed)?;
            if plan.has_fixed_inputs() && !failed {
                prop_assert_eq!(outputs(&document), outputs(&after));
            }
            Ok(())
        })?;
    }
}
