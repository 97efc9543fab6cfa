//! Writes whose futures are dropped: the same worker repeats or replaces them.

use serde_json::json;

use super::super::polling::{DropPoint, poll_times};
use super::super::sample::plain_record;
use super::super::violation::{ContractViolation, Promise};
use super::conflict::sees_whole_batch;
use super::fixture::{AgentSession, Fixture, Messages, Worker, messages, same_messages};
use crate::message::Message;
use crate::session::{MessageBatch, SessionError};

/// The most polls after which a write is dropped.
const MAX_POLLS: usize = 48;

/// Number of consecutive writes that finish before the end of the test.
const FINISHED_IN_A_ROW: usize = 3;

const BEFORE: [&str; 3] = ["a", "b", "c"];

/// The call after a dropped write.
#[derive(Clone, Copy, Debug)]
enum NextCall {
    /// The same batch again.
    Same,
    /// A shorter batch instead.
    Other,
    /// A replacement of the newest message instead.
    Replace,
    /// A record, then the batch.
    SaveFirst,
    /// A read, then a batch on top of the messages read.
    Read,
}

pub(super) async fn check(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    let session = &fixture.new_session();
    for drop_point in DropPoint::ALL {
        for then in [NextCall::Same, NextCall::Other, NextCall::Replace, NextCall::SaveFirst, NextCall::Read] {
            let agent = |polls| session.agent(format!("write-{drop_point:?}-{then:?}-{polls}"));
            with_more_polls(async |polls| write(&agent(polls), polls, drop_point, then).await).await?;
        }
        let agent = |what: &str, polls| session.agent(format!("{what}-{drop_point:?}-{polls}"));
        with_more_polls(async |polls| save(&agent("save", polls), polls, drop_point).await).await?;
        with_more_polls(async |polls| truncate(&agent("truncate", polls), polls, drop_point).await).await?;
    }
    Ok(())
}

/// Increases the number of polls until the write always finishes.
async fn with_more_polls(
    attempt: impl AsyncFn(usize) -> Result<Ended, ContractViolation>,
) -> Result<(), ContractViolation> {
    let mut finished = 0;
    for polls in 1..=MAX_POLLS {
        match attempt(polls).await? {
            // Another thread may have been faster.
            Ended::Finished => finished += 1,
            Ended::Dropped => finished = 0,
        }
        if finished == FINISHED_IN_A_ROW {
            break;
        }
    }
    Ok(())
}

/// The end of a write.
#[derive(PartialEq, Eq)]
enum Ended {
    Dropped,
    Finished,
}

fn dropped(polls: usize, drop_point: DropPoint) -> String {
    let when = match drop_point {
        DropPoint::AtOnce => "as soon as it was pending",
        DropPoint::WhenWoken => "when it was woken",
    };
    format!("dropped after {polls} poll(s), {when}")
}

/// Returns the outcome of a polled future. A finished one must have succeeded.
fn ended(when: &str, outcome: Option<Result<(), SessionError>>) -> Result<Ended, ContractViolation> {
    match outcome {
        None => Ok(Ended::Dropped),
        Some(Ok(())) => Ok(Ended::Finished),
        Some(Err(error)) => Err(ContractViolation::error(Promise::SessionRoundTrip, format!("{when}: success"), error)),
    }
}

/// Checks that the next call of the same worker succeeds.
fn repeated(when: &str, result: Result<(), SessionError>) -> Result<(), ContractViolation> {
    let expected = || format!("a write that was {when}, then another write of the same worker: success");
    result.map_err(|error| ContractViolation::error(Promise::SessionDroppedWrite, expected(), error))
}

async fn write(
    agent: &AgentSession<'_>,
    polls: usize,
    drop_point: DropPoint,
    then: NextCall,
) -> Result<Ended, ContractViolation> {
    let promise = Promise::SessionDroppedWrite;
    let when = dropped(polls, drop_point);
    let before = messages(&BEFORE);
    let mut batch = MessageBatch::replace(Message::user("new c"));
    batch.appended = messages(&["d", "e", "f"]);
    let after = [messages(&["a", "b"]), messages(&["new c"]), messages(&["d", "e", "f"])].concat();

    let mut worker = agent.started(&BEFORE).await?;
    let outcome = poll_times(worker.session.write(&batch), polls, drop_point).await;
    if ended(&when, outcome)? == Ended::Finished {
        agent.has_messages(Promise::SessionRoundTrip, "a batch", &after).await?;
        return Ok(Ended::Finished);
    }
    sees_whole_batch(&before, &after, &agent.stored().await?)?;
    let expected = match then {
        NextCall::Same => {
            repeated(&when, worker.session.write(&batch).await)?;
            after
        }
        NextCall::Other => other_batch(&mut worker, &when).await?,
        NextCall::Replace => {
            repeated(&when, worker.session.write(&MessageBatch::replace(Message::user("newer c"))).await)?;
            [messages(&["a", "b"]), messages(&["newer c"])].concat()
        }
        NextCall::SaveFirst => {
            let mut record = plain_record(agent.agent_id());
            record.state.insert("saved".to_owned(), json!(true));
            repeated(&when, worker.session.save(&record).await)?;
            repeated(&when, worker.session.write(&batch).await)?;
            agent.has_record(promise, &format!("{when}, then a record"), &record).await?;
            after
        }
        NextCall::Read => {
            let seen = worker.read().await?;
            sees_whole_batch(&before, &after, &seen)?;
            repeated(&when, worker.session.write(&MessageBatch::append(messages(&["x"]))).await)?;
            [seen, messages(&["x"])].concat()
        }
    };
    let what = format!("a write that was {when}, then {then:?}");
    agent.has_messages(promise, &what, &expected).await?;
    continues(agent, &mut worker, &what, expected).await?;
    Ok(Ended::Dropped)
}

