//! Two workers on one agent: the worker with an outdated view gets a conflict, and no data of the other is lost.

use futures_util::future::join;
use serde_json::json;

use super::super::polling::yield_once;
use super::super::sample::plain_record;
use super::super::violation::{ContractViolation, Promise, ensure};
use super::fixture::{AgentSession, Fixture, Messages, Worker, messages, same_messages};
use crate::message::Message;
use crate::session::{MessageBatch, SessionError};

const BEFORE: [&str; 3] = ["a", "b", "c"];

/// A call of a worker with an outdated view.
#[derive(Clone, Copy, Debug)]
enum SecondCall {
    Write,
    Replace,
    Save,
    Truncate,
}

impl SecondCall {
    async fn by(self, worker: &mut Worker, agent: &AgentSession<'_>) -> Result<(), SessionError> {
        let mut record = plain_record(agent.agent_id());
        record.state.insert("by".to_owned(), json!("the second"));
        match self {
            Self::Write => worker.session.write(&MessageBatch::append(messages(&["second"]))).await,
            Self::Replace => worker.session.write(&MessageBatch::replace(Message::user("second"))).await,
            Self::Save => worker.session.save(&record).await,
            Self::Truncate => worker.session.truncate(1, &record).await,
        }
    }
}

pub(super) async fn check(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    let session = fixture.new_session();
    for (name, first, tries) in [
        ("write", FirstCall::Write, [SecondCall::Write, SecondCall::Replace, SecondCall::Truncate].as_slice()),
        ("replace", FirstCall::Replace, &[SecondCall::Replace]),
        ("save", FirstCall::Save, &[SecondCall::Save, SecondCall::Truncate]),
        (
            "truncate",
            FirstCall::Truncate,
            &[SecondCall::Write, SecondCall::Replace, SecondCall::Save, SecondCall::Truncate],
        ),
        (
            "aba",
            FirstCall::TruncateAndGrow,
            &[SecondCall::Write, SecondCall::Replace, SecondCall::Save, SecondCall::Truncate],
        ),
    ] {
        for second in tries {
            let agent = session.agent(format!("{name}-{second:?}"));
            outdated_view(&agent, name, first, *second).await?;
        }
    }
    concurrent_creation(&session.agent("new")).await?;
    unchanged_record(&session.agent("unchanged")).await?;
    concurrent_writes(&session).await?;
    readers_see_whole_batches(&session.agent("atomic")).await
}

/// The call of the first worker, after the second one has read.
#[derive(Clone, Copy, Debug)]
enum FirstCall {
    Write,
    Replace,
    Save,
    Truncate,
    /// Leaves as many messages as before, with different contents.
    TruncateAndGrow,
}

async fn outdated_view(
    agent: &AgentSession<'_>,
    name: &str,
    first: FirstCall,
    second: SecondCall,
) -> Result<(), ContractViolation> {
    let mut one = agent.started(&BEFORE).await?;
    let mut other = agent.worker().await?;
    let mut record = plain_record(agent.agent_id());
    let mut expected = messages(&BEFORE);
    match first {
        FirstCall::Write => {
            one.write(&MessageBatch::append(messages(&["d", "e"]))).await?;
            expected.extend(messages(&["d", "e"]));
        }
        FirstCall::Replace => {
            one.write(&MessageBatch::replace(Message::user("new c"))).await?;
            expected.pop();
            expected.extend(messages(&["new c"]));
        }
        FirstCall::Save => {
            record.state.insert("by".to_owned(), json!("the first"));
            one.save(&record).await?;
        }
        FirstCall::Truncate | FirstCall::TruncateAndGrow => {
            record.state.insert("by".to_owned(), json!("the first"));
            one.truncate(1, &record).await?;
            expected.truncate(1);
            if let FirstCall::TruncateAndGrow = first {
                one.write(&MessageBatch::append(messages(&["d", "e"]))).await?;
                expected.extend(messages(&["d", "e"]));
            }
        }
    }
    let when = format!("{second:?} after the `{name}` of another worker");
    is_conflict(&when, second.by(&mut other, agent).await)?;
    // A retry does not help while the view is outdated.
    is_conflict(&format!("{when}, tried again"), second.by(&mut other, agent).await)?;
    agent.has_messages(Promise::SessionConflict, &when, &expected).await?;
    agent.has_record(Promise::SessionConflict, &when, &record).await?;

    // A worker that reads again can continue. Reading causes no conflict for the first worker.
    same_messages(Promise::SessionConflict, &when, &expected, &other.read().await?)?;
    one.write(&MessageBatch::append(messages(&["f"]))).await?;
    other.read().await?;
    other.write(&MessageBatch::append(messages(&["g"]))).await?;
    let expected = [expected, messages(&["f"]), messages(&["g"])].concat();
    agent.has_messages(Promise::SessionRoundTrip, "both workers write in turn", &expected).await
}

