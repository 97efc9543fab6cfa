//! Session stores of strands-rs: conversations in local files, in S3, and in any other object store.
//!
//! Layout and JSON are those of Strands, so sessions move between languages in both directions. On top of that, writes
//! are conditional and durable: two workers on one session get a
//! [`Conflict`](strands_core::session::SessionError::Conflict) instead of writing over each other, and a crash loses at
//! most the message that was being written.
//!
//! | feature | what it adds |
//! |---|---|
//! | (none) | [`FileSessionManager`], [`ObjectStoreSessionManager`] and [`SnapshotSessionManager`] with the stores of `object_store` that need no network |
//! | `s3` | `S3SessionManager`: Amazon S3 and what speaks its protocol, with the credentials of the AWS SDK |
//! | `gcs`, `azure` | `object_store`'s builders for Google Cloud Storage and Azure Blob Storage, to be used with `HttpsConnector` |

mod content;
#[cfg(feature = "s3")]
mod credentials;
mod documents;
#[cfg(feature = "tls")]
mod https;
mod id;
mod layout;
mod manager;
#[cfg(feature = "s3")]
mod s3;
mod session;
mod slot;
mod snapshots;
mod storage;
mod store;

pub use content::SessionContent;
#[cfg(feature = "tls")]
pub use https::HttpsConnector;
pub use manager::{FileSessionManager, FileSessionManagerBuilder, ObjectStoreSessionManager};
pub use object_store;
#[cfg(feature = "s3")]
pub use s3::{S3SessionManager, S3SessionManagerBuilder};
pub use snapshots::{SaveOn, SnapshotSessionManager};
pub use store::SessionStore;
