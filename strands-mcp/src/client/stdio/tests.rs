//! Children that misbehave. The rest of the client is tested in `tests/`.

// Processes are observed in `/proc`.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};
use std::{fs, thread};

use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, PingRequest, RequestId};
use rmcp::transport::Transport;
use tokio::time::{sleep, timeout};

use super::child::ChildEnd;
use super::*;

/// Responds to each line with an empty result for request 1.
const ECHO: &str = r#"while read -r line; do echo '{"jsonrpc":"2.0","id":1,"result":{}}'; done"#;

fn shell(script: &str) -> StdioCommand {
    let mut command = StdioCommand::new("sh");
    command.args = vec!["-c".into(), script.into()];
    command
}

fn spawn(script: &str) -> (ChildTransport, ChildHandle) {
    shell(script).spawn("test").unwrap()
}

fn ping(id: i64) -> ClientJsonRpcMessage {
    ClientJsonRpcMessage::request(ClientRequest::PingRequest(PingRequest::default()), RequestId::Number(id))
}

/// A message that is larger than a pipe.
fn big() -> ClientJsonRpcMessage {
    let text = serde_json::json!({ "text": "y".repeat(1_000_000) });
    let request = rmcp::model::CustomRequest::new("x", Some(text));
    ClientJsonRpcMessage::request(ClientRequest::CustomRequest(request), RequestId::Number(1))
}

/// Fails instead of hanging.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future).await.expect("no result within 10 s")
}

/// A killed process may remain as a zombie of a process that is not this one.
fn is_running(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit(") ").next().is_some_and(|fields| fields.starts_with('Z'))
}

fn exists(pid: u32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap()
}

async fn becomes_true(mut condition: impl FnMut() -> bool) -> bool {
    for _ in 0..200 {
        if condition() {
            return true;
        }
        sleep(Duration::from_millis(10)).await;
    }
    false
}

/// Reads the ids of processes that a child writes to its stderr.
async fn pids_in_stderr(transport: &mut ChildTransport, handle: &ChildHandle, count: usize) -> Vec<u32> {
    for _ in 0..200 {
        let _ = timeout(Duration::from_millis(20), transport.receive()).await;
        let pids: Vec<u32> = handle.stderr_tail().lines().filter_map(|line| line.parse().ok()).collect();
        if pids.len() == count {
            return pids;
        }
    }
    panic!("no ids of processes");
}

#[tokio::test]
async fn exchanges_messages_and_closes_in_order() {
    let (mut transport, handle) = spawn(&format!("{ECHO}; echo bye >&2; exit 3"));
    let pid = handle.id().unwrap();
    transport.send(ping(1)).await.unwrap();
    let message = soon(transport.receive()).await.unwrap();
    assert!(matches!(message, JsonRpcMessage::Response(response) if response.id == RequestId::Number(1)));
    assert_eq!(handle.end(), None);

    let start = Instant::now();
    soon(transport.close()).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(handle.last_words().await, "the server exited: exit status: 3; its stderr ends with:\nbye");
    assert!(!exists(pid), "a zombie");
    assert!(transport.send(ping(2)).await.is_err());
    assert!(soon(transport.receive()).await.is_none());
}

#[tokio::test]
async fn reports_a_child_that_exits_at_once() {
    let (mut transport, handle) = spawn("echo 'no API key' >&2; exit 7");
    assert!(soon(transport.receive()).await.is_none());
    drop(transport);
    assert_eq!(handle.last_words().await, "the server exited: exit status: 7; its stderr ends with:\nno API key");

    for _ in 0..20 {
        let (mut transport, handle) = spawn("echo 'no API key' >&2; exit 7");
        while transport.send(ping(1)).await.is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
        drop(transport);
        assert_eq!(handle.last_words().await, "the server exited: exit status: 7; its stderr ends with:\nno API key");
    }
}

#[tokio::test]
async fn names_the_program_that_cannot_be_started() {
    let error = StdioCommand::new("/no/such/program").spawn("test").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().starts_with("failed to start `/no/such/program`: "), "{error}");
    let mut command = shell("true");
    command.current_dir = Some("/no/such/directory".into());
    let error = command.spawn("test").unwrap_err();
    assert!(error.to_string().starts_with("failed to start `sh` in `/no/such/directory`: "), "{error}");
}

