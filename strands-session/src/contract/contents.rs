//! Checks of keys and contents: all valid characters of a key, and documents of all sizes.

use bytes::Bytes;

use super::{ContractViolation, Subject, equal, succeeded, violation};
use crate::document_store::{Document, WriteOutcome};

const BIG: usize = 4 * 1024 * 1024;

pub(super) async fn check(subject: &Subject) -> Result<(), ContractViolation> {
    keys(subject).await?;
    without_folder(subject).await?;
    contents(subject).await?;
    many(subject).await
}

async fn keys(subject: &Subject) -> Result<(), ContractViolation> {
    let promise = "a key has one or more segments of `A-Z a-z 0-9 . _ -`, up to 200 bytes each and 512 in all";
    let lower: String = ('a'..='z').chain('0'..='9').collect();
    let upper: String = ('A'..='Z').collect();
    let long = "x".repeat(200);
    let longest = format!("{long}/{long}/");
    let rest = "y".repeat(512 - subject.folder.len() - "/keys/".len() - longest.len());
    let names = [
        lower.clone(),
        format!("{upper}.{lower}_-"),
        "a.b..c".to_owned(),
        "-".to_owned(),
        "_".to_owned(),
        "0".to_owned(),
        "a-b_c.d/e-f_g.h/i".to_owned(),
        format!("{longest}{rest}"),
    ];
    for name in &names {
        let key = subject.key(&format!("keys/{name}"));
        let version = subject.create(promise, &key, name.clone().into()).await?;
        let known = Document::new(name.clone(), version);
        let updated = succeeded(promise, subject.store.update(&key, format!("{name}!").into(), &known).await)?;
        equal(promise, &true, &matches!(updated, WriteOutcome::Done(_)))?;
    }
    for name in &names {
        let key = subject.key(&format!("keys/{name}"));
        subject.holds(promise, &key, Some(format!("{name}!").as_bytes())).await?;
    }
    let mut expected: Vec<String> = names.iter().map(|name| subject.key(&format!("keys/{name}"))).collect();
    let mut listed = succeeded(promise, subject.store.list(&subject.key("keys")).await)?;
    expected.sort_unstable();
    listed.sort_unstable();
    equal(promise, &expected, &listed)
}

async fn without_folder(subject: &Subject) -> Result<(), ContractViolation> {
    let promise = "a document whose key has one segment is created, updated, listed and deleted like any other";
    let key = subject.single_segment_key();
    let version = subject.create(promise, &key, "1".into()).await?;
    subject.holds(promise, &key, Some(b"1")).await?;
    let updated = succeeded(promise, subject.store.update(&key, "2".into(), &Document::new("1", version)).await)?;
    equal(promise, &true, &matches!(updated, WriteOutcome::Done(_)))?;
    subject.holds(promise, &key, Some(b"2")).await?;
    let listed = succeeded(promise, subject.store.list("").await)?;
    equal(promise, &1, &listed.iter().filter(|listed| **listed == key).count())?;
    let folders = succeeded(promise, subject.store.folders("").await)?;
    equal(promise, &false, &folders.contains(&key))?;
    succeeded(promise, subject.store.delete(&key).await)?;
    subject.holds(promise, &key, None).await
}

async fn contents(subject: &Subject) -> Result<(), ContractViolation> {
    let promise = "a document is read as it was written";
    let binary: Vec<u8> = (0..=u8::MAX).collect();
    let big: Vec<u8> = (0..=u8::MAX).cycle().take(BIG).collect();
    for (name, content) in [("empty", Vec::new()), ("binary", binary), ("big", big)] {
        let key = subject.key(&format!("contents/{name}"));
        let content = Bytes::from(content);
        let version = subject.create(promise, &key, content.clone()).await?;
        subject.holds(promise, &key, Some(&content)).await?;
        let longer: Bytes = [content.as_ref(), b"."].concat().into();
        let known = Document::new(content, version);
        match succeeded(promise, subject.store.update(&key, longer.clone(), &known).await)? {
            WriteOutcome::Done(_) => subject.holds(promise, &key, Some(&longer)).await?,
            WriteOutcome::Conflict => return Err(violation(promise, "the update to be done", "it was refused")),
        }
    }
    Ok(())
}

async fn many(subject: &Subject) -> Result<(), ContractViolation> {
    let promise = "`get_many` returns the documents in the order of the keys, and `None` for a missing document";
    for name in ["a", "b", "c"] {
        subject.create(promise, &subject.key(&format!("many/{name}")), name.into()).await?;
    }
    let names = ["c", "absent", "a", "b", "a"];
    let keys = names.iter().map(|name| subject.key(&format!("many/{name}"))).collect();
    let found = succeeded(promise, subject.store.get_many(keys).await)?;
    let found: Vec<Option<Bytes>> = found.into_iter().map(|found| Some(found?.content)).collect();
    let expected = names.map(|name| (name != "absent").then(|| Bytes::from(name)));
    equal(promise, &expected.to_vec(), &found)?;
    equal(promise, &0, &succeeded(promise, subject.store.get_many(Vec::new()).await)?.len())
}
