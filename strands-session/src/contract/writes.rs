//! Checks of a single writer: the state of the store after create, update and delete.

use bytes::Bytes;

use super::{ContractViolation, Subject, equal, succeeded, violation};
use crate::document_store::{CreatedBatch, Document, NewDocument, StoreError, WriteOutcome};

pub(super) async fn check(subject: &Subject) -> Result<(), ContractViolation> {
    absent(subject).await?;
    created(subject).await?;
    created_batch(subject).await?;
    updated(subject).await?;
    deleted(subject).await?;
    recreated(subject).await
}

async fn absent(subject: &Subject) -> Result<(), ContractViolation> {
    let key = subject.key("absent/document.json");
    subject.holds("`get` of a missing document returns `None`", &key, None).await?;
    let promise = "`exists` is false for a missing document";
    equal(promise, &false, &succeeded(promise, subject.store.exists(&key).await)?)?;
    let promise = "deleting a missing document succeeds";
    succeeded(promise, subject.store.delete(&key).await)?;
    let promise = "`list` of a folder without documents is empty";
    equal(promise, &Vec::new(), &succeeded(promise, subject.store.list(&subject.key("absent")).await)?)?;
    let promise = "`delete_all` of a folder without documents returns false";
    equal(promise, &false, &succeeded(promise, subject.store.delete_all(&subject.key("absent"), "").await)?)
}

async fn created(subject: &Subject) -> Result<(), ContractViolation> {
    let key = subject.key("created.json");
    let promise = "`create` writes a document that every later `get` sees";
    subject.create(promise, &key, "first".into()).await?;
    subject.holds(promise, &key, Some(b"first")).await?;
    let promise = "`exists` is true for an existing document";
    equal(promise, &true, &succeeded(promise, subject.store.exists(&key).await)?)?;
    let promise = "`create` returns `Conflict` for an existing document, and does not change it";
    for content in ["second", "first"] {
        refused(promise, subject.store.create(&key, content.into()).await)?;
        subject.holds(promise, &key, Some(b"first")).await?;
    }
    Ok(())
}

async fn created_batch(subject: &Subject) -> Result<(), ContractViolation> {
    let key = |name: &str| subject.key(&format!("batch/{name}.json"));
    let new = |names: [&str; 3]| names.map(|name| NewDocument::new(key(name), name.to_owned())).into();
    let read = subject.key("batch_read.json");
    let outline = |created: &CreatedBatch| {
        let done = created.outcomes.iter().map(|outcome| *outcome != WriteOutcome::Conflict).collect::<Vec<_>>();
        (done, created.found.as_ref().map(|found| found.content.clone()))
    };
    let promise = "`create_batch` creates all documents, and returns `None` for a missing document to read";
    let created = succeeded(promise, subject.store.create_batch(new(["1", "2", "3"]), &read).await)?;
    equal(promise, &(vec![true; 3], None), &outline(&created))?;
    for (name, outcome) in ["1", "2", "3"].into_iter().zip(created.outcomes) {
        subject.holds(promise, &key(name), Some(name.as_bytes())).await?;
        let promise = "`create_batch` returns the versions of the documents";
        let WriteOutcome::Done(version) = outcome else { return Err(violation(promise, "a version", "a conflict")) };
        let known = Document::new(name.to_owned(), version);
        match succeeded(promise, subject.store.update(&key(name), known.content.clone(), &known).await)? {
            WriteOutcome::Done(_) => {}
            WriteOutcome::Conflict => return Err(violation(promise, "the update to be done", "it was refused")),
        }
    }
    subject.create("`create` writes a document", &read, "read".into()).await?;
    let promise = "`create_batch` creates nothing if the first document exists, and reads nothing";
    let created = succeeded(promise, subject.store.create_batch(new(["1", "4", "5"]), &read).await)?;
    equal(promise, &(vec![false], None), &outline(&created))?;
    subject.holds(promise, &key("4"), None).await?;
    let promise = "`create_batch` ends at a later document that exists, and reads the other document";
    let created = succeeded(promise, subject.store.create_batch(new(["4", "2", "5"]), &read).await)?;
    equal(promise, &(vec![true, false], Some("read".into())), &outline(&created))?;
    subject.holds(promise, &key("4"), Some(b"4")).await?;
    subject.holds(promise, &key("2"), Some(b"2")).await?;
    subject.holds(promise, &key("5"), None).await
}

