//! Round trips: new agents, messages, batches, ranges, records, and several agents in one session.

use std::sync::Arc;

use fastrand::Rng;

use super::super::sample::{every_kind, full_record, words};
use super::super::violation::{ContractViolation, Promise, ensure, ensure_eq};
use super::stage::{Messages, Stage, messages, same_messages};
use crate::message::Message;
use crate::session::{MessageBatch, MessageRange};

pub(super) async fn check(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    new_agent(stage).await?;
    batches(stage).await?;
    apart(stage).await?;
    every_kind_of_content(stage).await?;
    random_batches(stage).await?;
    ranges(stage).await?;
    records(stage).await
}

async fn new_agent(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::SessionOpenWritesNothing;
    let place = stage.new_session();
    let manager = place.manager().await;
    ensure_eq(promise, "the session id", &place.session_id(), &manager.session_id())?;
    for when in ["a new agent has no record", "opening a new agent writes no record"] {
        let mut worker = place.worker().await?;
        ensure(worker.record.is_none(), promise, when, || format!("{:?}", worker.record))?;
        same_messages(promise, "a new agent", &Messages::new(), &worker.read().await?)?;
    }
    let mut worker = place.begun(&["a", "b"]).await?;
    // If opening wrote, the first worker would get a conflict.
    place.worker().await?;
    worker.write(&MessageBatch::append(messages(&["c"]))).await?;
    place.holds(Promise::SessionRoundTrip, "after a write", &messages(&["a", "b", "c"])).await
}

async fn batches(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::SessionRoundTrip;
    let place = stage.new_session();
    let mut worker = place.begun(&[]).await?;
    place.holds(promise, "an agent with a record and no messages", &Messages::new()).await?;

    worker.write(&MessageBatch::append(messages(&["a"]))).await?;
    worker.write(&MessageBatch::append(messages(&["b", "c", "d"]))).await?;
    let expected = [messages(&["a"]), messages(&["b", "c", "d"])].concat();
    place.holds(promise, "two batches", &expected).await?;
    same_messages(promise, "two batches, read by their writer", &expected, &worker.read().await?)?;

    worker.write(&MessageBatch::replace(Message::user("new d"))).await?;
    let expected = [messages(&["a"]), messages(&["b", "c"]), messages(&["new d"])].concat();
    place.holds(promise, "the newest message replaced", &expected).await?;

    let mut both = MessageBatch::replace(Message::user("newer d"));
    both.appended = messages(&["e", "f"]);
    worker.write(&both).await?;
    let expected = [messages(&["a"]), messages(&["b", "c"]), messages(&["newer d"]), messages(&["e", "f"])].concat();
    place.holds(promise, "the newest message replaced and two appended", &expected).await?;

    let mut other = place.worker().await?;
    other.write(&MessageBatch::replace(Message::user("newer f"))).await?;
    other.write(&MessageBatch::append(messages(&["g"]))).await?;
    let kept: Messages = expected.iter().take(5).cloned().collect();
    let expected = [kept, messages(&["newer f"]), messages(&["g"])].concat();
    place.holds(promise, "another worker goes on", &expected).await
}

async fn every_kind_of_content(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::SessionRoundTrip;
    let all: Messages = every_kind().into_iter().map(Arc::new).collect();
    let place = stage.new_session();
    let mut worker = place.begun(&[]).await?;
    worker.write(&MessageBatch::append(all.iter().cloned())).await?;
    place.holds(promise, "every kind of content in one batch", &all).await?;
    for message in &all {
        let place = place.agent(format!("agent-{}", message.tracking_id.as_deref().unwrap_or_default()));
        let mut worker = place.begun(&["a"]).await?;
        worker.write(&MessageBatch::replace(Arc::clone(message))).await?;
        place.holds(promise, "a message replaced by one of another kind", &vec![Arc::clone(message)]).await?;
    }
    Ok(())
}

