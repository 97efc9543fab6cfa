//! The rig: a server, workers, a model and readers, and requests to the server.

use std::time::Duration;

use serde_json::{Value, json};
use strands::models::reqwest::{self, Method, StatusCode};
use tokio::time::Instant;

use crate::mock::Mock;
use crate::plan::{self, MARKER, Plan};
use crate::processes::{self, Folder, Process, Server};
use crate::readers::Readers;
use crate::worker::Settings;

/// Maximum time for anything to happen.
const PATIENCE: Duration = Duration::from_secs(600);
/// Time for the events of a turn that has ended to reach the reader.
const READER_PATIENCE: Duration = Duration::from_secs(10);

/// Text of the server and the SDK for a journal that does not fit the steps of a replay.
pub(crate) const MISMATCH: &str = "[570";

pub(crate) struct Rig {
    pub(crate) workers: Vec<Process>,
    pub(crate) server: Server,
    pub(crate) mock: Mock,
    pub(crate) readers: Readers,
    pub(crate) settings: Settings,
    /// URL of the workers.
    pub(crate) uri: String,
    client: reqwest::Client,
    // Last, so that it is removed after the processes have ended.
    pub(crate) folder: Folder,
}

/// A turn that was sent to the server.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) session: String,
    pub(crate) prompt: String,
    pub(crate) run_id: String,
}

impl Rig {
    /// Starts a server and workers.
    pub(crate) async fn start(name: &str, workers: usize, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = Folder::new(name);
        let (mock, readers) = (Mock::default(), Readers::default());
        mock.log().pace = 3;
        let mut settings = Settings {
            port: processes::free_port(),
            mock: mock.start().await,
            events: readers.start().await,
            effects: folder.0.join("effects"),
            system_prompt: "Be brief.".to_owned(),
            tool_time: 80,
            inactivity_timeout: Duration::from_secs(60),
            step_timeout: Duration::from_secs(60),
            has_hook: false,
            has_approver: false,
            is_sdk_server: false,
            ingress: None,
        };
        change(&mut settings);
        let server = processes::server(&folder.0);
        let ports: Vec<u16> = (0..workers).map(|_| processes::free_port()).collect();
        settings.port = ports[0];
        let start = |port: &u16| processes::worker(&folder.0, &Settings { port: *port, ..settings.clone() });
        let workers = ports.iter().map(start).collect();
        let port = if ports.len() == 1 { ports[0] } else { processes::balancer(ports).await };
        let uri = format!("http://127.0.0.1:{port}");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let rig = Self { workers, server, mock, readers, settings, uri, client, folder };
        rig.register(false).await;
        rig
    }

    /// Registers the workers with the server.
    pub(crate) async fn register(&self, is_breaking: bool) {
        self.register_uri(&self.uri, is_breaking).await;
    }

    pub(crate) async fn register_uri(&self, uri: &str, is_breaking: bool) {
        let body = json!({"uri": uri, "force": true, "breaking": is_breaking});
        eventually("the workers are registered", async || {
            let (status, _) =
                self.request(Method::POST, &format!("{}/deployments", self.server.admin), Some(&body)).await.ok()?;
            status.is_success().then_some(())
        })
        .await;
    }

