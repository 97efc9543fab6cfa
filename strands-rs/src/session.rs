//! Conversations that outlive the process: the trait of a session manager, and stores, one feature each.
//!
//! | feature | adds |
//! |---|---|
//! | `session` | `FileSessionManager`, `StoreSessionManager`, `SnapshotSessionManager`, `DocumentStore` |
//! | `s3` | `S3SessionManager` |

#[doc(inline)]
pub use strands_core::session::*;

// Each by its name and behind its feature, so that the compiler names the feature that is off.
#[cfg(all(feature = "contract", feature = "session"))]
#[doc(inline)]
pub use strands_session::contract;
#[cfg(feature = "session")]
#[doc(inline)]
pub use strands_session::{
    Document, DocumentStore, FileSessionManager, FileSessionManagerBuilder, FileStore, ObjectDocumentStore, SaveOn,
    SessionContent, SessionStore, SnapshotSessionManager, StoreError, StoreSessionManager, Version, Written,
};
#[cfg(feature = "s3")]
#[doc(inline)]
pub use strands_session::{HttpsConnector, S3SessionManager, S3SessionManagerBuilder};
#[cfg(feature = "session")]
#[doc(no_inline)]
pub use strands_session::{bytes, object_store};
