//! Round trips: new agents, messages, batches, ranges, records, and several agents in one session.

use std::sync::Arc;

use fastrand::Rng;

use super::super::sample::{every_kind, full_record, words};
use super::super::violation::{ContractViolation, Promise, ensure, ensure_eq};
use super::fixture::{Fixture, Messages, messages, same_messages};
use crate::message::Message;
use crate::session::{MessageBatch, MessageRange};

pub(super) async fn check(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    new_agent(fixture).await?;
    batches(fixture).await?;
    isolation(fixture).await?;
    every_kind_of_content(fixture).await?;
    random_batches(fixture).await?;
    ranges(fixture).await?;
    records(fixture).await
}

async fn new_agent(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::SessionOpenWritesNothing;
    let agent = fixture.new_session();
    let manager = agent.manager().await;
    ensure_eq(promise, "the session id", &agent.session_id(), &manager.session_id())?;
    for when in ["a new agent has no record", "opening a new agent writes no record"] {
        let mut worker = agent.worker().await?;
        ensure(worker.record.is_none(), promise, when, || format!("{:?}", worker.record))?;
        same_messages(promise, "a new agent", &Messages::new(), &worker.read().await?)?;
    }
    let mut worker = agent.started(&["a", "b"]).await?;
    // If opening wrote, the first worker would get a conflict.
    agent.worker().await?;
    worker.write(&MessageBatch::append(messages(&["c"]))).await?;
    agent.has_messages(Promise::SessionRoundTrip, "after a write", &messages(&["a", "b", "c"])).await
}

async fn batches(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::SessionRoundTrip;
    let agent = fixture.new_session();
    let mut worker = agent.started(&[]).await?;
    agent.has_messages(promise, "an agent with a record and no messages", &Messages::new()).await?;

    worker.write(&MessageBatch::append(messages(&["a"]))).await?;
    worker.write(&MessageBatch::append(messages(&["b", "c", "d"]))).await?;
    let expected = [messages(&["a"]), messages(&["b", "c", "d"])].concat();
    agent.has_messages(promise, "two batches", &expected).await?;
    same_messages(promise, "two batches, read by their writer", &expected, &worker.read().await?)?;

    worker.write(&MessageBatch::replace(Message::user("new d"))).await?;
    let expected = [messages(&["a"]), messages(&["b", "c"]), messages(&["new d"])].concat();
    agent.has_messages(promise, "the newest message replaced", &expected).await?;

    let mut both = MessageBatch::replace(Message::user("newer d"));
    both.appended = messages(&["e", "f"]);
    worker.write(&both).await?;
    let expected = [messages(&["a"]), messages(&["b", "c"]), messages(&["newer d"]), messages(&["e", "f"])].concat();
    agent.has_messages(promise, "the newest message replaced and two appended", &expected).await?;

    let mut other = agent.worker().await?;
    other.write(&MessageBatch::replace(Message::user("newer f"))).await?;
    other.write(&MessageBatch::append(messages(&["g"]))).await?;
    let remaining: Messages = expected.iter().take(5).cloned().collect();
    let expected = [remaining, messages(&["newer f"]), messages(&["g"])].concat();
    agent.has_messages(promise, "another worker goes on", &expected).await
}

async fn every_kind_of_content(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::SessionRoundTrip;
    let all: Messages = every_kind().into_iter().map(Arc::new).collect();
    let agent = fixture.new_session();
    let mut worker = agent.started(&[]).await?;
    worker.write(&MessageBatch::append(all.iter().cloned())).await?;
    agent.has_messages(promise, "every kind of content in one batch", &all).await?;
    for message in &all {
        let agent = agent.agent(format!("agent-{}", message.tracking_id.as_deref().unwrap_or_default()));
        let mut worker = agent.started(&["a"]).await?;
        worker.write(&MessageBatch::replace(Arc::clone(message))).await?;
        agent.has_messages(promise, "a message replaced by one of another kind", &vec![Arc::clone(message)]).await?;
    }
    Ok(())
}

async fn random_batches(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    let mut rng = Rng::with_seed(7);
    let agent = fixture.new_session();
    let mut worker = agent.started(&[]).await?;
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
            worker = agent.worker().await?;
        }
        worker.write(&batch).await?;
    }
    agent.has_messages(Promise::SessionRoundTrip, "random batches", &expected).await
}

async fn ranges(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    let texts = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];
    let all = messages(&texts);
    let agent = fixture.new_session();
    let mut worker = agent.started(&texts).await?;
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
    // A write after a partial read follows the newest message.
    worker.write(&MessageBatch::append(messages(&["12"]))).await?;
    let expected = [all, messages(&["12"])].concat();
    agent.has_messages(Promise::SessionRange, "a write after a range was read", &expected).await
}

async fn records(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::SessionRoundTrip;
    let agent = fixture.new_session();
    let mut worker = agent.worker().await?;
    let full = full_record(agent.agent_id());
    worker.save(&full).await?;
    agent.has_record(promise, "a full record", &full).await?;

    let mut changed = full.clone();
    changed.state.shift_remove("numbers");
    changed.internal_state.run = None;
    worker.save(&changed).await?;
    agent.has_record(promise, "a record with less in it", &changed).await?;
    worker.save(&changed).await?;
    agent.has_record(promise, "the same record again", &changed).await?;

    worker.write(&MessageBatch::append(messages(&["a"]))).await?;
    agent.has_record(promise, "a record after messages", &changed).await?;
    let mut other = agent.worker().await?;
    other.save(&full).await?;
    agent.has_record(promise, "a record of another worker", &full).await?;
    agent.has_messages(promise, "messages after a record", &messages(&["a"])).await
}

async fn isolation(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::SessionIsolation;
    let agent = fixture.new_session();
    // None is a part of another's path or prefix.
    let agents = [agent.agent("agent"), agent.agent("agent-2"), agent.agent("agent.2"), fixture.new_session()];
    let texts = [["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]];
    let mut workers = Vec::new();
    for (agent, texts) in agents.iter().zip(&texts) {
        workers.push(agent.started(texts).await?);
    }
    for worker in &mut workers {
        let wrote = worker.session.write(&MessageBatch::append(messages(&["i"]))).await;
        let expected = "each agent's only worker to write";
        wrote.map_err(|error| ContractViolation::error(promise, expected, error))?;
    }
    for (agent, texts) in agents.iter().zip(&texts) {
        let expected = [messages(texts), messages(&["i"])].concat();
        agent.has_messages(promise, "two agents of a session, and two sessions", &expected).await?;
    }
    Ok(())
}
