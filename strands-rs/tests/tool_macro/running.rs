//! Threads, cancellation and panics of calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use strands::serde_json::json;
use strands::testing::ToolContextBuilder;
use strands::{Tool, ToolPolicy, tool};
use tokio::sync::Notify;

use crate::call;

struct Seen(std::sync::Mutex<Option<ThreadId>>);

/// Records its thread.
#[tool]
fn elsewhere(seen: &Seen) {
    *seen.0.lock().unwrap() = Some(thread::current().id());
}

/// Records its thread.
#[tool(inline)]
fn here(seen: &Seen) {
    *seen.0.lock().unwrap() = Some(thread::current().id());
}

#[tokio::test]
async fn sync_tools_run_on_the_blocking_pool() {
    let seen = Arc::new(Seen(std::sync::Mutex::default()));
    let ctx = ToolContextBuilder::new("test").inject(Arc::clone(&seen)).build();
    Elsewhere.call(&ctx, json!({})).await.unwrap();
    assert_ne!(*seen.0.lock().unwrap(), Some(thread::current().id()));
    Here.call(&ctx, json!({})).await.unwrap();
    assert_eq!(*seen.0.lock().unwrap(), Some(thread::current().id()));
}

struct Gate(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

/// Blocks until the gate opens.
#[tool]
fn block(gate: &Gate) -> &'static str {
    gate.0.lock().unwrap().recv().unwrap();
    "through"
}

/// On a single-threaded runtime the gate could never open if the tool blocked that thread.
#[tokio::test]
async fn a_blocking_tool_does_not_stall_others() {
    let (open, gate) = std::sync::mpsc::channel();
    let ctx = ToolContextBuilder::new("block").inject(Gate(std::sync::Mutex::new(gate))).build();
    let opener = async {
        tokio::task::yield_now().await;
        open.send(()).unwrap();
    };
    let (output, ()) = tokio::join!(Block.call(&ctx, json!({})), opener);
    output.unwrap();
}

#[test]
fn a_sync_tool_runs_inline_without_a_runtime() {
    let seen = Arc::new(Seen(std::sync::Mutex::default()));
    let ctx = ToolContextBuilder::new("test").inject(Arc::clone(&seen)).build();
    let call = Elsewhere.call(&ctx, json!({}));
    let mut call = std::pin::pin!(call);
    let polled = call.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(polled.is_ready());
    assert_eq!(*seen.0.lock().unwrap(), Some(thread::current().id()));
}

/// Panics.
#[tool]
fn panics() -> ! {
    panic!("out of paper")
}

/// Panics, after awaiting.
#[tool]
async fn panics_later() -> ! {
    tokio::task::yield_now().await;
    panic!("out of paper")
}

#[tokio::test]
async fn panics_are_the_same_on_all_threads() {
    for panicking in [tokio::spawn(call(Panics, json!({}))), tokio::spawn(call(PanicsLater, json!({})))] {
        let panic = panicking.await.unwrap_err().into_panic();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"out of paper"));
    }
}

struct Guard(Arc<AtomicBool>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Watch {
    started: Notify,
    dropped: Arc<AtomicBool>,
}

/// Waits forever.
#[tool]
async fn wait(watch: &Watch) {
    let _guard = Guard(Arc::clone(&watch.dropped));
    watch.started.notify_one();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn dropping_the_future_cancels_the_call() {
    let watch = Arc::new(Watch { started: Notify::new(), dropped: Arc::default() });
    let ctx = ToolContextBuilder::new("wait").inject(Arc::clone(&watch)).build();
    tokio::select! {
        _ = Wait.call(&ctx, json!({})) => panic!("the tool never returns"),
        () = watch.started.notified() => {}
    }
    assert!(watch.dropped.load(Ordering::SeqCst));
}

/// Careful.
#[tool(timeout = "1500ms", exclusive, approval, numeric_strings, destructive, idempotent = false, open_world, strict)]
fn careful(dose: u8) -> u8 {
    dose
}

#[test]
fn keys_set_the_policy_and_the_spec() {
    let policy = ToolPolicy::new().with_timeout(Duration::from_millis(1500)).with_exclusive(true).with_approval(true);
    let policy = policy.with_numeric_strings(true);
    assert_eq!(Careful.policy(), policy);
    let spec = Careful.spec();
    let hints = spec.annotations;
    assert_eq!(
        (hints.read_only, hints.destructive, hints.idempotent, hints.open_world),
        (None, Some(true), Some(false), Some(true))
    );
    assert!(spec.strict);
    assert!(Careful.checks_input());
    assert_eq!(Here.policy(), ToolPolicy::new());
    assert!(!Here.spec().strict);
}
