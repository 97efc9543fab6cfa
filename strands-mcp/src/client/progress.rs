//! Routes of progress notifications to the calls that they belong to.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Notifications that wait for a slow listener. Later ones are dropped: progress is only a hint.
const MOST_WAITING: usize = 16;

/// Routes of one connection.
#[derive(Default)]
pub(super) struct ProgressRoutes(Mutex<Routes>);

#[derive(Default)]
struct Routes {
    calls: HashMap<ProgressToken, Sender<ProgressNotificationParam>>,
    /// Notifications that came before their call was registered: its token is known only after the request was sent.
    early: VecDeque<ProgressNotificationParam>,
}

/// Progress of one call. Dropping it removes the route.
pub(super) struct CallProgress {
    token: ProgressToken,
    receiver: Receiver<ProgressNotificationParam>,
    routes: Arc<ProgressRoutes>,
}

impl ProgressRoutes {
    pub(super) fn register(self: &Arc<Self>, token: ProgressToken) -> CallProgress {
        let (sender, receiver) = channel(MOST_WAITING);
        let mut routes = self.lock();
        let early = routes.early.iter().position(|early| early.progress_token == token);
        if let Some(early) = early.and_then(|index| routes.early.remove(index)) {
            let _ = sender.try_send(early);
        }
        routes.calls.insert(token.clone(), sender);
        drop(routes);
        CallProgress { token, receiver, routes: Arc::clone(self) }
    }

    pub(super) fn deliver(&self, progress: ProgressNotificationParam) {
        let mut routes = self.lock();
        if let Some(call) = routes.calls.get(&progress.progress_token) {
            let _ = call.try_send(progress);
            return;
        }
        if routes.early.len() == MOST_WAITING {
            routes.early.pop_front();
        }
        routes.early.push_back(progress);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Routes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallProgress {
    pub(super) async fn next(&mut self) -> Option<ProgressNotificationParam> {
        self.receiver.recv().await
    }
}

impl Drop for CallProgress {
    fn drop(&mut self) {
        self.routes.lock().calls.remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::NumberOrString;

    use super::*;

    fn progress(token: i64, value: f64) -> ProgressNotificationParam {
        ProgressNotificationParam::new(ProgressToken(NumberOrString::Number(token)), value)
    }

    #[tokio::test]
    async fn delivers_progress_that_came_before_its_call_was_registered() {
        let routes = Arc::new(ProgressRoutes::default());
        routes.deliver(progress(1, 0.5));
        let mut call = routes.register(ProgressToken(NumberOrString::Number(1)));
        routes.deliver(progress(1, 0.75));
        routes.deliver(progress(2, 1.0));
        assert_eq!(call.next().await.unwrap().progress, 0.5);
        assert_eq!(call.next().await.unwrap().progress, 0.75);
        drop(call);
        assert!(routes.lock().calls.is_empty());
    }

    #[tokio::test]
    async fn bounds_notifications_that_nothing_reads() {
        let routes = Arc::new(ProgressRoutes::default());
        let call = routes.register(ProgressToken(NumberOrString::Number(0)));
        for value in 0..1_000 {
            routes.deliver(progress(0, f64::from(value)));
            routes.deliver(progress(i64::from(value) + 1, 0.0));
        }
        assert_eq!((call.receiver.len(), routes.lock().early.len()), (MOST_WAITING, MOST_WAITING));
    }
}
