//! Push notifications: their targets, and their delivery.

mod addresses;
mod delivery;
mod lanes;
mod targets;

pub(super) use delivery::Push;
pub use targets::PushTargets;
