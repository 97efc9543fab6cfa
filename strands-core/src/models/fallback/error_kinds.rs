//! Set of error kinds that trigger a fallback.

use crate::models::ModelErrorKind;

/// Set of the error kinds that make a [`Fallback`](super::Fallback) try its next model.
///
/// The default contains the kinds that depend on the provider: [`Throttled`], [`Overloaded`], [`Unreachable`],
/// [`Transport`], [`Timeout`], [`MalformedOutput`], [`Authentication`] (an expired key does not affect the other model) and
/// [`Protocol`]. Invalid and filtered requests, and responses that are too large, are likely to fail with the next model,
/// too. [`ContextOverflow`] needs no entry: see [`Fallback`](super::Fallback#errors-that-trigger-the-fallback).
///
/// ```
/// use strands::models::{FallbackOn, ModelErrorKind};
///
/// const OURS: FallbackOn =
///     FallbackOn::new().with(ModelErrorKind::ContentFiltered).without(ModelErrorKind::Authentication);
/// assert!(OURS.contains(ModelErrorKind::Throttled) && !OURS.contains(ModelErrorKind::Authentication));
/// ```
///
/// [`Throttled`]: ModelErrorKind::Throttled
/// [`Overloaded`]: ModelErrorKind::Overloaded
/// [`Unreachable`]: ModelErrorKind::Unreachable
/// [`Transport`]: ModelErrorKind::Transport
/// [`MalformedOutput`]: ModelErrorKind::MalformedOutput
/// [`Timeout`]: ModelErrorKind::Timeout
/// [`Authentication`]: ModelErrorKind::Authentication
/// [`Protocol`]: ModelErrorKind::Protocol
/// [`ContextOverflow`]: ModelErrorKind::ContextOverflow
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FallbackOn {
    /// A bit for each kind.
    kinds: u16,
}

impl FallbackOn {
    /// Creates the default set: the kinds that depend on the provider.
    pub const fn new() -> Self {
        Self::empty()
            .with(ModelErrorKind::Throttled)
            .with(ModelErrorKind::Overloaded)
            .with(ModelErrorKind::Unreachable)
            .with(ModelErrorKind::Transport)
            .with(ModelErrorKind::MalformedOutput)
            .with(ModelErrorKind::Timeout)
            .with(ModelErrorKind::Authentication)
            .with(ModelErrorKind::Protocol)
    }

    /// Creates an empty set, for a program that decides only by [`Fallback::when`](super::Fallback::when).
    pub const fn empty() -> Self {
        Self { kinds: 0 }
    }

    /// Adds a kind.
    #[must_use]
    pub const fn with(mut self, kind: ModelErrorKind) -> Self {
        self.kinds |= Self::bit(kind);
        self
    }

    /// Removes a kind.
    #[must_use]
    pub const fn without(mut self, kind: ModelErrorKind) -> Self {
        self.kinds &= !Self::bit(kind);
        self
    }

    /// Returns true if this kind triggers the fallback.
    pub const fn contains(self, kind: ModelErrorKind) -> bool {
        self.kinds & Self::bit(kind) != 0
    }

    const fn bit(kind: ModelErrorKind) -> u16 {
        1 << kind as u16
    }
}

impl Default for FallbackOn {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for FallbackOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use ModelErrorKind::{
            Authentication, ContentFiltered, ContextOverflow, InvalidRequest, MalformedOutput, Overloaded, Protocol,
            ResponseTooLarge, Throttled, Timeout, Transport, Unreachable,
        };
        let all = [
            Throttled,
            Overloaded,
            Unreachable,
            Transport,
            MalformedOutput,
            Timeout,
            ContextOverflow,
            Authentication,
            InvalidRequest,
            ContentFiltered,
            ResponseTooLarge,
            Protocol,
        ];
        f.debug_set().entries(all.into_iter().filter(|kind| self.contains(*kind))).finish()
    }
}
