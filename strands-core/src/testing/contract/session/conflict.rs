//! Two workers on one agent: the one with the old view gets a conflict, and nothing of the other is lost.

use futures_util::future::join;
use serde_json::json;

use super::super::polling::yield_once;
use super::super::sample::plain_record;
use super::super::violation::{ContractViolation, Promise, ensure};
use super::stage::{Messages, Place, Stage, Worker, messages, same_messages};
use crate::message::Message;
use crate::session::{MessageBatch, SessionError};

const BEFORE: [&str; 3] = ["a", "b", "c"];

/// Something that a worker with an old view tries.
#[derive(Clone, Copy, Debug)]
enum Try {
    Write,
    Replace,
    Save,
    Truncate,
}

impl Try {
    async fn by(self, worker: &mut Worker, place: &Place<'_>) -> Result<(), SessionError> {
        let mut record = plain_record(place.agent_id());
        record.state.insert("by".to_owned(), json!("the second"));
        match self {
            Self::Write => worker.session.write(&MessageBatch::append(messages(&["second"]))).await,
            Self::Replace => worker.session.write(&MessageBatch::replace(Message::user("second"))).await,
            Self::Save => worker.session.save(&record).await,
            Self::Truncate => worker.session.truncate(1, &record).await,
        }
    }
}

pub(super) async fn check(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    let session = stage.new_session();
    for (name, first, tries) in [
        ("write", First::Write, [Try::Write, Try::Replace, Try::Truncate].as_slice()),
        ("replace", First::Replace, &[Try::Replace]),
        ("save", First::Save, &[Try::Save, Try::Truncate]),
        ("truncate", First::Truncate, &[Try::Write, Try::Replace, Try::Save, Try::Truncate]),
        ("aba", First::TruncateAndGrow, &[Try::Write, Try::Replace, Try::Save, Try::Truncate]),
    ] {
        for second in tries {
            let place = session.agent(format!("{name}-{second:?}"));
            old_view(&place, name, first, *second).await?;
        }
    }
    two_new_agents(&session.agent("new")).await?;
    unchanged_record(&session.agent("unchanged")).await?;
    at_once(&session).await?;
    readers_see_whole_batches(&session.agent("atomic")).await
}

/// The call of the first worker after the second one has read.
#[derive(Clone, Copy, Debug)]
enum First {
    Write,
    Replace,
    Save,
    Truncate,
    /// The conversation is as long as it was, with other messages.
    TruncateAndGrow,
}

async fn old_view(place: &Place<'_>, name: &str, first: First, second: Try) -> Result<(), ContractViolation> {
    let mut one = place.begun(&BEFORE).await?;
    let mut other = place.worker().await?;
    let mut record = plain_record(place.agent_id());
    let mut expected = messages(&BEFORE);
    match first {
        First::Write => {
            one.write(&MessageBatch::append(messages(&["d", "e"]))).await?;
            expected.extend(messages(&["d", "e"]));
        }
        First::Replace => {
            one.write(&MessageBatch::replace(Message::user("new c"))).await?;
            expected.pop();
            expected.extend(messages(&["new c"]));
        }
        First::Save => {
            record.state.insert("by".to_owned(), json!("the first"));
            one.save(&record).await?;
        }
        First::Truncate | First::TruncateAndGrow => {
            record.state.insert("by".to_owned(), json!("the first"));
            one.truncate(1, &record).await?;
            expected.truncate(1);
            if let First::TruncateAndGrow = first {
                one.write(&MessageBatch::append(messages(&["d", "e"]))).await?;
                expected.extend(messages(&["d", "e"]));
            }
        }
    }
    let when = format!("{second:?} after the `{name}` of another worker");
    is_conflict(&when, second.by(&mut other, place).await)?;
    // Nor does trying again help, as long as the view is old.
    is_conflict(&format!("{when}, tried again"), second.by(&mut other, place).await)?;
    place.holds(Promise::SessionConflict, &when, &expected).await?;
    place.holds_record(Promise::SessionConflict, &when, &record).await?;

    // A worker that reads again goes on from there. Reading is no conflict for the first one.
    same_messages(Promise::SessionConflict, &when, &expected, &other.read().await?)?;
    one.write(&MessageBatch::append(messages(&["f"]))).await?;
    other.read().await?;
    other.write(&MessageBatch::append(messages(&["g"]))).await?;
    let expected = [expected, messages(&["f"]), messages(&["g"])].concat();
    place.holds(Promise::SessionRoundTrip, "both workers go on in turn", &expected).await
}

