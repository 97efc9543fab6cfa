//! Sources of time, randomness and waits: the process, or the journal of a durable engine.

use std::time::Duration;

use uuid::Uuid;

use crate::journal::{Journal, JournalError, clock};
use crate::message::{Message, id_of, random_uuid};

/// Source of time, ids and jitter for the loop: a journal, or else the process.
#[derive(Clone, Copy, Default)]
pub(super) struct Effects<'a> {
    pub(super) journal: Option<&'a dyn Journal>,
}

impl Effects<'_> {
    /// Returns the time since a fixed moment.
    pub(super) fn now(&self) -> Duration {
        self.journal.map_or_else(clock, Journal::now)
    }

    /// Returns the time since an earlier [`now`](Self::now).
    pub(super) fn since(&self, earlier: Duration) -> Duration {
        self.now().saturating_sub(earlier)
    }

    /// Returns a random number, at least 0.0 and below 1.0.
    pub(super) fn jitter(&self) -> f64 {
        match self.journal {
            // A double has 53 bits of precision.
            #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
            Some(journal) => (journal.random() >> 11) as f64 / (1_u64 << 53) as f64,
            None => fastrand::f64(),
        }
    }

    /// Sets the tracking id of a message without one.
    pub(super) fn track(&self, message: &mut Message) {
        if message.tracking_id.is_none() {
            message.tracking_id = Some(self.id());
        }
    }

    /// Returns a random id.
    pub(super) fn id(&self) -> String {
        id_of(self.uuid())
    }

    fn uuid(&self) -> Uuid {
        match self.journal {
            Some(journal) => {
                let number = (u128::from(journal.random()) << 64) | u128::from(journal.random());
                uuid::Builder::from_random_bytes(number.to_ne_bytes()).into_uuid()
            }
            None => random_uuid(),
        }
    }

    /// Waits, durably if there is a journal.
    pub(super) async fn sleep(&self, name: &str, time: Duration) -> Result<(), JournalError> {
        match self.journal {
            Some(journal) => journal.sleep(name, time).await,
            None => {
                tokio::time::sleep(time).await;
                Ok(())
            }
        }
    }
}
