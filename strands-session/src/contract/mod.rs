//! Contract suite for implementations of [`DocumentStore`].
//!
//! It writes below the folder `contract_` with a random number, and to one document outside of it, and deletes both if
//! all checks pass.
//!
//! ```
//! use std::sync::Arc;
//! use strands::session::object_store::memory::InMemory;
//! use strands::session::{ObjectDocumentStore, contract};
//!
//! # tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap().block_on(async {
//! let store = ObjectDocumentStore::new(Arc::new(InMemory::new()), "")?;
//! contract::check_document_store(store).await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod contents;
mod listings;
mod races;
mod writes;

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;

use crate::document_store::{Document, DocumentStore, StoreError, Version, WriteOutcome};

/// A violation of the contract of [`DocumentStore`] by an implementation.
#[derive(thiserror::Error)]
#[error("the document store violates its contract: {promise}; expected {expected}, observed {observed}")]
#[non_exhaustive]
pub struct ContractViolation {
    /// The violated promise.
    pub promise: &'static str,
    /// The promised outcome.
    pub expected: String,
    /// The actual outcome, or the error.
    pub observed: String,
}

strands_core::__debug_with_sources!(ContractViolation);

/// Checks that a document store satisfies its contract.
///
/// It writes about a thousand small documents and a few large ones. Run it on a multi-threaded runtime, so that writers
/// race.
///
/// # Errors
///
/// Returns [`ContractViolation`] for the first violated promise. The documents of the failed check stay in the store.
pub async fn check_document_store(store: impl DocumentStore + 'static) -> Result<(), ContractViolation> {
    let folder = format!("contract_{:016x}", fastrand::u64(..));
    let subject = Subject { store: Arc::new(store), folder };
    writes::check(&subject).await?;
    contents::check(&subject).await?;
    listings::check(&subject).await?;
    races::check(&subject).await?;
    subject.clean_up().await
}

/// The store under test, and the folder for its documents.
#[derive(Clone)]
struct Subject {
    store: Arc<dyn DocumentStore>,
    folder: String,
}

impl Subject {
    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Returns a key of one segment.
    fn single_segment_key(&self) -> String {
        format!("{}_document", self.folder)
    }

    async fn get(&self, promise: &'static str, key: &str) -> Result<Option<Document>, ContractViolation> {
        succeeded(promise, self.store.get(key).await)
    }

    async fn create(&self, promise: &'static str, key: &str, content: Bytes) -> Result<Version, ContractViolation> {
        match succeeded(promise, self.store.create(key, content).await)? {
            WriteOutcome::Done(version) => Ok(version),
            WriteOutcome::Conflict => {
                Err(violation(promise, "a document to be created where none is", "it was refused"))
            }
        }
    }

    /// Checks the content of a document.
    async fn holds(&self, promise: &'static str, key: &str, expected: Option<&[u8]>) -> Result<(), ContractViolation> {
        let found = self.get(promise, key).await?;
        let found = found.as_ref().map(|document| document.content.as_ref());
        if found == expected {
            return Ok(());
        }
        let shown = |content: Option<&[u8]>| content.map_or_else(|| "none".to_owned(), described);
        Err(violation(promise, format!("a document of {}", shown(expected)), shown(found)))
    }

    async fn clean_up(&self) -> Result<(), ContractViolation> {
        let promise = "`delete_all` deletes every document below a folder";
        succeeded(promise, self.store.delete_all(&self.folder, "").await)?;
        let left = succeeded(promise, self.store.list(&self.folder).await)?;
        equal(promise, &Vec::<String>::new(), &left)
    }
}

/// Describes the content of a document.
fn described(content: &[u8]) -> String {
    if content.len() > 64 {
        format!("{} bytes", content.len())
    } else {
        format!("{:?}", Bytes::copy_from_slice(content))
    }
}

fn succeeded<T>(promise: &'static str, result: Result<T, StoreError>) -> Result<T, ContractViolation> {
    result.map_err(|error| violation(promise, "success", format!("the error `{error}`")))
}

fn equal<T: Debug + PartialEq>(promise: &'static str, expected: &T, found: &T) -> Result<(), ContractViolation> {
    if expected == found {
        return Ok(());
    }
    Err(violation(promise, format!("{expected:?}"), format!("{found:?}")))
}

fn violation(promise: &'static str, expected: impl Into<String>, observed: impl Into<String>) -> ContractViolation {
    ContractViolation { promise, expected: expected.into(), observed: observed.into() }
}

/// Runs futures concurrently, on several threads if the runtime has them.
async fn at_once<T, F>(futures: Vec<F>) -> Result<Vec<T>, ContractViolation>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return Ok(join_all(futures).await) };
    let tasks: Vec<_> = futures.into_iter().map(|future| runtime.spawn(future)).collect();
    let ended: Result<Vec<T>, _> = join_all(tasks).await.into_iter().collect();
    ended.map_err(|error| violation("operations end without a panic", "success", error.to_string()))
}
