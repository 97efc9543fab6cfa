//! Document stores of this crate: local files and object stores.

mod deletion;
mod durable_files;
mod files;
mod folder;
mod lock_wait;
mod objects;

pub use files::FileStore;
pub use objects::ObjectDocumentStore;
