//! The usage of a turn elsewhere: the share of the caller's limits that is reserved for it, and what was charged so far.

use strands_core::metrics::Usage;
use strands_core::{Limits, PromptRequest, PromptScope, Reservation};

use super::place::Waiting;

/// Share and charges of a turn.
pub(super) struct Charges {
    /// `None` while the turn waits, and after its end. Dropping it keeps the share reserved, since the turn may use it.
    share: Option<Reservation>,
    /// Usage when the share was reserved.
    reserved_at: (Usage, u32),
    usage: Usage,
    turns: u32,
    unsettled: Option<Limits>,
    /// Limits that the turn has left, from when it waits.
    left: Option<Limits>,
}

impl Charges {
    /// Charges of a turn that is about to start.
    pub(super) fn starting(share: Reservation) -> Self {
        let (usage, turns) = (Usage::default(), 0);
        Self { share: Some(share), reserved_at: (usage, turns), usage, turns, unsettled: None, left: None }
    }

    /// Charges of a turn that waits, or has waited, for responses.
    pub(super) fn resuming(waiting: &Waiting) -> Self {
        let Waiting { usage, turns, unsettled, left, .. } = *waiting;
        Self { share: None, reserved_at: (usage, turns), usage, turns, unsettled, left }
    }

    /// Reserves a share for a turn that goes on: what it has left, or what the caller has left if it is less.
    pub(super) fn reserve(&mut self, scope: &PromptScope, request: &PromptRequest) {
        let share = self.left.map_or_else(|| scope.reserve(request), |left| scope.reserve_at_most(left));
        self.share = Some(share);
        self.reserved_at = (self.usage, self.turns);
    }

    /// Returns the limits of the share.
    pub(super) fn limits(&self) -> Option<Limits> {
        let limits = self.share.as_ref().map(Reservation::limits);
        limits.filter(|limits| *limits != Limits::unlimited())
    }

    /// Replaces the share by that which an earlier request has reserved.
    pub(super) fn replace(&mut self, granted: Limits) {
        self.share.iter_mut().for_each(|share| share.replace(granted));
    }

    /// Charges what was used beyond that which is charged already.
    pub(super) fn charge(&mut self, scope: &PromptScope, usage: Usage, turns: u32, unsettled: Option<Limits>) {
        scope.charge(usage.beyond(self.usage), turns.saturating_sub(self.turns));
        scope.charge_unsettled(unsettled, self.unsettled);
        (self.usage, self.turns, self.unsettled) = (usage, turns, unsettled);
    }

    /// Gives the share back, after the usage was charged. Returns the limits that the turn has left.
    pub(super) fn release(&mut self) -> Option<Limits> {
        if let Some(share) = self.share.take() {
            let (usage, turns) = self.reserved_at;
            let left = share.left(self.usage.beyond(usage), self.turns.saturating_sub(turns));
            self.left = Some(left).filter(|left| *left != Limits::unlimited());
            share.release();
        }
        self.left
    }

    /// Returns the usage that is charged.
    pub(super) fn charged(&self) -> (Usage, u32) {
        (self.usage, self.turns)
    }
}
