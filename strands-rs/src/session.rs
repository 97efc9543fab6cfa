//! Sessions: persisted conversations. The session manager traits, and session managers by cargo feature.
//!
//! | feature | adds |
//! |---|---|
//! | `session` | `FileSessionManager`, `StoreSessionManager`, `SnapshotSessionManager`, `DocumentStore` |
//! | `s3` | `S3SessionManager`, `S3ObjectStoreBuilder` |

#[doc(inline)]
pub use strands_core::session::*;

// Re-exported by name, so that the compiler suggests the feature of a missing item.
#[cfg(all(feature = "contract", feature = "session"))]
#[doc(inline)]
pub use strands_session::contract;
#[cfg(feature = "session")]
#[doc(inline)]
pub use strands_session::{
    CreatedBatch, Document, DocumentStore, FileSessionManager, FileSessionManagerBuilder, FileStore, NewDocument,
    ObjectDocumentStore, OpenInterrupts, OpenRun, SaveOn, SessionContentStore, SessionStore, SnapshotSessionManager,
    StoreError, StoreSessionManager, StoredAgent, Version, WriteOutcome,
};
#[cfg(feature = "s3")]
#[doc(inline)]
pub use strands_session::{HttpsConnector, S3ObjectStoreBuilder, S3SessionManager, S3SessionManagerBuilder};
#[cfg(feature = "session")]
#[doc(no_inline)]
pub use strands_session::{bytes, object_store};
