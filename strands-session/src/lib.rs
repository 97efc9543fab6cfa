//! Session stores of strands-rs: conversations in local files, in S3, in any other object store, and in databases.
//!
//! Layout and JSON are those of Strands, so sessions move between languages in both directions. On top of that, writes
//! are conditional and durable: two workers on one session get a
//! [`Conflict`](strands_core::session::SessionError::Conflict) instead of writing over each other, and a crash loses at
//! most what was being written.
//!
//! Everything is stored as documents in a [`DocumentStore`], a trait with five required methods: implement it to store
//! sessions in a database.
//!
//! | feature | adds |
//! |---|---|
//! | (none) | [`FileSessionManager`], [`StoreSessionManager`] and [`SnapshotSessionManager`], with files, the stores of `object_store` that need no network, and any [`DocumentStore`] |
//! | `s3` | `S3SessionManager`: Amazon S3 and compatible services, with the credentials of the AWS SDK |
//! | `contract` | `contract`: a test suite for implementations of [`DocumentStore`] |
//! | `gcs`, `azure` | `object_store`'s builders for Google Cloud Storage and Azure Blob Storage, to be used with `HttpsConnector` |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod content_store;
#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "s3")]
mod credentials;
mod document_store;
mod documents;
#[cfg(feature = "tls")]
mod https;
mod id_validation;
mod key_layout;
mod key_validation;
mod manager;
mod multi_agents;
mod open_interrupts;
#[cfg(feature = "s3")]
mod s3;
mod session;
mod session_document;
mod snapshots;
mod storage;
mod store;
mod stored_agent;
mod stored_sessions;
mod stores;
mod tracked_document;

pub use content_store::SessionContentStore;
pub use document_store::{CreatedBatch, Document, DocumentStore, NewDocument, StoreError, Version, WriteOutcome};
#[cfg(feature = "tls")]
pub use https::HttpsConnector;
pub use manager::{FileSessionManager, FileSessionManagerBuilder, StoreSessionManager};
pub use multi_agents::OpenRun;
pub use open_interrupts::OpenInterrupts;
#[cfg(feature = "s3")]
pub use s3::{S3ObjectStoreBuilder, S3SessionManager, S3SessionManagerBuilder};
pub use snapshots::{SaveOn, SnapshotSessionManager};
pub use store::SessionStore;
pub use stored_agent::StoredAgent;
pub use stores::{FileStore, ObjectDocumentStore};

// Crates that public signatures name.
#[doc(no_inline)]
pub use {bytes, object_store};
