//! Document store in which every request takes three polls, and the request of a dropped future is done, not done, or done
//! later.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use strands_session::bytes::Bytes;
use strands_session::{Document, DocumentStore, StoreError, Version, WriteOutcome};

/// Clones are the same store.
#[derive(Clone)]
pub(crate) struct Stepping {
    state: Arc<Mutex<State>>,
    /// Number of requests by which a dropped one is delayed; `None` if it is not done at all.
    late: Option<usize>,
    loses_responses: bool,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<String, (Bytes, u64)>,
    revision: u64,
    late: Vec<(usize, Request)>,
    requests: usize,
}

#[derive(Clone)]
enum Request {
    Create(String, Bytes),
    Update(String, Bytes, u64),
    Delete(String),
}

impl Stepping {
    pub(crate) fn new(late: Option<usize>, loses_responses: bool) -> Self {
        Self { state: Arc::default(), late, loses_responses }
    }

    /// Returns a store with the same documents that does no delayed requests.
    pub(crate) fn calm(&self) -> Self {
        Self { late: None, ..self.clone() }
    }

    /// Does the delayed requests.
    pub(crate) fn settle(&self) {
        let mut state = self.state.lock().unwrap();
        for (_, request) in std::mem::take(&mut state.late) {
            state.carry_out(request);
        }
    }

    pub(crate) fn content(&self, key: &str) -> Option<Bytes> {
        self.state.lock().unwrap().rows.get(key).map(|(content, _)| content.clone())
    }

    pub(crate) fn put(&self, key: &str, content: impl Into<Bytes>) {
        let mut state = self.state.lock().unwrap();
        state.revision += 1;
        let revision = state.revision;
        state.rows.insert(key.to_owned(), (content.into(), revision));
    }

    pub(crate) fn remove(&self, key: &str) {
        self.state.lock().unwrap().rows.remove(key);
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.state.lock().unwrap().rows.keys().cloned().collect()
    }

    pub(crate) fn requests(&self) -> usize {
        self.state.lock().unwrap().requests
    }

    async fn request(&self, request: Request) -> WriteOutcome {
        Step(false).await;
        let mut under_way = UnderWay { store: self, request: Some(request) };
        Step(false).await;
        let request = under_way.request.take();
        let written = self.step(|state| request.map_or(WriteOutcome::Conflict, |request| state.carry_out(request)));
        Step(false).await;
        written
    }

    fn step<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap();
        state.requests += 1;
        let (due, later) = std::mem::take(&mut state.late).into_iter().partition::<Vec<_>, _>(|(left, _)| *left == 0);
        state.late = later.into_iter().map(|(left, request)| (left - 1, request)).collect();
        for (_, request) in due {
            state.carry_out(request);
        }
        work(&mut state)
    }
}

impl State {
    fn carry_out(&mut self, request: Request) -> WriteOutcome {
        let (key, content) = match request {
            Request::Create(key, _) if self.rows.contains_key(&key) => return WriteOutcome::Conflict,
            Request::Update(key, _, known) if self.rows.get(&key).is_none_or(|row| row.1 != known) => {
                return WriteOutcome::Conflict;
            }
            Request::Create(key, content) | Request::Update(key, content, _) => (key, content),
            Request::Delete(key) => {
                self.rows.remove(&key);
                return WriteOutcome::Conflict;
            }
        };
        self.revision += 1;
        self.rows.insert(key, (content, self.revision));
        WriteOutcome::Done(version(self.revision))
    }
}

/// A request that is done later if its future is dropped.
struct UnderWay<'a> {
    store: &'a Stepping,
    request: Option<Request>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let (Some(request), Some(late)) = (self.request.take(), self.store.late) {
            self.store.state.lock().unwrap().late.push((late, request));
        }
    }
}

/// Pending once.
struct Step(bool);

impl Future for Step {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn version(revision: u64) -> Version {
    Version::new(revision.to_string())
}

#[async_trait::async_trait]
impl DocumentStore for Stepping {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        Step(false).await;
        let found = self.step(|state| state.rows.get(key).cloned());
        Ok(found.map(|(content, revision)| Document::new(content, version(revision))))
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        Ok(self.request(Request::Create(key.to_owned(), content)).await)
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        Ok(self.request(Request::Update(key.to_owned(), content, known.version.as_str().parse()?)).await)
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        Step(false).await;
        let inside = format!("{folder}/");
        Ok(self.step(|state| state.rows.keys().filter(|key| key.starts_with(&inside)).cloned().collect()))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.request(Request::Delete(key.to_owned())).await;
        Ok(())
    }

    fn may_lose_responses(&self) -> bool {
        self.loses_responses
    }
}
