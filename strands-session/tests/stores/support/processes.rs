//! Worker processes of a test: the test program runs itself again, with orders in an environment variable.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use strands_session::SessionStore;

use super::{s3_builder, unused_prefix};

/// Environment variable with a worker's orders, as JSON. Only workers have it.
const ORDERS: &str = "STRANDS_SESSION_TEST_WORKER";

/// Returns the orders of this process, if it is a worker.
pub(crate) fn orders() -> Option<Value> {
    Some(serde_json::from_str(&std::env::var(ORDERS).ok()?).unwrap())
}

/// Opens the store at a folder, or at a prefix on a server.
pub(crate) async fn store_at(location: &str) -> SessionStore {
    match location.split_once('#') {
        Some((url, prefix)) => {
            let manager = s3_builder("any", "bucket", url).prefix(prefix).build().await.unwrap();
            manager.store().clone()
        }
        None => SessionStore::files(location),
    }
}

/// Returns an empty prefix on this server.
pub(crate) fn unused_location(url: &str) -> String {
    format!("{url}#{}", unused_prefix())
}

/// Returns the command that runs this program again, as the worker that is the test of this name.
pub(crate) fn command(worker: &str, orders: &Value) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([worker, "--exact", "--nocapture", "--test-threads=1"]).env(ORDERS, orders.to_string());
    command
}

/// Starts that command.
pub(crate) fn start(worker: &str, orders: &Value) -> Child {
    command(worker, orders).stdout(Stdio::piped()).spawn().unwrap()
}

/// Reports to the test that the store has acknowledged a write. A line in a pipe survives its writer.
pub(crate) fn acknowledge(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ack {what}").and_then(|()| out.flush()).unwrap();
}

/// Returns the acknowledgements of a worker, until it ends.
pub(crate) fn acknowledgements(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The output of the test harness precedes the first acknowledgement on its line.
    lines.map_while(Result::ok).filter_map(|line| Some(line.split_once("ack ")?.1.to_owned()))
}
