//! Deletions of sessions that are concurrent with others or interrupted.

use std::fmt;
use std::fs;
use std::sync::Arc;

use crate::support::{batch, open};
use futures_util::stream::{BoxStream, StreamExt as _};
use strands_core::session::SessionError;
use strands_session::object_store::memory::InMemory;
use strands_session::object_store::path::Path;
use strands_session::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use strands_session::{DocumentStore as _, FileStore, ObjectDocumentStore, SessionStore};

/// An object store in which another worker deletes the first object of each bulk deletion before it starts, with the errors
/// of Google Cloud Storage and Azure.
#[derive(Debug)]
struct Disturbed {
    inner: Arc<InMemory>,
    ends_at_errors: bool,
}

impl fmt::Display for Disturbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("disturbed")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Disturbed {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let inner = Arc::clone(&self.inner);
        let deleted = paths.enumerate().then(move |(index, path)| {
            let inner = Arc::clone(&inner);
            async move {
                let path = path?;
                inner.delete(&path).await?;
                match index {
                    0 => Err(Error::NotFound { path: path.to_string(), source: "gone".into() }),
                    _ => Ok(path),
                }
            }
        });
        if self.ends_at_errors { deleted.take(1).boxed() } else { deleted.boxed() }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn continues_a_deletion_after_a_missing_object() {
    for ends_at_errors in [false, true] {
        let store = Disturbed { inner: Arc::default(), ends_at_errors };
        let documents = ObjectDocumentStore::new(Arc::new(store), "p").unwrap();
        let sessions = SessionStore::new(documents.clone());
        open(&sessions, "s", "main").await.session.write(&batch(&["a", "b", "c", "d"])).await.unwrap();
        open(&sessions, "t", "main").await.session.write(&batch(&["a"])).await.unwrap();
        sessions.delete("s").await.unwrap();
        assert_eq!(documents.list("session_s").await.unwrap(), Vec::<String>::new(), "{ends_at_errors}");
        assert_eq!(sessions.list().await.unwrap(), ["t"]);
    }
}

/// Creates a session whose deletion was interrupted after the rename.
async fn interrupted(root: &std::path::Path) -> SessionStore {
    let sessions = SessionStore::new(FileStore::new(root));
    for session in ["s", "t"] {
        open(&sessions, session, "main").await.session.write(&batch(&["secret"])).await.unwrap();
    }
    fs::rename(root.join("session_s"), root.join(".strands_deleted_0123456789abcdef_session_s")).unwrap();
    sessions
}

fn names(root: &std::path::Path) -> Vec<String> {
    fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn repeats_an_interrupted_deletion() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = interrupted(folder.path()).await;
    sessions.delete("s").await.unwrap();
    assert_eq!(names(folder.path()), ["session_t"]);
    let error = sessions.delete("s").await.unwrap_err();
    assert!(matches!(error, SessionError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn completes_an_interrupted_deletion_with_the_next_list_or_delete() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = interrupted(folder.path()).await;
    assert_eq!(sessions.list().await.unwrap(), ["t"]);
    assert_eq!(names(folder.path()), ["session_t"]);

    let folder = tempfile::tempdir().unwrap();
    let sessions = interrupted(folder.path()).await;
    sessions.delete("t").await.unwrap();
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

/// Several workers delete one session concurrently: it is deleted, and none of them gets an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deletes_a_folder_from_concurrent_workers() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        for number in 0..100 {
            store.create(&format!("session_s/{number}/x"), "x".into()).await.unwrap();
        }
        let workers: Vec<_> = (0..6)
            .map(|worker| {
                let store = store.clone();
                tokio::spawn(async move {
                    match worker % 2 {
                        0 => store.delete_all("session_s", "").await,
                        _ => store.folders("").await.map(|_| false),
                    }
                })
            })
            .collect();
        let mut found = false;
        for worker in workers {
            found |= worker.await.unwrap().unwrap();
        }
        assert!(found);
        store.list("").await.unwrap();
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}

#[tokio::test]
async fn does_not_treat_a_document_as_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path());
    store.create("a/x", "1".into()).await.unwrap();
    assert!(!store.delete_all("a/x", "").await.unwrap());
    assert_eq!(store.get("a/x").await.unwrap().unwrap().content, "1");
}