fn is_conflict(when: &str, result: Result<(), SessionError>) -> Result<(), ContractViolation> {
    match result {
        Err(error) if error.is_conflict() => Ok(()),
        Err(error) => Err(ContractViolation::error(Promise::SessionConflict, format!("{when}: a conflict"), error)),
        Ok(()) => Err(ContractViolation::new(Promise::SessionConflict, format!("{when}: a conflict"), "success")),
    }
}

async fn concurrent_creation(agent: &AgentSession<'_>) -> Result<(), ContractViolation> {
    let (mut one, mut other) = (agent.worker().await?, agent.worker().await?);
    let mut record = plain_record(agent.agent_id());
    record.state.insert("by".to_owned(), json!("the first"));
    one.save(&record).await?;
    one.write(&MessageBatch::append(messages(&BEFORE))).await?;
    is_conflict(
        "saving the record of an agent that another worker has begun",
        SecondCall::Save.by(&mut other, agent).await,
    )?;
    agent.has_messages(Promise::SessionConflict, "two workers begin one agent", &messages(&BEFORE)).await?;
    agent.has_record(Promise::SessionConflict, "two workers begin one agent", &record).await
}

async fn unchanged_record(agent: &AgentSession<'_>) -> Result<(), ContractViolation> {
    let mut one = agent.started(&BEFORE).await?;
    let mut other = agent.worker().await?;
    let mut record = plain_record(agent.agent_id());
    one.save(&record).await?;
    record.state.insert("by".to_owned(), json!("the second"));
    // The first worker has not changed the record.
    other.save(&record).await?;
    other.write(&MessageBatch::append(messages(&["d"]))).await?;
    agent.has_record(Promise::SessionRoundTrip, "a record after an unchanged one", &record).await
}

/// Two workers write concurrently, a few times.
async fn concurrent_writes(session: &AgentSession<'_>) -> Result<(), ContractViolation> {
    for round in 0..4 {
        let agent = session.agent(format!("at-once-{round}"));
        agent.started(&BEFORE).await?;
        let (mut one, mut other) = (agent.worker().await?, agent.worker().await?);
        let (first, second) = (messages(&["d", "e"]), messages(&["f", "g", "h"]));
        let (batch, another) = (MessageBatch::append(first.clone()), MessageBatch::append(second.clone()));
        let (wrote, other_wrote) = join(one.session.write(&batch), other.session.write(&another)).await;
        let winner = match (wrote, other_wrote) {
            (Ok(()), refused @ Err(_)) => {
                is_conflict("two concurrent writes, the first one successful", refused)?;
                first
            }
            (refused @ Err(_), Ok(())) => {
                is_conflict("two concurrent writes, the second one successful", refused)?;
                second
            }
            (one, other) => {
                let expected = "two concurrent writes: one to succeed and one to be a conflict";
                let observed = format!("{one:?} and {other:?}");
                return Err(ContractViolation::new(Promise::SessionConflict, expected, observed));
            }
        };
        let expected = [messages(&BEFORE), winner].concat();
        agent.has_messages(Promise::SessionConflict, "two concurrent writes", &expected).await?;
    }
    Ok(())
}

/// Reads while another worker writes.
async fn readers_see_whole_batches(agent: &AgentSession<'_>) -> Result<(), ContractViolation> {
    let mut writer = agent.started(&BEFORE).await?;
    let mut reader = agent.worker().await?;
    let mut before = messages(&BEFORE);
    for _ in 0..4 {
        let mut batch = MessageBatch::replace(Message::user("new"));
        batch.appended = messages(&["d", "e", "f", "g", "h", "i"]);
        let mut after = before.clone();
        after.pop();
        after.extend(messages(&["new"]));
        after.extend(batch.appended.iter().cloned());
        let reading = async {
            for _ in 0..24 {
                sees_whole_batch(&before, &after, &reader.read().await?)?;
                yield_once().await;
            }
            Ok::<(), ContractViolation>(())
        };
        let (wrote, read) = join(writer.write(&batch), reading).await;
        wrote?;
        read?;
        agent.has_messages(Promise::SessionRoundTrip, "a batch after concurrent reads", &after).await?;
        before = after;
    }
    Ok(())
}

/// Checks that a reader sees all of a batch or none of it.
pub(super) fn sees_whole_batch(before: &Messages, after: &Messages, seen: &Messages) -> Result<(), ContractViolation> {
    ensure(
        seen == before || seen == after,
        Promise::SessionAtomicBatch,
        format!("{} message(s) before a batch or {} after it", before.len(), after.len()),
        || super::super::violation::shown(seen),
    )
}
