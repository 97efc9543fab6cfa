//! Reader of events that stays for the whole turn: what it shows at the end is the text of the turn, each once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use strands::AgentEvent;
use strands::durable::restate::{TurnEvent, TurnEventKind};
use strands::message::Role;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;

/// Display of a run by a reader.
#[derive(Clone, Default)]
pub(crate) struct Shown {
    attempt: String,
    next: u64,
    /// Texts of the messages so far.
    pub(crate) texts: Vec<String>,
    /// Deltas since the last message.
    draft: String,
    /// Attempts that have started.
    pub(crate) attempts: Vec<String>,
    pub(crate) ended: bool,
    pub(crate) waiting: bool,
    /// Texts that were shown, and taken back by a new attempt.
    pub(crate) taken_back: usize,
    pub(crate) problems: Vec<String>,
}

impl Shown {
    fn read(&mut self, event: TurnEvent) {
        let TurnEvent { attempt, sequence, kind, .. } = event;
        if matches!(kind, TurnEventKind::AttemptStart) {
            let attempt = attempt.to_string();
            if attempt < self.attempt {
                return;
            }
            if self.attempts.contains(&attempt) {
                self.problems.push("an attempt has started twice".to_owned());
            }
            self.taken_back += self.texts.len();
            let attempts = [std::mem::take(&mut self.attempts), vec![attempt.clone()]].concat();
            let (problems, taken_back) = (std::mem::take(&mut self.problems), self.taken_back);
            *self = Self { attempt, attempts, problems, taken_back, next: 1, ..Self::default() };
            return;
        }
        if *attempt != *self.attempt {
            return;
        }
        if sequence != self.next {
            self.problems.push(format!("event {sequence} follows event {}", self.next - 1));
        }
        self.next = sequence + 1;
        match kind {
            TurnEventKind::Agent { event } => self.agent_event(*event),
            TurnEventKind::Waiting { .. } => self.waiting = true,
            TurnEventKind::End { .. } | TurnEventKind::Failed { .. } => self.ended = true,
            _ => {}
        }
    }

    fn agent_event(&mut self, event: AgentEvent) {
        match event {
            AgentEvent::TextDelta { text } => self.draft.push_str(&text),
            AgentEvent::Retry { .. } => self.draft.clear(),
            AgentEvent::Message { message, .. } if message.role == Role::Assistant => {
                let (text, draft) = (message.text(), std::mem::take(&mut self.draft));
                // A replayed message has no deltas.
                if !draft.is_empty() && draft != text {
                    self.problems.push(format!("deltas `{draft}` of the message `{text}`"));
                }
                self.texts.push(text);
            }
            _ => {}
        }
    }
}

/// Readers of all runs.
#[derive(Clone, Default)]
pub(crate) struct Readers(Arc<Mutex<HashMap<String, Shown>>>);

impl Readers {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Shown>> {
        self.0.lock().unwrap()
    }

    pub(crate) fn shown(&self, run_id: &str) -> Shown {
        self.lock().get(run_id).cloned().unwrap_or_default()
    }

    /// Starts to receive events, and returns the address.
    pub(crate) async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let readers = self.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let readers = readers.clone();
                tokio::spawn(async move {
                    let mut lines = BufReader::new(stream).lines();
                    // The last line of a killed worker may be cut off.
                    while let Ok(Some(line)) = lines.next_line().await {
                        let Ok(event) = serde_json::from_str::<TurnEvent>(&line) else { return };
                        readers.lock().entry(event.run_id.to_string()).or_default().read(event);
                    }
                });
            }
        });
        address
    }
}