async fn updated(subject: &Subject) -> Result<(), ContractViolation> {
    let key = subject.key("updated.json");
    let promise = "`update` replaces the document that the caller has written";
    let version = subject.create(promise, &key, "1".into()).await?;
    let first = Document::new("1", version);
    let second = match succeeded(promise, subject.store.update(&key, "2".into(), &first).await)? {
        WriteOutcome::Done(version) => Document::new("2", version),
        WriteOutcome::Conflict => return Err(violation(promise, "the update to be done", "it was refused")),
    };
    subject.holds(promise, &key, Some(b"2")).await?;

    let promise = "`update` replaces the document that the caller has read";
    let Some(read) = subject.get(promise, &key).await? else {
        return Err(violation(promise, "a document", "none"));
    };
    match succeeded(promise, subject.store.update(&key, "3".into(), &read).await)? {
        WriteOutcome::Done(_) => subject.holds(promise, &key, Some(b"3")).await?,
        WriteOutcome::Conflict => return Err(violation(promise, "the update to be done", "it was refused")),
    }

    let promise = "`update` returns `Conflict` once the document has changed, and does not change it";
    for known in [&first, &second, &read] {
        refused(promise, subject.store.update(&key, "4".into(), known).await)?;
        subject.holds(promise, &key, Some(b"3")).await?;
    }
    Ok(())
}

async fn deleted(subject: &Subject) -> Result<(), ContractViolation> {
    let key = subject.key("deleted.json");
    let promise = "`delete` removes a document for every later `get` and `list`";
    let version = subject.create(promise, &key, "gone".into()).await?;
    succeeded(promise, subject.store.delete(&key).await)?;
    subject.holds(promise, &key, None).await?;
    let listed = succeeded(promise, subject.store.list(&subject.folder).await)?;
    equal(promise, &false, &listed.contains(&key))?;
    succeeded(promise, subject.store.delete(&key).await)?;
    let promise = "`update` returns `Conflict` once the document is deleted, and does not create it";
    let known = Document::new("gone", version);
    refused(promise, subject.store.update(&key, "back".into(), &known).await)?;
    subject.holds(promise, &key, None).await?;
    let promise = "`create` writes a document again after it was deleted";
    subject.create(promise, &key, "new".into()).await?;
    subject.holds(promise, &key, Some(b"new")).await
}

async fn recreated(subject: &Subject) -> Result<(), ContractViolation> {
    let promise = "a version is never reused for a key, not even after a deletion: `update` of an earlier document returns `Conflict`";
    let key = subject.key("recreated.json");
    let mut earlier: Vec<Document> = Vec::new();
    for generation in 0..3 {
        for revision in 0..3 {
            let content = Bytes::from(format!("{generation}.{revision}"));
            let written = match earlier.last() {
                Some(known) if revision > 0 => subject.store.update(&key, content.clone(), known).await,
                _ => subject.store.create(&key, content.clone()).await,
            };
            let WriteOutcome::Done(version) = succeeded(promise, written)? else {
                return Err(violation(promise, "the write of a document that is known to be done", "it was refused"));
            };
            for known in &earlier {
                refused(promise, subject.store.update(&key, "stale".into(), known).await)?;
            }
            subject.holds(promise, &key, Some(&content)).await?;
            earlier.push(Document::new(content, version));
        }
        succeeded(promise, subject.store.delete(&key).await)?;
    }
    Ok(())
}

fn refused(promise: &'static str, written: Result<WriteOutcome, StoreError>) -> Result<(), ContractViolation> {
    equal(promise, &WriteOutcome::Conflict, &succeeded(promise, written)?)
}
