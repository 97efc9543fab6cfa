//! Truncation: the first messages remain, with the given record.

use serde_json::json;

use super::super::sample::plain_record;
use super::super::violation::{ContractViolation, Promise, ensure_eq};
use super::fixture::{Fixture, messages, same_messages};
use crate::session::{MessageBatch, MessageRange};

const TEXTS: [&str; 5] = ["a", "b", "c", "d", "e"];

pub(super) async fn check(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::SessionTruncate;
    let session = fixture.new_session();
    let bystander = session.agent("bystander");
    bystander.started(&TEXTS).await?;
    for keep in [0, 1, 3, 5] {
        let agent = session.agent(format!("agent-{keep}"));
        let mut worker = agent.started(&TEXTS).await?;
        let mut record = plain_record(agent.agent_id());
        record.state.insert("remaining".to_owned(), json!(keep));
        worker.truncate(keep, &record).await?;

        let remaining: Vec<&str> = (0_u64..).zip(TEXTS).filter(|(at, _)| *at < keep).map(|(_, text)| text).collect();
        let when = format!("{keep} of 5 messages remaining");
        agent.has_messages(promise, &when, &messages(&remaining)).await?;
        agent.has_record(promise, &when, &record).await?;
        same_messages(promise, &when, &messages(&remaining), &worker.read().await?)?;

        worker.write(&MessageBatch::append(messages(&["x", "y"]))).await?;
        let expected = [messages(&remaining), messages(&["x", "y"])].concat();
        agent.has_messages(promise, &format!("{when}, then two written"), &expected).await?;
        let range = MessageRange::new(keep, Vec::new());
        let read = |error| ContractViolation::error(promise, "the messages after the remaining ones", error);
        let behind = worker.session.read(&range).await.map_err(read)?;
        same_messages(promise, &format!("{when}, then two read from there"), &messages(&["x", "y"]), &behind)?;

        // A second truncation by another worker, and one that removes all messages.
        let mut other = agent.worker().await?;
        ensure_eq(promise, "the record of a reopened session", &Some(&record), &other.record.as_ref())?;
        other.truncate(keep, &record).await?;
        agent.has_messages(promise, "truncated again", &messages(&remaining)).await?;
        other.truncate(0, &plain_record(agent.agent_id())).await?;
        other.write(&MessageBatch::append(messages(&TEXTS))).await?;
        agent.has_messages(promise, "truncated to nothing and written again", &messages(&TEXTS)).await?;
    }
    let promise = Promise::SessionIsolation;
    bystander.has_messages(promise, "another agent than the truncated ones", &messages(&TEXTS)).await
}
