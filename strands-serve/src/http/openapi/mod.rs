//! OpenAPI 3.1 description of the router, made from the types of bodies and from the operations that make the router.

mod document;
mod operation;

pub(super) use document::document;
pub(super) use operation::Operation;
