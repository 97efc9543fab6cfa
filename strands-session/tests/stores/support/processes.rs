//! Processes of a test: the test program itself, run again with orders.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use strands_session::SessionStore;

use super::{s3_builder, unused_prefix};

/// Environment variable with a worker's orders, as JSON; without it the process is no worker.
const ORDERS: &str = "STRANDS_SESSION_TEST_WORKER";

/// Orders of this process, if it is a worker.
pub(crate) fn orders() -> Option<Value> {
    Some(serde_json::from_str(&std::env::var(ORDERS).ok()?).unwrap())
}

/// The store behind a folder, or a prefix on a server.
pub(crate) async fn place(place: &str) -> SessionStore {
    match place.split_once('#') {
        Some((url, prefix)) => {
            let manager = s3_builder("any", "bucket", url).prefix(prefix).build().await.unwrap();
            manager.store().clone()
        }
        None => SessionStore::files(place),
    }
}

/// A prefix on this server that is empty.
pub(crate) fn unused_place(url: &str) -> String {
    format!("{url}#{}", unused_prefix())
}

/// Runs this program again, as the worker that is the test of this name.
pub(crate) fn start(worker: &str, orders: &Value) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([worker, "--exact", "--nocapture", "--test-threads=1"])
        .env(ORDERS, orders.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Tells the test what the store has acknowledged. A line in a pipe survives its writer.
pub(crate) fn acknowledge(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ack {what}").and_then(|()| out.flush()).unwrap();
}

/// Acknowledgements of the workers, until they end.
pub(crate) fn acknowledgements(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The harness's own words stand on the line of the first acknowledgement.
    lines.map_while(Result::ok).filter_map(|line| Some(line.split_once("ack ")?.1.to_owned()))
}

/// True for full counts and durations: thoroughly where the shared data is, and shortly in the plain test run.
pub(crate) fn thoroughly() -> bool {
    strands_testkit::shared_dir().is_some()
}
