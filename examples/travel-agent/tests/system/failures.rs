//! Systems that can't start.

use std::{fs, net::TcpListener, process::Command};

use nix::sys::signal::Signal;

use super::system::{System, up};

pub(crate) fn failure(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_busy_port_is_an_error_if_it_was_chosen() {
    let data = tempfile::tempdir().unwrap();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port().to_string();
    let error = failure(&mut up(data.path(), &["--port", &port]));
    assert!(error.contains(&format!("error: port {port} is in use; end the program")), "{error}");
}

#[test]
fn a_port_of_the_last_run_that_is_busy_is_replaced() {
    let data = tempfile::tempdir().unwrap();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    fs::write(data.path().join("ports.json"), format!(r#"{{"serve-1":{port}}}"#)).unwrap();
    let mut system = System::start(data.path(), &[]);
    assert_ne!(system.url("page"), format!("http://127.0.0.1:{port}/"));
    assert_eq!(system.end(Signal::SIGINT).code(), Some(0));
}

#[test]
fn a_process_that_can_not_start_ends_the_system_with_its_reason() {
    let data = tempfile::tempdir().unwrap();
    let error = failure(&mut up(data.path(), &["--model", "nonsense/model"]));
    let (_, reason) = error.split_once("serve-1 ended before it was ready (exit status: 1); its last lines:").unwrap();
    assert!(reason.contains("nonsense"), "{error}");
    // A database of something else, in a folder that no process of the first system uses any more.
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("travel.sqlite3"), "no database").unwrap();
    let error = failure(&mut up(data.path(), &[]));
    assert!(error.contains("mcp ended before it was ready"), "{error}");
    assert!(error.contains("travel.sqlite3"), "{error}");
}

#[cfg(not(feature = "durable"))]
#[test]
fn durable_needs_its_feature() {
    let data = tempfile::tempdir().unwrap();
    let error = failure(&mut up(data.path(), &["--durable"]));
    assert!(
        error.contains("start with `cargo run -p travel-agent --features system,durable -- up --durable`"),
        "{error}"
    );
}

#[test]
fn two_systems_do_not_share_their_data() {
    let data = tempfile::tempdir().unwrap();
    let mut first = System::start(data.path(), &[]);
    let error = failure(&mut up(data.path(), &[]));
    assert!(error.contains("another `up` runs with the data in"), "{error}");
    assert_eq!(first.end(Signal::SIGINT).code(), Some(0));
}

#[test]
fn without_python_sessions_are_in_files() {
    let data = tempfile::tempdir().unwrap();
    let mut system = System::start(data.path(), &["--s3", "--python", "/nonexistent/python"]);
    let reason = system.url("s3_skipped");
    assert!(reason.starts_with("no S3 server: /nonexistent/python can't be started"), "{reason}");
    assert!(system.state["s3"].is_null());
    assert_eq!(system.end(Signal::SIGINT).code(), Some(0));
}