#[test]
fn needs_a_runtime_to_start_and_none_to_stop() {
    assert!(shell("true").spawn("test").is_err());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (transport, handle) = runtime.block_on(async { spawn("sleep 60") });
    let pid = handle.id().unwrap();
    drop(transport);
    for _ in 0..100 {
        if !is_running(pid) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("the child was not killed");
}

#[test]
fn stops_after_its_runtime_is_gone() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (transport, handle) = runtime.block_on(async { spawn("sleep 60") });
    runtime.shutdown_background();
    drop(handle);
    drop(transport);
}

#[tokio::test]
async fn kills_the_group_on_drop_and_leaves_no_zombie() {
    // A grandchild that ignores hang-ups and its closed pipes.
    let script = r#"nohup sleep 60 <&- >/dev/null 2>&1 & echo $! >&2; echo $$ >&2; sleep 60"#;
    for transport_first in [true, false] {
        let (mut transport, handle) = spawn(script);
        let pids = pids_in_stderr(&mut transport, &handle, 2).await;
        assert!(pids.iter().all(|pid| is_running(*pid)));
        // Either of both kills.
        if transport_first {
            drop(transport);
        } else {
            drop(handle);
        }
        assert!(becomes_true(|| pids.iter().all(|pid| !is_running(*pid))).await);
        assert!(becomes_true(|| !exists(pids[1])).await, "a zombie");
    }
}

#[tokio::test]
async fn kills_what_a_child_leaves_behind_when_it_exits() {
    let (mut transport, handle) = spawn("sleep 60 & echo $! >&2; read -r line; exit 0");
    let pids = pids_in_stderr(&mut transport, &handle, 1).await;
    soon(transport.close()).await.unwrap();
    assert!(becomes_true(|| !is_running(pids[0])).await);
}

