//! Servers as child processes that misbehave.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use strands::mcp::{McpClient, McpClientBuilder, McpError, Stdio};
use tokio::time::sleep;

use crate::{Texts as _, agent_calls, soon};

/// A server in the language of the shell. `$WORK` is its response to a tool call.
const SERVER: &str = r#"
answer() { printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$1"; }
text() { answer '"result":{"content":[{"type":"text","text":"'"$1"'"}]}'; }
eval "$START"
while read -r line; do
  id=${line#*'"id":'}; id=${id%%[,\}]*}
  case $line in
    *'"method":"initialize"'*) answer '"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"method":"tools/list"'*) answer '"result":{"tools":[{"name":"work","inputSchema":{"type":"object"}},{"name":"read","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}]}' ;;
    *'"method":"tools/call"'*) eval "$WORK" ;;
    *'"method":"notifications/'*) ;;
    *) answer '"error":{"code":-32601,"message":"unknown method"}' ;;
  esac
done
"#;

/// A server that executes these commands at its start and for each tool call.
pub(crate) fn server(start: &str, work: &str) -> McpClientBuilder<Stdio> {
    McpClient::stdio("sh").args(["-c", SERVER]).env("START", start).env("WORK", work).name("child")
}

fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|fields| !fields.is_empty() && !fields.starts_with('Z'))
}

async fn becomes_true(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < until, "not within 10 s: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn ignores_lines_that_are_no_messages() {
    let noise = r#"echo 'Server ready!'; echo; echo '{"level":"info"}'; echo '[]'; echo 42; printf '\377\376\n'"#;
    let client = server(noise, &format!("{noise}; text worked; {noise}")).build().unwrap();
    for _ in 0..3 {
        assert_eq!(soon(client.call_tool("work", json!({}))).await.unwrap().texts(), "worked");
    }
}

#[tokio::test]
async fn ends_the_connection_at_a_line_that_is_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("calls");
    let work = "echo call >> $COUNT; if [ $(wc -l < $COUNT) = 1 ]; then head -c 64000000 /dev/zero | tr '\\0' x; else text worked; fi";
    let client = server("", work).env("COUNT", &count).build().unwrap();
    let error = soon(client.call_tool("work", json!({}))).await.unwrap_err();
    assert!(matches!(error, McpError::TooLarge { limit, .. } if limit == 16 << 20), "{error:?}");
    assert_eq!(soon(client.call_tool("work", json!({}))).await.unwrap().texts(), "worked");
    assert_eq!(lines(&count).len(), 2);
}

#[tokio::test]
async fn times_out_at_a_server_that_never_reads() {
    let client = McpClient::stdio("sleep").arg("60").connect_timeout(Duration::from_millis(300)).build().unwrap();
    let error = soon(client.connect()).await.unwrap_err();
    assert!(matches!(error, McpError::ConnectTimeout { .. }), "{error:?}");

    // It reads the start of the first call only.
    let client = server("", "sleep 60").timeout(Duration::from_millis(300)).build().unwrap();
    let big = json!({"text": "x".repeat(1 << 20)});
    soon(client.connect()).await.unwrap();
    for _ in 0..3 {
        let start = Instant::now();
        let error = soon(client.call_tool("work", big.clone())).await.unwrap_err();
        assert!(matches!(error, McpError::Timeout { .. }), "{error:?}");
        // A machine under load is slow, but no call waits for the child.
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
    // Dropping a call that waits for the pipe takes no time, and neither does closing the client for ever.
    let start = Instant::now();
    let _ = tokio::time::timeout(Duration::from_millis(50), client.call_tool("work", big)).await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let start = Instant::now();
    soon(client.close()).await;
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[tokio::test]
async fn kills_the_processes_that_a_server_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let start = "echo $$ >> $PIDS; (trap '' HUP TERM; sleep 60 & echo $! >> $PIDS; wait) & nohup sleep 60 >/dev/null 2>&1 & echo $! >> $PIDS";
    for drops in [true, false] {
        let client = server(start, "text worked").env("PIDS", &pids).build().unwrap();
        assert_eq!(soon(client.call_tool("work", json!({}))).await.unwrap().texts(), "worked");
        becomes_true("three processes", || lines(&pids).len() == 3).await;
        let started = lines(&pids);
        assert!(started.iter().all(|pid| is_running(pid)));
        if drops {
            drop(client);
        } else {
            soon(client.close()).await;
        }
        becomes_true("the end of all processes", || !started.iter().any(|pid| is_running(pid))).await;
        fs::remove_file(&pids).unwrap();
    }
}

#[tokio::test]
async fn reports_the_stderr_of_a_server_that_exits_at_once() {
    let client = server("echo 'FATAL: no license' >&2; exit 3", "").build().unwrap();
    let error = soon(client.connect()).await.unwrap_err();
    assert!(matches!(error, McpError::Connect { .. }), "{error:?}");
    assert!(error.to_string().contains("FATAL: no license"), "{error}");
    assert!(error.to_string().contains("exit status: 3"), "{error}");

    let error = soon(McpClient::stdio("/no/such/program").build().unwrap().connect()).await.unwrap_err();
    assert!(format!("{error:?}").contains("/no/such/program"), "{error:?}");
}

#[tokio::test]
async fn starts_a_server_again_that_died_and_loses_one_call() {
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    let work = "echo call >> $CALLS; [ $(wc -l < $CALLS) = 2 ] && exit 1; text worked";
    let client = server("", work).env("CALLS", &calls).build().unwrap();
    let results = agent_calls(&client, &["work", "work", "work", "work"]).await;
    let errors: Vec<_> = results.iter().map(|result| result.is_error()).collect();
    assert_eq!(errors, [false, true, false, false]);
    assert!(results[1].texts().contains("may have executed"), "{}", results[1].texts());
    assert_eq!(lines(&calls).len(), 4);

    // A read-only call is sent again.
    fs::remove_file(&calls).unwrap();
    let client = server("", work).env("CALLS", &calls).build().unwrap();
    let results = agent_calls(&client, &["work", "read", "work"]).await;
    assert!(results.iter().all(|result| !result.is_error()), "{results:?}");
    assert_eq!(lines(&calls).len(), 4);
}

#[tokio::test]
async fn starts_a_server_so_many_times_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let starts = folder.path().join("starts");
    let client = server("echo start >> $STARTS; echo 'cannot run' >&2; exit 1", "").env("STARTS", &starts);
    let client = client.restarts_per_minute(2).build().unwrap();
    let mut last = None;
    for _ in 0..5 {
        last = soon(client.connect()).await.err();
    }
    let last = last.unwrap();
    assert!(matches!(last, McpError::TooManyRestarts { .. }), "{last:?}");
    assert!(last.to_string().contains("cannot run"), "{last}");
    assert_eq!(lines(&starts).len(), 3);
}
