//! Writes whose futures are dropped: the same worker repeats them, or writes something else in their place.

use serde_json::json;

use super::super::polling::{Moment, poll_times};
use super::super::sample::plain_record;
use super::super::violation::{ContractViolation, Promise};
use super::conflict::whole;
use super::stage::{Messages, Place, Stage, Worker, messages, same_messages};
use crate::message::Message;
use crate::session::{MessageBatch, SessionError};

/// After so many polls a write is no longer interrupted.
const MOST_POLLS: usize = 48;

/// After so many writes in a row that finished, none will be dropped.
const ENOUGH: usize = 3;

const BEFORE: [&str; 3] = ["a", "b", "c"];

/// A call that follows a write that was dropped.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// The same batch again.
    Same,
    /// A shorter batch in its place.
    Other,
    /// A replacement of the newest message in its place.
    Replace,
    /// A record, then the batch.
    SaveFirst,
    /// The worker reads, and goes on from what it finds.
    Read,
}

pub(super) async fn check(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    let session = &stage.new_session();
    for moment in Moment::ALL {
        for then in [Then::Same, Then::Other, Then::Replace, Then::SaveFirst, Then::Read] {
            let place = |polls| session.agent(format!("write-{moment:?}-{then:?}-{polls}"));
            more_and_more(async |polls| write(&place(polls), polls, moment, then).await).await?;
        }
        let place = |what: &str, polls| session.agent(format!("{what}-{moment:?}-{polls}"));
        more_and_more(async |polls| save(&place("save", polls), polls, moment).await).await?;
        more_and_more(async |polls| truncate(&place("truncate", polls), polls, moment).await).await?;
    }
    Ok(())
}

