//! Locks of the file store: other file types at their path, keys without a folder, and runtimes without timers.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use strands_session::{Document, DocumentStore, FileStore, StoreError, Version, WriteOutcome};

const KEY: &str = "session_s/x";

async fn known(store: &FileStore, key: &str) -> Document {
    store.get(key).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejects_a_lock_that_is_not_a_regular_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path());
    store.create(KEY, "1".into()).await.unwrap();
    let known = known(&store, KEY).await;
    let lock = folder.path().join("session_s/.strands.lock");
    let pipe = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let folder = |path: &Path| fs::create_dir(path).unwrap();
    let socket = |path: &Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    let make: [&dyn Fn(&Path); 3] = [&pipe, &folder, &socket];
    for make in make {
        make(&lock);
        let updated = tokio::time::timeout(Duration::from_secs(3), store.update(KEY, "2".into(), &known)).await;
        // Unblocks a thread that waits for the pipe.
        let _ = File::options().read(true).write(true).open(&lock);
        let error = updated.expect("it hangs").unwrap_err().to_string();
        assert!(error.contains(".strands.lock is not a regular file"), "{error}");
        if lock.is_dir() { fs::remove_dir(&lock).unwrap() } else { fs::remove_file(&lock).unwrap() }
    }
    assert!(matches!(store.update(KEY, "2".into(), &known).await.unwrap(), WriteOutcome::Done(_)));
}

#[tokio::test]
async fn updates_and_deletes_documents_outside_of_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path());
    for key in ["plain", "session/x", "other/x"] {
        assert!(matches!(store.create(key, "1".into()).await.unwrap(), WriteOutcome::Done(_)), "{key}");
        let first = known(&store, key).await;
        assert!(matches!(store.update(key, "2".into(), &first).await.unwrap(), WriteOutcome::Done(_)), "{key}");
        assert_eq!(store.update(key, "3".into(), &first).await.unwrap(), WriteOutcome::Conflict, "{key}");
        assert_eq!(store.list("").await.unwrap(), [key]);
        store.delete(key).await.unwrap();
        assert_eq!(store.get(key).await.unwrap(), None, "{key}");
    }
}

#[tokio::test]
async fn ignores_updates_and_deletions_in_a_missing_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("absent"));
    let known = Document::new("1", Version::content());
    for key in ["plain", KEY, "session/s/x"] {
        assert_eq!(store.update(key, "2".into(), &known).await.unwrap(), WriteOutcome::Conflict, "{key}");
        store.delete(key).await.unwrap();
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Holds the lock while an update waits for it, on a runtime without timers.
fn update_without_timers(timeout: Duration, held_for: Duration) -> (Result<WriteOutcome, StoreError>, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = FileStore::new(folder.path()).lock_timeout(timeout);
    runtime.block_on(async {
        store.create(KEY, "1".into()).await.unwrap();
        let known = known(&store, KEY).await;
        let lock = File::create(folder.path().join("session_s/.strands.lock")).unwrap();
        lock.lock().unwrap();
        let holder = std::thread::spawn(move || {
            std::thread::sleep(held_for);
            drop(lock);
        });
        let begun = Instant::now();
        let updated = store.update(KEY, "2".into(), &known).await;
        let elapsed = begun.elapsed();
        holder.join().unwrap();
        (updated, elapsed)
    })
}

#[test]
fn waits_for_a_lock_without_timers() {
    let (updated, elapsed) = update_without_timers(Duration::from_secs(20), Duration::from_millis(300));
    assert!(matches!(updated.unwrap(), WriteOutcome::Done(_)));
    assert!(elapsed >= Duration::from_millis(250), "{elapsed:?}");
}

#[test]
fn applies_the_lock_timeout_without_timers() {
    let (updated, elapsed) = update_without_timers(Duration::from_millis(200), Duration::from_millis(1_500));
    let error = updated.unwrap_err().to_string();
    assert!(error.contains("no lock on") && error.contains("another task of this process"), "{error}");
    assert!((Duration::from_millis(200)..Duration::from_millis(1_400)).contains(&elapsed), "{elapsed:?}");
}

#[test]
fn returns_an_error_without_a_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path());
    let mut get = store.get(KEY);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let polled = get.as_mut().poll(&mut context);
    assert!(matches!(polled, std::task::Poll::Ready(Err(_))), "{polled:?}");
}