fn is_conflict(when: &str, result: Result<(), SessionError>) -> Result<(), ContractViolation> {
    match result {
        Err(error) if error.is_conflict() => Ok(()),
        Err(error) => Err(ContractViolation::error(Promise::SessionConflict, format!("{when}: a conflict"), error)),
        Ok(()) => Err(ContractViolation::new(Promise::SessionConflict, format!("{when}: a conflict"), "success")),
    }
}

async fn two_new_agents(place: &Place<'_>) -> Result<(), ContractViolation> {
    let (mut one, mut other) = (place.worker().await?, place.worker().await?);
    let mut record = plain_record(place.agent_id());
    record.state.insert("by".to_owned(), json!("the first"));
    one.save(&record).await?;
    one.write(&MessageBatch::append(messages(&BEFORE))).await?;
    is_conflict("saving the record of an agent that another worker has begun", Try::Save.by(&mut other, place).await)?;
    place.holds(Promise::SessionConflict, "two workers begin one agent", &messages(&BEFORE)).await?;
    place.holds_record(Promise::SessionConflict, "two workers begin one agent", &record).await
}

async fn unchanged_record(place: &Place<'_>) -> Result<(), ContractViolation> {
    let mut one = place.begun(&BEFORE).await?;
    let mut other = place.worker().await?;
    let mut record = plain_record(place.agent_id());
    one.save(&record).await?;
    record.state.insert("by".to_owned(), json!("the second"));
    // The first worker has written nothing.
    other.save(&record).await?;
    other.write(&MessageBatch::append(messages(&["d"]))).await?;
    place.holds_record(Promise::SessionRoundTrip, "a record after an unchanged one", &record).await
}

/// Two workers write at the same time, a few times.
async fn at_once(session: &Place<'_>) -> Result<(), ContractViolation> {
    for round in 0..4 {
        let place = session.agent(format!("at-once-{round}"));
        place.begun(&BEFORE).await?;
        let (mut one, mut other) = (place.worker().await?, place.worker().await?);
        let (first, second) = (messages(&["d", "e"]), messages(&["f", "g", "h"]));
        let (batch, another) = (MessageBatch::append(first.clone()), MessageBatch::append(second.clone()));
        let (wrote, other_wrote) = join(one.session.write(&batch), other.session.write(&another)).await;
        let winner = match (wrote, other_wrote) {
            (Ok(()), refused @ Err(_)) => {
                is_conflict("two writes at once, the first one done", refused)?;
                first
            }
            (refused @ Err(_), Ok(())) => {
                is_conflict("two writes at once, the second one done", refused)?;
                second
            }
            (one, other) => {
                let expected = "two writes at once: one to succeed and one to be a conflict";
                let observed = format!("{one:?} and {other:?}");
                return Err(ContractViolation::new(Promise::SessionConflict, expected, observed));
            }
        };
        let expected = [messages(&BEFORE), winner].concat();
        place.holds(Promise::SessionConflict, "two writes at once", &expected).await?;
    }
    Ok(())
}

/// Reads while another worker writes.
async fn readers_see_whole_batches(place: &Place<'_>) -> Result<(), ContractViolation> {
    let mut writer = place.begun(&BEFORE).await?;
    let mut reader = place.worker().await?;
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
                whole(&before, &after, &reader.read().await?)?;
                yield_once().await;
            }
            Ok::<(), ContractViolation>(())
        };
        let (wrote, read) = join(writer.write(&batch), reading).await;
        wrote?;
        read?;
        place.holds(Promise::SessionRoundTrip, "a batch that was read meanwhile", &after).await?;
        before = after;
    }
    Ok(())
}

/// Checks that a reader sees all of a batch or nothing.
pub(super) fn whole(before: &Messages, after: &Messages, seen: &Messages) -> Result<(), ContractViolation> {
    ensure(
        seen == before || seen == after,
        Promise::SessionAtomicBatch,
        format!("{} message(s) before a batch or {} after it", before.len(), after.len()),
        || super::super::violation::shown(seen),
    )
}
