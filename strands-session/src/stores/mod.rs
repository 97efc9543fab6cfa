//! Document stores of this crate: local files and object stores.

mod deletion;
mod durable;
mod files;
mod folder;
mod objects;
mod waiting;

pub use files::FileStore;
pub use objects::ObjectDocumentStore;