#[tokio::test]
async fn terminates_a_child_that_ignores_the_end_of_its_input() {
    let (mut transport, handle) = spawn("trap 'echo term >&2; exit 5' TERM; echo 1 >&2; while :; do sleep 0.05; done");
    pids_in_stderr(&mut transport, &handle, 1).await;
    let start = Instant::now();
    soon(transport.close()).await.unwrap();
    assert!((2..3).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    let words = handle.last_words().await;
    assert!(words.starts_with("the server exited: exit status: 5"), "{words}");
    assert!(words.ends_with("term"), "{words}");
}

#[tokio::test]
async fn kills_a_child_that_ignores_everything_while_it_floods_its_pipes() {
    let (mut transport, handle) = spawn("trap '' TERM PIPE; while :; do echo out; echo err >&2; done");
    let pid = handle.id().unwrap();
    let start = Instant::now();
    soon(transport.close()).await.unwrap();
    assert!((3..4).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert!(!exists(pid));
}

#[tokio::test]
async fn skips_lines_that_are_no_messages() {
    let script =
        format!(r#"i=0; while [ $i -lt 50 ]; do echo "log $i"; echo '{{"level":"info"}}'; i=$((i+1)); done; {ECHO}"#);
    let (mut transport, _handle) = spawn(&script);
    transport.send(ping(1)).await.unwrap();
    assert!(soon(transport.receive()).await.is_some());
    assert_eq!(transport.invalid_lines(), 100);
}

#[tokio::test]
async fn ends_the_connection_at_a_line_that_is_too_long() {
    let mut command = shell("head -c 100000 /dev/zero; sleep 60");
    command.max_line = 50_000;
    let (mut transport, handle) = command.spawn("test").unwrap();
    let pid = handle.id().unwrap();
    assert!(soon(transport.receive()).await.is_none());
    assert_eq!(handle.end(), Some(ChildEnd::LineTooLong { limit: 50_000 }));
    assert_eq!(handle.end().unwrap().to_string(), "the server wrote a line of more than 50000 bytes");
    assert!(becomes_true(|| !exists(pid)).await);
    soon(transport.close()).await.unwrap();
}

#[tokio::test]
async fn writes_to_a_child_that_never_reads_can_be_abandoned() {
    let (mut transport, handle) = spawn("exec sleep 60");
    let first = tokio::spawn(transport.send(big()));
    let second = tokio::spawn(transport.send(ping(2)));
    sleep(Duration::from_millis(50)).await;
    assert!(!first.is_finished() && !second.is_finished());
    // A receive is not blocked by a write.
    assert!(timeout(Duration::from_millis(50), transport.receive()).await.is_err());
    // What waits is bounded.
    let mut error = None;
    let mut writes = Vec::new();
    for _ in 0..100 {
        let mut write = Box::pin(transport.send(big()));
        if let Ok(result) = timeout(Duration::from_millis(1), &mut write).await {
            error = result.err();
            break;
        }
        writes.push(write);
    }
    assert_eq!(error.unwrap().kind(), io::ErrorKind::WouldBlock);

    let start = Instant::now();
    soon(transport.close()).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(3500), "{:?}", start.elapsed());
    assert!(soon(first).await.unwrap().is_err());
    assert!(soon(second).await.unwrap().is_err());
    assert!(handle.end().is_some());
}

#[tokio::test]
async fn writes_messages_in_the_order_of_their_sends() {
    let (mut transport, _handle) = spawn("exec cat");
    let mut writes = Vec::new();
    for id in 0..100 {
        writes.push(transport.send(ping(id)));
    }
    // The last one first.
    for write in writes.into_iter().rev() {
        write.await.unwrap();
    }
    for id in 0..100 {
        let message = soon(transport.receive()).await.unwrap();
        assert!(matches!(message, JsonRpcMessage::Request(request) if request.id == RequestId::Number(id)));
    }
}

#[tokio::test]
async fn reports_a_message_that_was_written_before_a_failed_one_as_sent() {
    let (mut transport, _handle) = spawn("read -r line; exec <&-; sleep 60");
    let first = transport.send(ping(1));
    let second = transport.send(big());
    // It writes both.
    first.await.unwrap();
    assert_eq!(soon(second).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn passes_no_credentials_of_this_process() {
    let print = "env >&2; exit 0";
    async fn environment(command: &StdioCommand) -> Vec<String> {
        let (mut transport, handle) = command.spawn("test").unwrap();
        assert!(soon(transport.receive()).await.is_none());
        handle.stderr_tail().lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect()
    }
    // Cargo sets it for tests.
    assert!(env::var_os("CARGO_MANIFEST_DIR").is_some());
    let mut command = shell(print);
    command.env.insert("TOKEN".into(), "secret".into());
    let names = environment(&command).await;
    assert!(names.contains(&"TOKEN".to_owned()) && names.contains(&"PATH".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
    assert!(!format!("{command:?}").contains("secret"));

    command.inherited_env = InheritedEnv::All;
    let mut print_one = command.clone();
    print_one.args = vec!["-c".into(), "env | grep CARGO_MANIFEST_DIR >&2".into()];
    assert_eq!(environment(&print_one).await, ["CARGO_MANIFEST_DIR"]);
}

#[tokio::test]
async fn remembers_the_last_lines_of_stderr_only() {
    let script = "i=0; while [ $i -lt 1000 ]; do echo \"line $i\" >&2; i=$((i+1)); done; \
        head -c 100000 /dev/zero | tr '\\0' 'x' >&2; printf '\\n\\033[31mred\\n' >&2";
    let (mut transport, handle) = spawn(script);
    assert!(soon(transport.receive()).await.is_none());
    let tail = handle.stderr_tail();
    assert_eq!(tail.lines().count(), 20);
    assert!(tail.starts_with("line 982\n"), "{tail}");
    assert!(tail.ends_with("x\n\u{fffd}[31mred"), "{tail}");
    assert!(tail.len() < 1024);
}

#[tokio::test]
async fn leaks_nothing_in_many_starts() {
    fn descriptors() -> usize {
        fs::read_dir("/proc/self/fd").unwrap().count()
    }
    let alive = || Handle::current().metrics().num_alive_tasks();
    for round in 0..150 {
        let (mut transport, handle) = spawn(ECHO);
        transport.send(ping(1)).await.unwrap();
        assert!(soon(transport.receive()).await.is_some());
        match round % 3 {
            0 => soon(transport.close()).await.unwrap(),
            1 => drop(transport),
            _ => drop(handle),
        }
    }
    assert_eq!(alive(), 0);
    let zombies = || {
        let me = std::process::id();
        let children = fs::read_to_string(format!("/proc/{me}/task/{me}/children")).unwrap_or_default();
        children.split_whitespace().filter(|pid| !is_running(pid.parse().unwrap())).count()
    };
    assert!(becomes_true(|| zombies() == 0).await);
    assert!(descriptors() < 200, "{}", descriptors());
}

#[tokio::test]
async fn starts_a_server_again_so_many_times() {
    let server = StdioServer::new(shell("echo 'no license' >&2; exit 1"), 2);
    for _ in 0..3 {
        let (mut transport, _handle) = server.start("test").unwrap();
        assert!(soon(transport.receive()).await.is_none());
    }
    let error = server.start("test").unwrap_err();
    assert!(matches!(&error, StartError::TooManyRestarts { error, .. } if error.limit == 2));
    assert!(error.to_string().ends_with("; its stderr ends with:\nno license"), "{error}");
}
