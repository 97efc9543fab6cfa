//! Checks of listings: folders with similar names, and more documents than the page size of most services.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{ContractViolation, Subject, equal, succeeded};

/// One more than the page size of S3.
const MANY: usize = 1_001;
const AT_ONCE: usize = 32;

pub(super) async fn check(subject: &Subject) -> Result<(), ContractViolation> {
    folders(subject).await?;
    pages(subject).await?;
    delete_all(subject).await
}

async fn list(subject: &Subject, promise: &'static str, folder: &str) -> Result<Vec<String>, ContractViolation> {
    let mut listed = succeeded(promise, subject.store.list(folder).await)?;
    listed.sort_unstable();
    Ok(listed)
}

async fn folders(subject: &Subject) -> Result<(), ContractViolation> {
    let promise = "`list` returns the keys of all documents below a folder, at any depth, and no others";
    let keys = |names: &[&str]| names.iter().map(|name| subject.key(&format!("tree/{name}"))).collect::<Vec<_>>();
    let names = ["a-b/1", "a.b/1", "a/1", "a/10", "a/2", "a/b/1", "a/b/c/1", "a1/1", "ab", "b/a/1"];
    for key in keys(&names) {
        subject.create(promise, &key, "x".into()).await?;
    }
    for (folder, expected) in [
        ("tree", keys(&names)),
        ("tree/a", keys(&["a/1", "a/10", "a/2", "a/b/1", "a/b/c/1"])),
        ("tree/a/b", keys(&["a/b/1", "a/b/c/1"])),
        ("tree/b", keys(&["b/a/1"])),
        ("tree/c", Vec::new()),
        ("tree/a/b/c/1", Vec::new()),
    ] {
        equal(promise, &expected, &list(subject, promise, &subject.key(folder)).await?)?;
    }
    let below: Vec<String> = succeeded(promise, subject.store.list("").await)?
        .into_iter()
        .filter(|key| key.starts_with(&subject.key("tree/")))
        .collect();
    equal("`list` of the folder `` returns all keys", &names.len(), &below.len())?;

    let promise = "`folders` returns the names of the folders directly in a folder";
    for (folder, expected) in
        [("tree", vec!["a", "a-b", "a.b", "a1", "b"]), ("tree/a", vec!["b"]), ("tree/c", Vec::new())]
    {
        let mut found = succeeded(promise, subject.store.folders(&subject.key(folder)).await)?;
        found.sort_unstable();
        equal(promise, &expected, &found.iter().map(String::as_str).collect())?;
    }
    let top = succeeded(promise, subject.store.folders("").await)?;
    equal(promise, &1, &top.iter().filter(|name| **name == subject.folder).count())
}

async fn pages(subject: &Subject) -> Result<(), ContractViolation> {
    let promise = "`list` returns every key once, however many there are";
    let mut expected: Vec<String> = (0..MANY).map(|number| subject.key(&format!("pages/{number}"))).collect();
    let create = |key: String| async move { subject.create(promise, &key, "x".into()).await };
    stream::iter(expected.clone()).map(create).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
    expected.sort_unstable();
    let listed = list(subject, promise, &subject.key("pages")).await?;
    equal(promise, &MANY, &listed.len())?;
    equal(promise, &true, &(listed == expected))
}

async fn delete_all(subject: &Subject) -> Result<(), ContractViolation> {
    let promise = "`delete_all` deletes every document below a folder, and no others";
    let last = subject.key("pages/7");
    equal(promise, &true, &succeeded(promise, subject.store.delete_all(&subject.key("pages"), &last).await)?)?;
    equal(promise, &Vec::new(), &list(subject, promise, &subject.key("pages")).await?)?;
    subject.holds(promise, &last, None).await?;
    equal(promise, &true, &succeeded(promise, subject.store.delete_all(&subject.key("tree/a"), "").await)?)?;
    let left = list(subject, promise, &subject.key("tree")).await?;
    let expected = ["a-b/1", "a.b/1", "a1/1", "ab", "b/a/1"].map(|name| subject.key(&format!("tree/{name}")));
    equal(promise, &expected.to_vec(), &left)?;
    let promise = "a folder can be written to again after it was deleted";
    subject.create(promise, &subject.key("tree/a/1"), "again".into()).await?;
    subject.holds(promise, &subject.key("tree/a/1"), Some(b"again")).await
}
