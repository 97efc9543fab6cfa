//! The server against clients that misbehave, over loopback, and its shutdown.

#[cfg(feature = "tls")]
mod certificates;
mod limits;
mod malformed;
mod rig;
mod shutdown;
mod slow;