    /// Sends a request, and returns the status and the JSON of the response.
    pub(crate) async fn request(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<(StatusCode, Value)> {
        let mut request = self.client.request(method, url).header("accept", "application/json").timeout(PATIENCE);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await?;
        let status = response.status();
        let bytes = response.bytes().await?;
        let text = String::from_utf8_lossy(&bytes);
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(text.into_owned()))))
    }

    /// Calls a handler of a session until the server responds.
    pub(crate) async fn call(&self, session: &str, handler: &str, input: Option<&Value>) -> (StatusCode, Value) {
        self.call_of("Rig", session, handler, input).await
    }

    /// Calls a handler of an object of a service.
    pub(crate) async fn call_of(
        &self,
        service: &str,
        session: &str,
        handler: &str,
        input: Option<&Value>,
    ) -> (StatusCode, Value) {
        let url = format!("{}/{service}/{session}/{handler}", self.server.ingress);
        eventually("the server responds", async || {
            let (status, value) = self.request(Method::POST, &url, input).await.ok()?;
            // The ingress learns of a registered service a moment later.
            let is_unknown =
                status == StatusCode::NOT_FOUND && (value["source"] == "ingress" || !value["message"].is_string());
            (status != StatusCode::SERVICE_UNAVAILABLE && !is_unknown).then_some((status, value))
        })
        .await
    }

    /// Sends a turn, whose prompt is the name of a plan and the session.
    pub(crate) async fn send(&self, plan: &str, session: &str) -> Sent {
        self.send_to("Rig", plan, session).await
    }

    /// Sends a turn to an object of a service.
    pub(crate) async fn send_to(&self, service: &str, plan: &str, session: &str) -> Sent {
        let prompt = format!("{plan} {session} {MARKER}");
        let url = format!("{}/{service}/{session}/stream/send", self.server.ingress);
        let body = json!({"prompt": prompt}).to_string();
        // The key makes a repeated request harmless.
        let key = format!("{plan}-{session}-{}", fastrand::u64(..));
        let run_id = eventually("the turn is accepted", async || {
            let request =
                self.client.post(&url).header("content-type", "application/json").header("idempotency-key", &key);
            let response = request.body(body.clone()).timeout(Duration::from_secs(10)).send().await.ok()?;
            let accepted: Value = serde_json::from_slice(&response.bytes().await.ok()?).ok()?;
            accepted["invocationId"].as_str().map(str::to_owned)
        })
        .await;
        Sent { session: session.to_owned(), prompt, run_id }
    }

    /// Waits for the end of a turn.
    pub(crate) async fn end(&self, sent: &Sent) -> (StatusCode, Value) {
        let url = format!("{}/restate/invocation/{}/attach", self.server.ingress, sent.run_id);
        eventually("the turn ends", async || {
            let (status, value) = self.request(Method::GET, &url, None).await.ok()?;
            (status != StatusCode::SERVICE_UNAVAILABLE).then_some((status, value))
        })
        .await
    }

    /// Runs an SQL query on the server.
    pub(crate) async fn query(&self, query: &str) -> Vec<Value> {
        let url = format!("{}/query", self.server.admin);
        let body = json!({"query": query});
        eventually("the server responds to a query", async || {
            let (status, value) = self.request(Method::POST, &url, Some(&body)).await.ok()?;
            status.is_success().then(|| value["rows"].as_array().cloned().unwrap_or_default())
        })
        .await
    }

    /// Returns the failures that the server shows.
    pub(crate) async fn failures(&self) -> Vec<String> {
        let rows = self.query("select last_failure, completion_failure from sys_invocation").await;
        let columns = rows.iter().flat_map(|row| [&row["last_failure"], &row["completion_failure"]]);
        columns.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Panics if a failure shows a mismatch of journals, or something of a conversation.
    pub(crate) async fn check_failures(&self) {
        for failure in self.failures().await {
            assert!(!failure.contains(MISMATCH), "a journal does not fit: {failure}");
            assert!(!failure.contains(MARKER), "a failure quotes the conversation: {failure}");
        }
        let log = self.server.process.log();
        assert!(!log.contains(MARKER), "the server's log quotes the conversation");
    }

    /// Reads what the server has recorded of a turn, so that the model finds out if it is begun again.
    pub(crate) async fn note_records(&self, sent: &Sent) -> usize {
        self.note_records_of(&sent.session, &sent.run_id).await
    }

    pub(crate) async fn note_records_of(&self, session: &str, run_id: &str) -> usize {
        let query = format!("select index, entry_json from sys_journal where id = '{run_id}'");
        let entries: Vec<Value> = self.query(&query).await;
        let entries = entries.iter().filter_map(|row| serde_json::from_str::<Value>(row["entry_json"].as_str()?).ok());
        let entries: Vec<Value> = entries.collect();
        let completed = |id: &Value| {
            let ends = entries.iter().map(|entry| &entry["Notification"]["Completion"]["Run"]);
            ends.filter(|end| end["completion_id"] == *id && !id.is_null())
                .find_map(|end| end["result"]["Success"].as_array())
        };
        for run in entries.iter().map(|entry| &entry["Command"]["Run"]) {
            let (Some(name), Some(record)) = (run["name"].as_str(), completed(&run["completion_id"])) else { continue };
            let parts: Vec<&str> = name.split('/').collect();
            let mut log = self.mock.log();
            if let ["model", call, "1"] = parts[..] {
                log.recorded_responses.insert((session.to_owned(), call.parse().unwrap()));
            } else if let ["tools", ..] = parts[..] {
                let bytes: Vec<u8> = record.iter().map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap()).collect();
                let record: Value = serde_json::from_slice(&bytes).unwrap();
                if let Some(id) = record["value"]["ended"]["call"]["toolUseId"].as_str()
                    && record["value"]["ended"]["answer"]["interrupts"].is_null()
                {
                    log.recorded_results.insert(id.to_owned());
                }
            }
        }
        entries.len()
    }

    pub(crate) async fn history(&self, session: &str) -> (Vec<Value>, Vec<String>) {
        let (status, history) = self.call(session, "history", None).await;
        assert!(status.is_success(), "{history}");
        plan::normalized(history["messages"].as_array().unwrap())
    }

    /// Checks that a turn has ended as an undisturbed one, each tool has had its effect once, and the reader has seen it all.
    pub(crate) async fn check(&self, sent: &Sent) {
        assert!(self.is_seen_to_its_end(sent).await, "{}: the reader has not seen the end", sent.session);
    }

    /// Does the same, but returns false if the reader has not seen the end: the worker was killed as the turn ended, so that no
    /// attempt publishes it again.
    pub(crate) async fn is_seen_to_its_end(&self, sent: &Sent) -> bool {
        let plan = Plan::of(&sent.prompt);
        let (status, response) = self.end(sent).await;
        assert!(status.is_success(), "{}: {status} {response}", sent.session);
        let expected = plan::history(plan, &sent.prompt, &sent.session);
        let (messages, ids) = self.history(&sent.session).await;
        assert_eq!(messages, expected, "{}", sent.session);
        assert_eq!(response["text"], plan::text(&sent.session, plan.responses()));
        self.check_effects(&sent.session, &ids);
        let texts: Vec<String> = (1..=plan.responses()).map(|number| plan::text(&sent.session, number)).collect();
        let began = Instant::now();
        let shown = loop {
            let shown = self.readers.shown(&sent.run_id);
            if shown.ended || began.elapsed() > READER_PATIENCE {
                break shown;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!(shown.problems, [""; 0], "{}", sent.session);
        let expected = if shown.ended { &texts[..] } else { &texts[..shown.texts.len()] };
        assert_eq!(shown.texts, expected, "{}", sent.session);
        shown.ended
    }

    pub(crate) fn check_effects(&self, session: &str, ids: &[String]) {
        let folder = self.settings.effects.join(session);
        let files = std::fs::read_dir(folder).into_iter().flatten();
        let mut effects: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        effects.sort();
        let mut ids = ids.to_vec();
        ids.sort();
        assert_eq!(effects, ids, "effects of the tools of {session}");
    }

    /// Checks that nothing that was recorded was begun again.
    pub(crate) fn check_repeated(&self) {
        assert_eq!(self.mock.log().repeated, [""; 0]);
    }
}

/// Repeats a probe until it has a value.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
