//! Checks of concurrent writers: exactly one succeeds, and readers see complete documents.

use bytes::Bytes;
use futures_util::FutureExt as _;

use super::{ContractViolation, Subject, at_once, described, equal, succeeded, violation};
use crate::document_store::{Document, WriteOutcome};

const ROUNDS: usize = 8;
const WRITERS: usize = 8;

pub(super) async fn check(subject: &Subject) -> Result<(), ContractViolation> {
    for round in 0..ROUNDS {
        creates(subject, round).await?;
        updates(subject, round).await?;
        abandoned(subject, round).await?;
    }
    readers(subject).await
}

async fn creates(subject: &Subject, round: usize) -> Result<(), ContractViolation> {
    let promise = "of several writers that create one document at once, exactly one is done";
    let key = subject.key(&format!("races/created_{round}"));
    one_wins(subject, promise, &key, None).await
}

async fn updates(subject: &Subject, round: usize) -> Result<(), ContractViolation> {
    let promise = "of several writers that update one document at once, exactly one is done";
    let key = subject.key(&format!("races/updated_{round}"));
    subject.create(promise, &key, "before".into()).await?;
    let known = subject.get(promise, &key).await?;
    one_wins(subject, promise, &key, known).await
}

/// Writes from several tasks concurrently, and checks that the document has the content of the one that succeeded.
async fn one_wins(
    subject: &Subject,
    promise: &'static str,
    key: &str,
    known: Option<Document>,
) -> Result<(), ContractViolation> {
    let writer = |writer: usize| {
        let (subject, key, known) = (subject.clone(), key.to_owned(), known.clone());
        async move {
            let content = Bytes::from(format!("by writer {writer}"));
            let written = match &known {
                Some(known) => subject.store.update(&key, content, known).await,
                None => subject.store.create(&key, content).await,
            };
            succeeded(promise, written)
        }
    };
    let mut winners = Vec::new();
    for (writer, written) in at_once((0..WRITERS).map(writer).collect()).await?.into_iter().enumerate() {
        if let WriteOutcome::Done(_) = written? {
            winners.push(writer);
        }
    }
    let [winner] = winners.as_slice() else {
        return Err(violation(promise, "one that is done", format!("these: {winners:?}")));
    };
    subject.holds(promise, key, Some(format!("by writer {winner}").as_bytes())).await
}

/// A write whose future is dropped is done or not done.
async fn abandoned(subject: &Subject, round: usize) -> Result<(), ContractViolation> {
    let promise = "a write whose future is dropped is done as a whole or not at all";
    let key = subject.key(&format!("races/abandoned_{round}"));
    let content = Bytes::from(vec![b'x'; 100_000]);
    let _ = subject.store.create(&key, content.clone()).now_or_never();
    // It may still be in flight.
    let written = succeeded(promise, subject.store.create(&key, content.clone()).await)?;
    subject.holds(promise, &key, Some(&content)).await?;
    let Some(known) = subject.get(promise, &key).await? else { return Err(violation(promise, "a document", "none")) };
    let _ = subject.store.update(&key, "short".into(), &known).now_or_never();
    let found = subject.get(promise, &key).await?.map(|document| document.content);
    match found {
        Some(found) if found == content || found == "short" => Ok(()),
        found => Err(violation(
            promise,
            format!("the content before ({written:?}) or after"),
            found.map_or_else(|| "none".to_owned(), |found| described(&found)),
        )),
    }
}

/// A read that is concurrent with a write returns the content before or after.
async fn readers(subject: &Subject) -> Result<(), ContractViolation> {
    let promise = "a document is read as it was written, or not at all, while it is written";
    let key = subject.key("races/read");
    let content = |letter: u8| Bytes::from(vec![letter; 300_000]);
    let mut known = Document::new(content(b'a'), subject.create(promise, &key, content(b'a')).await?);
    for letter in b'b'..=b'h' {
        let reader = || {
            let (subject, key) = (subject.clone(), key.clone());
            async move { subject.get(promise, &key).await }
        };
        let writer = {
            let (subject, key, known) = (subject.clone(), key.clone(), known.clone());
            async move {
                let written = succeeded(promise, subject.store.update(&key, content(letter), &known).await)?;
                equal(promise, &true, &matches!(written, WriteOutcome::Done(_)))?;
                subject.get(promise, &key).await
            }
        };
        let mut tasks = vec![writer.boxed()];
        tasks.extend((1..WRITERS).map(|_| reader().boxed()));
        let mut read = at_once(tasks).await?.into_iter();
        let after = read.next().transpose()?.flatten();
        for found in read {
            let found = found?.map(|document| document.content);
            if found.as_ref() != Some(&known.content) && found != Some(content(letter)) {
                let shown = found.map_or_else(|| "none".to_owned(), |found| described(&found));
                return Err(violation(promise, "the content before or after", shown));
            }
        }
        known = match after {
            Some(after) if after.content == content(letter) => after,
            _ => return Err(violation(promise, "the content that was written", "another")),
        };
    }
    Ok(())
}
