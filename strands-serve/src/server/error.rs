//! Errors of listening.

use std::io;
use std::net::SocketAddr;

/// An error of a [`Server`](super::Server).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The text is not an address, or its host name has no address.
    #[error("invalid address `{address}`: expected a host and a port, such as `127.0.0.1:8080`")]
    Address {
        /// The address as it was given.
        address: String,
        /// The error of the name service.
        source: io::Error,
    },
    /// Another program listens on this address.
    #[error(
        "{address} is in use; end the program that listens on it, or choose another port (port 0 picks a free one)"
    )]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The operating system does not allow this program to listen on the address.
    #[error("not allowed to listen on {address}; ports below 1024 may need privileges")]
    NotAllowed {
        /// The address.
        address: SocketAddr,
    },
    /// Listening failed for another reason, for example because no interface has the address.
    #[error("can't listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The signals that stop the server can't be received.
    #[error("signals can't be received")]
    Signals {
        /// The error of the operating system.
        source: io::Error,
    },
}

strands_core::__debug_with_sources!(ServerError);

impl ServerError {
    pub(super) fn listen(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { address },
            io::ErrorKind::PermissionDenied => Self::NotAllowed { address },
            _ => Self::Listen { address, source },
        }
    }
}
