//! Routes of progress notifications to the calls that they belong to.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use tokio::sync::Notify;

/// Notifications that wait for a slow listener. Later ones are dropped: progress is only a hint.
const MOST_WAITING: usize = 16;

/// Routes of one connection.
#[derive(Default)]
pub(super) struct ProgressRoutes(Mutex<Routes>);

#[derive(Default)]
struct Routes {
    calls: HashMap<ProgressToken, Arc<Route>>,
    /// Notifications that came before their call was registered: its token is known only after the request was sent.
    early: VecDeque<ProgressNotificationParam>,
}

/// Route of one call. Not a channel, which would allocate some kilobytes for each call: most have no progress.
#[derive(Default)]
struct Route {
    waiting: Mutex<VecDeque<ProgressNotificationParam>>,
    arrived: Notify,
}

/// Progress of one call. Dropping it removes the route.
pub(super) struct CallProgress {
    token: ProgressToken,
    route: Arc<Route>,
    routes: Arc<ProgressRoutes>,
}

impl ProgressRoutes {
    pub(super) fn register(self: &Arc<Self>, token: ProgressToken) -> CallProgress {
        let route = Arc::<Route>::default();
        let mut routes = self.lock();
        let early = routes.early.iter().position(|early| early.progress_token == token);
        if let Some(early) = early.and_then(|index| routes.early.remove(index)) {
            route.deliver(early);
        }
        routes.calls.insert(token.clone(), Arc::clone(&route));
        drop(routes);
        CallProgress { token, route, routes: Arc::clone(self) }
    }

    pub(super) fn deliver(&self, progress: ProgressNotificationParam) {
        let mut routes = self.lock();
        if let Some(call) = routes.calls.get(&progress.progress_token) {
            call.deliver(progress);
            return;
        }
        if routes.early.len() == MOST_WAITING {
            routes.early.pop_front();
        }
        routes.early.push_back(progress);
    }

    fn lock(&self) -> MutexGuard<'_, Routes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Route {
    fn deliver(&self, progress: ProgressNotificationParam) {
        let mut waiting = self.waiting();
        if waiting.len() < MOST_WAITING {
            waiting.push_back(progress);
            self.arrived.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<ProgressNotificationParam>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallProgress {
    /// Waits for the next notification. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> ProgressNotificationParam {
        loop {
            let progress = self.route.waiting().pop_front();
            if let Some(progress) = progress {
                return progress;
            }
            self.route.arrived.notified().await;
        }
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
        assert_eq!(call.next().await.progress, 0.5);
        assert_eq!(call.next().await.progress, 0.75);
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
        assert_eq!((call.route.waiting().len(), routes.lock().early.len()), (MOST_WAITING, MOST_WAITING));
    }
}
