//! Requests to the example servers over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use strands::serde_json::{Value, json};

/// A server on an unused port, which ends with the test.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(program: &str) -> anyhow::Result<Self> {
        let mut process =
            Command::new(program).arg("127.0.0.1:0").env_remove("STRANDS_MODEL").stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let output = process.stdout.take().ok_or_else(|| anyhow::anyhow!("the server has no output"))?;
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_default().to_owned();
        Ok(Self { process, address })
    }

    /// Sends a request, and returns the status line with the rest of the response.
    fn post(&self, path: &str, headers: &[&str], body: &str) -> anyhow::Result<(String, String)> {
        let mut connection = TcpStream::connect(&self.address)?;
        connection.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        for header in headers {
            request.push_str(&format!("{header}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        connection.write_all(request.as_bytes())?;
        let mut response = String::new();
        connection.read_to_string(&mut response)?;
        let (status, rest) = response.split_once("\r\n").unwrap_or_default();
        Ok((status.to_owned(), rest.to_owned()))
    }

    fn post_json(&self, path: &str, body: Value) -> anyhow::Result<(String, Value)> {
        let (status, rest) = self.post(path, &["Content-Type: application/json"], &body.to_string())?;
        let (_, body) = rest.split_once("\r\n\r\n").unwrap_or_default();
        Ok((status, strands::serde_json::from_str(body).unwrap_or_default()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn streams_events_to_authenticated_clients() -> anyhow::Result<()> {
    let server = Server::start(env!("CARGO_BIN_EXE_sse_server"))?;
    let (status, response) = server.post("/ask", &["Authorization: Bearer ana"], "Read my notes")?;
    assert!(status.contains("200") && response.contains("text/event-stream"), "{status}\n{response}");
    let events: Vec<Value> = response
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(strands::serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let kinds: Vec<_> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert!(kinds.starts_with(&["start"]) && kinds.ends_with(&["result"]) && kinds.contains(&"tool_end"), "{kinds:?}");
    assert!(response.contains("read_notes: ana has no notes"), "{response}");

    let (status, _) = server.post("/ask", &[], "Read my notes")?;
    assert!(status.contains("401"), "{status}");
    Ok(())
}

#[test]
fn resumes_a_tool_call_after_a_decision() -> anyhow::Result<()> {
    let server = Server::start(env!("CARGO_BIN_EXE_approval_server"))?;
    for (approved, expected) in [(true, "delete_file: deleted old.txt"), (false, "delete_file failed")] {
        let (status, asked) = server.post_json("/ask", json!({"prompt": "Delete the file \"old.txt\""}))?;
        assert!(status.contains("200") && asked["interrupts"][0]["reason"].to_string().contains("old.txt"), "{asked}");
        let decision = json!({"conversation": asked["conversation"], "approved": approved});
        let (status, decided) = server.post_json("/decide", decision.clone())?;
        assert!(status.contains("200"), "{status} {decided}");
        assert!(decided["text"].as_str().unwrap_or_default().starts_with(expected), "{decided}");
        assert_eq!(decided["interrupts"], json!([]));
        // A decision counts once.
        assert!(server.post_json("/decide", decision)?.0.contains("404"));
    }
    Ok(())
}