/// Tries with one poll, two, and so on, until the write finishes each time.
async fn more_and_more(
    attempt: impl AsyncFn(usize) -> Result<Ended, ContractViolation>,
) -> Result<(), ContractViolation> {
    let mut finished = 0;
    for polls in 1..=MOST_POLLS {
        match attempt(polls).await? {
            // Another thread may have been fast.
            Ended::Finished => finished += 1,
            Ended::Dropped => finished = 0,
        }
        if finished == ENOUGH {
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

fn dropped(polls: usize, moment: Moment) -> String {
    let when = match moment {
        Moment::AtOnce => "as soon as it was pending",
        Moment::WhenWoken => "when it was woken",
    };
    format!("dropped after {polls} poll(s), {when}")
}

/// The outcome of a future that was polled. What finished must have succeeded.
fn ended(when: &str, outcome: Option<Result<(), SessionError>>) -> Result<Ended, ContractViolation> {
    match outcome {
        None => Ok(Ended::Dropped),
        Some(Ok(())) => Ok(Ended::Finished),
        Some(Err(error)) => Err(ContractViolation::error(Promise::SessionRoundTrip, format!("{when}: success"), error)),
    }
}

/// Checks that the next call of the same worker succeeds.
fn repeated(when: &str, result: Result<(), SessionError>) -> Result<(), ContractViolation> {
    let expected = || format!("a write that was {when}, then another one of the same worker: success");
    result.map_err(|error| ContractViolation::error(Promise::SessionDroppedWrite, expected(), error))
}

async fn write(place: &Place<'_>, polls: usize, moment: Moment, then: Then) -> Result<Ended, ContractViolation> {
    let promise = Promise::SessionDroppedWrite;
    let when = dropped(polls, moment);
    let before = messages(&BEFORE);
    let mut batch = MessageBatch::replace(Message::user("new c"));
    batch.appended = messages(&["d", "e", "f"]);
    let after = [messages(&["a", "b"]), messages(&["new c"]), messages(&["d", "e", "f"])].concat();

    let mut worker = place.begun(&BEFORE).await?;
    let outcome = poll_times(worker.session.write(&batch), polls, moment).await;
    if ended(&when, outcome)? == Ended::Finished {
        place.holds(Promise::SessionRoundTrip, "a batch", &after).await?;
        return Ok(Ended::Finished);
    }
    whole(&before, &after, &place.stored().await?)?;
    let expected = match then {
        Then::Same => {
            repeated(&when, worker.session.write(&batch).await)?;
            after
        }
        Then::Other => other_batch(&mut worker, &when).await?,
        Then::Replace => {
            repeated(&when, worker.session.write(&MessageBatch::replace(Message::user("newer c"))).await)?;
            [messages(&["a", "b"]), messages(&["newer c"])].concat()
        }
        Then::SaveFirst => {
            let mut record = plain_record(place.agent_id());
            record.state.insert("saved".to_owned(), json!(true));
            repeated(&when, worker.session.save(&record).await)?;
            repeated(&when, worker.session.write(&batch).await)?;
            place.holds_record(promise, &format!("{when}, then a record"), &record).await?;
            after
        }
        Then::Read => {
            let seen = worker.read().await?;
            whole(&before, &after, &seen)?;
            repeated(&when, worker.session.write(&MessageBatch::append(messages(&["x"]))).await)?;
            [seen, messages(&["x"])].concat()
        }
    };
    let what = format!("a write that was {when}, then {then:?}");
    place.holds(promise, &what, &expected).await?;
    goes_on(place, &mut worker, &what, expected).await?;
    Ok(Ended::Dropped)
}

/// Writes a batch in the place of one that was dropped. Returns what is to be in the session.
async fn other_batch(worker: &mut Worker, when: &str) -> Result<Messages, ContractViolation> {
    let mut other = MessageBatch::replace(Message::user("newer c"));
    other.appended = messages(&["y"]);
    repeated(when, worker.session.write(&other).await)?;
    Ok([messages(&["a", "b"]), messages(&["newer c"]), messages(&["y"])].concat())
}

/// The worker writes on as if nothing had happened.
async fn goes_on(
    place: &Place<'_>,
    worker: &mut Worker,
    what: &str,
    before: Messages,
) -> Result<(), ContractViolation> {
    repeated(what, worker.session.write(&MessageBatch::append(messages(&["z"]))).await)?;
    let expected = [before, messages(&["z"])].concat();
    place.holds(Promise::SessionDroppedWrite, &format!("{what}, then another batch"), &expected).await
}

async fn save(place: &Place<'_>, polls: usize, moment: Moment) -> Result<Ended, ContractViolation> {
    let promise = Promise::SessionDroppedWrite;
    let when = dropped(polls, moment);
    let mut worker = place.begun(&BEFORE).await?;
    let record = |saved: u64| {
        let mut record = plain_record(place.agent_id());
        record.state.insert("saved".to_owned(), json!(saved));
        record
    };
    if ended(&when, poll_times(worker.session.save(&record(1)), polls, moment).await)? == Ended::Finished {
        place.holds_record(Promise::SessionRoundTrip, "a record", &record(1)).await?;
        return Ok(Ended::Finished);
    }
    let what = format!("a record whose write was {when}");
    repeated(&when, worker.session.save(&record(1)).await)?;
    place.holds_record(promise, &format!("{what}, written again"), &record(1)).await?;
    // And once more, with another one in its place.
    if ended(&when, poll_times(worker.session.save(&record(2)), polls, moment).await)? == Ended::Dropped {
        repeated(&when, worker.session.save(&record(3)).await)?;
        place.holds_record(promise, &format!("{what}, another one written"), &record(3)).await?;
    }
    goes_on(place, &mut worker, &what, messages(&BEFORE)).await?;
    Ok(Ended::Dropped)
}

async fn truncate(place: &Place<'_>, polls: usize, moment: Moment) -> Result<Ended, ContractViolation> {
    let promise = Promise::SessionDroppedWrite;
    let when = dropped(polls, moment);
    let (before, after) = (messages(&BEFORE), messages(&["a"]));
    let mut record = plain_record(place.agent_id());
    record.state.insert("truncated".to_owned(), json!(true));
    let mut worker = place.begun(&BEFORE).await?;
    if ended(&when, poll_times(worker.session.truncate(1, &record), polls, moment).await)? == Ended::Finished {
        place.holds(Promise::SessionTruncate, "1 of 3 messages kept", &after).await?;
        return Ok(Ended::Finished);
    }
    whole(&before, &after, &place.stored().await?)?;
    let what = format!("a truncation that was {when}");
    if polls.is_multiple_of(2) {
        // Something else in its place: it follows what was there before, or what the truncation has left.
        repeated(&when, worker.session.write(&MessageBatch::append(messages(&["x"]))).await)?;
        let [whole, truncated] = [before, after].map(|kept| [kept, messages(&["x"])].concat());
        let found = place.stored().await?;
        let expected = if found.len() == truncated.len() { truncated } else { whole };
        same_messages(promise, &format!("{what}, then a batch"), &expected, &found)?;
        goes_on(place, &mut worker, &what, expected).await?;
    } else {
        repeated(&when, worker.session.truncate(1, &record).await)?;
        place.holds(promise, &format!("{what}, made again"), &after).await?;
        place.holds_record(promise, &format!("{what}, made again"), &record).await?;
        goes_on(place, &mut worker, &what, after).await?;
    }
    Ok(Ended::Dropped)
}