async fn random_batches(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    let mut rng = Rng::with_seed(7);
    let place = stage.new_session();
    let mut worker = place.begun(&[]).await?;
    let mut expected = Messages::new();
    for _ in 0..24 {
        let mut batch = MessageBatch::default();
        if !expected.is_empty() && rng.bool() {
            let message = Arc::new(Message::user(words(&mut rng, 20)));
            expected.pop();
            expected.push(Arc::clone(&message));
            batch.replaced = Some(message);
        }
        let appended = rng.usize(usize::from(batch.replaced.is_none())..4);
        batch.appended = (0..appended).map(|_| Arc::new(Message::assistant(words(&mut rng, 200)))).collect();
        expected.extend(batch.appended.iter().cloned());
        if rng.u8(..) < 64 {
            worker = place.worker().await?;
        }
        worker.write(&batch).await?;
    }
    place.holds(Promise::SessionRoundTrip, "random batches", &expected).await
}

async fn ranges(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    let texts = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];
    let all = messages(&texts);
    let place = stage.new_session();
    let mut worker = place.begun(&texts).await?;
    let ranges: [(u64, &[u64]); 7] =
        [(0, &[]), (1, &[]), (11, &[]), (12, &[]), (5, &[0]), (10, &[1, 2, 9]), (12, &[0, 11])];
    for (from, also) in ranges {
        let wanted = |at: u64| at >= from || also.contains(&at);
        let expected: Messages =
            (0..).zip(&all).filter(|(at, _)| wanted(*at)).map(|(_, message)| Arc::clone(message)).collect();
        let range = MessageRange::new(from, also.to_vec());
        let when = format!("from {from} and also {also:?}");
        let read = |error| ContractViolation::error(Promise::SessionRange, when.as_str(), error);
        let observed = worker.session.read(&range).await.map_err(read)?;
        same_messages(Promise::SessionRange, &when, &expected, &observed)?;
    }
    // What is written after a read of a part follows the newest message.
    worker.write(&MessageBatch::append(messages(&["12"]))).await?;
    let expected = [all, messages(&["12"])].concat();
    place.holds(Promise::SessionRange, "a write after a range was read", &expected).await
}

async fn records(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::SessionRoundTrip;
    let place = stage.new_session();
    let mut worker = place.worker().await?;
    let full = full_record(place.agent_id());
    worker.save(&full).await?;
    place.holds_record(promise, "a full record", &full).await?;

    let mut changed = full.clone();
    changed.state.shift_remove("numbers");
    changed.internal_state.run = None;
    worker.save(&changed).await?;
    place.holds_record(promise, "a record with less in it", &changed).await?;
    worker.save(&changed).await?;
    place.holds_record(promise, "the same record again", &changed).await?;

    worker.write(&MessageBatch::append(messages(&["a"]))).await?;
    place.holds_record(promise, "a record after messages", &changed).await?;
    let mut other = place.worker().await?;
    other.save(&full).await?;
    place.holds_record(promise, "a record of another worker", &full).await?;
    place.holds(promise, "messages after a record", &messages(&["a"])).await
}

async fn apart(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::SessionAgentsApart;
    let place = stage.new_session();
    // Neither is a part of the other's path or prefix.
    let places = [place.agent("agent"), place.agent("agent-2"), place.agent("agent.2"), stage.new_session()];
    let texts = [["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]];
    let mut workers = Vec::new();
    for (place, texts) in places.iter().zip(&texts) {
        workers.push(place.begun(texts).await?);
    }
    for worker in &mut workers {
        let wrote = worker.session.write(&MessageBatch::append(messages(&["i"]))).await;
        let expected = "each agent's only worker to write";
        wrote.map_err(|error| ContractViolation::error(promise, expected, error))?;
    }
    for (place, texts) in places.iter().zip(&texts) {
        let expected = [messages(texts), messages(&["i"])].concat();
        place.holds(promise, "two agents of a session, and two sessions", &expected).await?;
    }
    Ok(())
}
