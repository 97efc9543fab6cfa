//! Checks of single writers: create, update, delete, and what is there afterwards.

use bytes::Bytes;

use super::{ContractViolation, Subject, answered, equal, violation};
use crate::document_store::{Document, StoreError, Written};

pub(super) async fn check(subject: &Subject) -> Result<(), ContractViolation> {
    absent(subject).await?;
    created(subject).await?;
    updated(subject).await?;
    deleted(subject).await?;
    recreated(subject).await
}

async fn absent(subject: &Subject) -> Result<(), ContractViolation> {
    let key = subject.key("absent/document.json");
    subject.holds("`get` of a document that is not there returns none", &key, None).await?;
    let promise = "`exists` is false for a document that is not there";
    equal(promise, &false, &answered(promise, subject.store.exists(&key).await)?)?;
    let promise = "deleting a document that is not there succeeds";
    answered(promise, subject.store.delete(&key).await)?;
    let promise = "`list` of a folder without documents is empty";
    equal(promise, &Vec::new(), &answered(promise, subject.store.list(&subject.key("absent")).await)?)?;
    let promise = "`delete_all` of a folder without documents returns false";
    equal(promise, &false, &answered(promise, subject.store.delete_all(&subject.key("absent"), "").await)?)
}

async fn created(subject: &Subject) -> Result<(), ContractViolation> {
    let key = subject.key("created.json");
    let promise = "`create` writes a document that every later `get` sees";
    subject.create(promise, &key, "first".into()).await?;
    subject.holds(promise, &key, Some(b"first")).await?;
    let promise = "`exists` is true for a document that is there";
    equal(promise, &true, &answered(promise, subject.store.exists(&key).await)?)?;
    let promise = "`create` is refused where a document is, and leaves it as it is";
    for content in ["second", "first"] {
        refused(promise, subject.store.create(&key, content.into()).await)?;
        subject.holds(promise, &key, Some(b"first")).await?;
    }
    Ok(())
}

async fn updated(subject: &Subject) -> Result<(), ContractViolation> {
    let key = subject.key("updated.json");
    let promise = "`update` writes over the document that the caller has written";
    let version = subject.create(promise, &key, "1".into()).await?;
    let first = Document::new("1", version);
    let second = match answered(promise, subject.store.update(&key, "2".into(), &first).await)? {
        Written::Done(version) => Document::new("2", version),
        Written::Refused => return Err(violation(promise, "the update to be done", "it was refused")),
    };
    subject.holds(promise, &key, Some(b"2")).await?;

    let promise = "`update` writes over the document that the caller has read";
    let Some(read) = subject.get(promise, &key).await? else {
        return Err(violation(promise, "a document", "none"));
    };
    match answered(promise, subject.store.update(&key, "3".into(), &read).await)? {
        Written::Done(_) => subject.holds(promise, &key, Some(b"3")).await?,
        Written::Refused => return Err(violation(promise, "the update to be done", "it was refused")),
    }

    let promise = "`update` is refused once the document has changed, and leaves it as it is";
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
    answered(promise, subject.store.delete(&key).await)?;
    subject.holds(promise, &key, None).await?;
    let listed = answered(promise, subject.store.list(&subject.folder).await)?;
    equal(promise, &false, &listed.contains(&key))?;
    answered(promise, subject.store.delete(&key).await)?;
    let promise = "`update` is refused once the document is deleted, and does not bring it back";
    let known = Document::new("gone", version);
    refused(promise, subject.store.update(&key, "back".into(), &known).await)?;
    subject.holds(promise, &key, None).await?;
    let promise = "`create` writes a document again after it was deleted";
    subject.create(promise, &key, "new".into()).await?;
    subject.holds(promise, &key, Some(b"new")).await
}

async fn recreated(subject: &Subject) -> Result<(), ContractViolation> {
    let promise =
        "a version never returns for a key, not even after a deletion: `update` of an earlier document is refused";
    let key = subject.key("recreated.json");
    let mut earlier: Vec<Document> = Vec::new();
    for generation in 0..3 {
        for revision in 0..3 {
            let content = Bytes::from(format!("{generation}.{revision}"));
            let written = match earlier.last() {
                Some(known) if revision > 0 => subject.store.update(&key, content.clone(), known).await,
                _ => subject.store.create(&key, content.clone()).await,
            };
            let Written::Done(version) = answered(promise, written)? else {
                return Err(violation(promise, "the write of a document that is known to be done", "it was refused"));
            };
            for known in &earlier {
                refused(promise, subject.store.update(&key, "stale".into(), known).await)?;
            }
            subject.holds(promise, &key, Some(&content)).await?;
            earlier.push(Document::new(content, version));
        }
        answered(promise, subject.store.delete(&key).await)?;
    }
    Ok(())
}

fn refused(promise: &'static str, written: Result<Written, StoreError>) -> Result<(), ContractViolation> {
    equal(promise, &Written::Refused, &answered(promise, written)?)
}
