//! Truncation: the first messages stay, with the record that was given.

use serde_json::json;

use super::super::sample::plain_record;
use super::super::violation::{ContractViolation, Promise, ensure_eq};
use super::stage::{Stage, messages, same_messages};
use crate::session::{MessageBatch, MessageRange};

const TEXTS: [&str; 5] = ["a", "b", "c", "d", "e"];

pub(super) async fn check(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::SessionTruncate;
    let session = stage.new_session();
    let bystander = session.agent("bystander");
    bystander.begun(&TEXTS).await?;
    for keep in [0, 1, 3, 5] {
        let place = session.agent(format!("agent-{keep}"));
        let mut worker = place.begun(&TEXTS).await?;
        let mut record = plain_record(place.agent_id());
        record.state.insert("kept".to_owned(), json!(keep));
        worker.truncate(keep, &record).await?;

        let kept: Vec<&str> = (0_u64..).zip(TEXTS).filter(|(at, _)| *at < keep).map(|(_, text)| text).collect();
        let when = format!("{keep} of 5 messages kept");
        place.holds(promise, &when, &messages(&kept)).await?;
        place.holds_record(promise, &when, &record).await?;
        same_messages(promise, &when, &messages(&kept), &worker.read().await?)?;

        worker.write(&MessageBatch::append(messages(&["x", "y"]))).await?;
        let expected = [messages(&kept), messages(&["x", "y"])].concat();
        place.holds(promise, &format!("{when}, then two written"), &expected).await?;
        let range = MessageRange::new(keep, Vec::new());
        let read = |error| ContractViolation::error(promise, "the messages behind those that were kept", error);
        let behind = worker.session.read(&range).await.map_err(read)?;
        same_messages(promise, &format!("{when}, then two read from there"), &messages(&["x", "y"]), &behind)?;

        // A second truncation, by another worker, and back to nothing.
        let mut other = place.worker().await?;
        ensure_eq(promise, "the record of a reopened session", &Some(&record), &other.record.as_ref())?;
        other.truncate(keep, &record).await?;
        place.holds(promise, "truncated again", &messages(&kept)).await?;
        other.truncate(0, &plain_record(place.agent_id())).await?;
        other.write(&MessageBatch::append(messages(&TEXTS))).await?;
        place.holds(promise, "truncated to nothing and written again", &messages(&TEXTS)).await?;
    }
    let promise = Promise::SessionAgentsApart;
    bystander.holds(promise, "an agent beside those whose messages were removed", &messages(&TEXTS)).await
}