/// Writes a batch instead of a dropped one. Returns the expected messages.
async fn other_batch(worker: &mut Worker, when: &str) -> Result<Messages, ContractViolation> {
    let mut other = MessageBatch::replace(Message::user("newer c"));
    other.appended = messages(&["y"]);
    repeated(when, worker.session.write(&other).await)?;
    Ok([messages(&["a", "b"]), messages(&["newer c"]), messages(&["y"])].concat())
}

/// Checks that the worker can continue to write.
async fn continues(
    agent: &AgentSession<'_>,
    worker: &mut Worker,
    what: &str,
    before: Messages,
) -> Result<(), ContractViolation> {
    repeated(what, worker.session.write(&MessageBatch::append(messages(&["z"]))).await)?;
    let expected = [before, messages(&["z"])].concat();
    agent.has_messages(Promise::SessionDroppedWrite, &format!("{what}, then another batch"), &expected).await
}

async fn save(agent: &AgentSession<'_>, polls: usize, drop_point: DropPoint) -> Result<Ended, ContractViolation> {
    let promise = Promise::SessionDroppedWrite;
    let when = dropped(polls, drop_point);
    let mut worker = agent.started(&BEFORE).await?;
    let record = |saved: u64| {
        let mut record = plain_record(agent.agent_id());
        record.state.insert("saved".to_owned(), json!(saved));
        record
    };
    if ended(&when, poll_times(worker.session.save(&record(1)), polls, drop_point).await)? == Ended::Finished {
        agent.has_record(Promise::SessionRoundTrip, "a record", &record(1)).await?;
        return Ok(Ended::Finished);
    }
    let what = format!("a record whose write was {when}");
    repeated(&when, worker.session.save(&record(1)).await)?;
    agent.has_record(promise, &format!("{what}, written again"), &record(1)).await?;
    // Drop once more, and write another record instead.
    if ended(&when, poll_times(worker.session.save(&record(2)), polls, drop_point).await)? == Ended::Dropped {
        repeated(&when, worker.session.save(&record(3)).await)?;
        agent.has_record(promise, &format!("{what}, another one written"), &record(3)).await?;
    }
    continues(agent, &mut worker, &what, messages(&BEFORE)).await?;
    Ok(Ended::Dropped)
}

async fn truncate(agent: &AgentSession<'_>, polls: usize, drop_point: DropPoint) -> Result<Ended, ContractViolation> {
    let promise = Promise::SessionDroppedWrite;
    let when = dropped(polls, drop_point);
    let (before, after) = (messages(&BEFORE), messages(&["a"]));
    let mut record = plain_record(agent.agent_id());
    record.state.insert("truncated".to_owned(), json!(true));
    let mut worker = agent.started(&BEFORE).await?;
    if ended(&when, poll_times(worker.session.truncate(1, &record), polls, drop_point).await)? == Ended::Finished {
        agent.has_messages(Promise::SessionTruncate, "1 of 3 messages remaining", &after).await?;
        return Ok(Ended::Finished);
    }
    sees_whole_batch(&before, &after, &agent.stored().await?)?;
    let what = format!("a truncation that was {when}");
    if polls.is_multiple_of(2) {
        // Another write instead: it follows either the untruncated or the truncated messages.
        repeated(&when, worker.session.write(&MessageBatch::append(messages(&["x"]))).await)?;
        let [whole, truncated] = [before, after].map(|remaining| [remaining, messages(&["x"])].concat());
        let found = agent.stored().await?;
        let expected = if found.len() == truncated.len() { truncated } else { whole };
        same_messages(promise, &format!("{what}, then a batch"), &expected, &found)?;
        continues(agent, &mut worker, &what, expected).await?;
    } else {
        repeated(&when, worker.session.truncate(1, &record).await)?;
        agent.has_messages(promise, &format!("{what}, made again"), &after).await?;
        agent.has_record(promise, &format!("{what}, made again"), &record).await?;
        continues(agent, &mut worker, &what, after).await?;
    }
    Ok(Ended::Dropped)
}
