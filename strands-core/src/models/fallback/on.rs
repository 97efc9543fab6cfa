//! Which errors of a model make the next one answer.

use crate::models::ModelErrorKind;

/// Which kinds of error make a [`Fallback`](super::Fallback) ask its next model.
///
/// The default are those that lie with the provider and not with the request: [`Throttled`], [`Overloaded`],
/// [`Unreachable`], [`Transport`], [`Timeout`], [`MalformedOutput`], [`Authentication`] (a key that has expired is of no
/// concern to the other model) and [`Protocol`]. A request that is invalid, filtered or answered at too great a length is so with the next model, too,
/// or should be seen by somebody. [`ContextOverflow`] needs no entry: see [`Fallback`](super::Fallback#what-counts).
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
    /// What lies with the provider.
    pub const fn new() -> Self {
        Self::nothing()
            .with(ModelErrorKind::Throttled)
            .with(ModelErrorKind::Overloaded)
            .with(ModelErrorKind::Unreachable)
            .with(ModelErrorKind::Transport)
            .with(ModelErrorKind::MalformedOutput)
            .with(ModelErrorKind::Timeout)
            .with(ModelErrorKind::Authentication)
            .with(ModelErrorKind::Protocol)
    }

    /// No error at all: for a [`Fallback::when`](super::Fallback::when) that decides alone.
    pub const fn nothing() -> Self {
        Self { kinds: 0 }
    }

    /// And this kind.
    #[must_use]
    pub const fn with(mut self, kind: ModelErrorKind) -> Self {
        self.kinds |= Self::bit(kind);
        self
    }

    /// But not this kind.
    #[must_use]
    pub const fn without(mut self, kind: ModelErrorKind) -> Self {
        self.kinds &= !Self::bit(kind);
        self
    }

    /// True when this kind makes the next model answer.
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
