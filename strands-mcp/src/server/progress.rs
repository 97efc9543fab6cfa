//! Progress of a tool call: events of the tool become progress notifications and log messages. The queue between them is bounded: while the
//! client is slow, texts are joined, and then the oldest notifications are left out.
#![expect(deprecated, reason = "log messages are deprecated by the protocol, but not removed")]

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken};
use serde_json::Value;
use strands_core::AgentEvent;
use strands_core::metrics::Usage;
use tokio::sync::Notify;

/// Maximum number of notifications in the queue.
const CAPACITY: usize = 64;

/// Maximum length of joined text in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// Progress of one call.
#[derive(Default)]
pub(super) struct Progress {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Report>,
    ended: bool,
    usage: Option<Usage>,
}

/// One report of a tool.
#[derive(Clone, Debug, Default, PartialEq)]
struct Report {
    progress: Option<f64>,
    total: Option<f64>,
    message: Option<String>,
    /// True for streamed text, which is joined with the text after it.
    is_text: bool,
    log: Option<LoggingMessageNotificationParam>,
}

/// A notification of a call.
pub(super) enum Notification {
    Progress(ProgressNotificationParam),
    Log(LoggingMessageNotificationParam),
}

impl Progress {
    /// Adds an event of the call.
    pub(super) fn add(&self, event: AgentEvent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            AgentEvent::ToolProgress { data, .. } => state.push(Report::of_data(data)),
            AgentEvent::Node { path, event, .. } => match *event {
                // The usage of an agent includes that of agents that it calls.
                AgentEvent::Result { response } if path.len() == 1 => {
                    state.usage.get_or_insert_default().add(response.usage);
                }
                AgentEvent::TextDelta { text } => {
                    state.push(Report { message: Some(text), is_text: true, ..Report::default() });
                }
                AgentEvent::ToolStart { tool_use } => {
                    let message = Some(format!("calling `{}`", tool_use.name));
                    state.push(Report { message, ..Report::default() });
                }
                AgentEvent::ToolProgress { data, .. } => state.push(Report::of_data(data)),
                _ => {}
            },
            _ => {}
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Ends the progress: `notifications` ends after those in the queue.
    pub(super) fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.changed.notify_one();
    }

    /// Returns the token usage of the agents that the tool called, as far as it forwarded their events.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).usage
    }

    /// Waits for the next notification; `None` after the end.
    pub(super) async fn next(&self, sent: &mut Sent) -> Option<Notification> {
        loop {
            {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                while let Some(report) = state.queue.pop_front() {
                    if let Some(notification) = sent.notification(report) {
                        return Some(notification);
                    }
                }
                if state.ended {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }
}

impl State {
    fn push(&mut self, report: Report) {
        if let (true, Some(Report { message: Some(last), is_text: true, .. }), Some(text)) =
            (report.is_text, self.queue.back_mut(), &report.message)
            && last.len() + text.len() <= MAX_TEXT
        {
            last.push_str(text);
            return;
        }
        if self.queue.len() >= CAPACITY {
            self.queue.pop_front();
        }
        self.queue.push_back(report);
    }
}

impl Report {
    /// Reads the data of a tool: a number, a text, an object with `progress`, `total` and `message`, a log message, or any
    /// other JSON.
    fn of_data(data: Value) -> Self {
        match data {
            Value::String(message) => Self { message: Some(message), ..Self::default() },
            Value::Number(progress) => Self { progress: progress.as_f64(), ..Self::default() },
            Value::Object(fields) if fields.get("progress").is_some_and(Value::is_number) => Self {
                progress: fields.get("progress").and_then(Value::as_f64),
                total: fields.get("total").and_then(Value::as_f64),
                message: fields.get("message").and_then(Value::as_str).map(str::to_owned),
                ..Self::default()
            },
            data if data.get("level").is_some() && data.get("data").is_some() => Self {
                message: data.get("data").map(|text| text.as_str().map_or_else(|| text.to_string(), str::to_owned)),
                log: serde_json::from_value(data).ok(),
                ..Self::default()
            },
            data => Self { message: Some(data.to_string()), ..Self::default() },
        }
    }
}

/// Notifications that the client has asked for, and their state.
pub(super) struct Sent {
    token: Option<ProgressToken>,
    log_level: Option<LoggingLevel>,
    /// The last number of a progress notification. Numbers have to increase.
    last: Option<f64>,
}

impl Sent {
    pub(super) fn new(token: Option<ProgressToken>, log_level: Option<LoggingLevel>) -> Self {
        Self { token, log_level, last: None }
    }

    /// Returns true if the client wants no notifications.
    pub(super) fn is_unwanted(&self) -> bool {
        self.token.is_none() && self.log_level.is_none()
    }

    fn notification(&mut self, report: Report) -> Option<Notification> {
        if let (Some(log), Some(least)) = (&report.log, self.log_level) {
            return (severity(log.level) >= severity(least)).then(|| Notification::Log(log.clone()));
        }
        let progress = match (report.progress, self.last) {
            (Some(progress), Some(last)) if progress <= last => last.next_up(),
            (Some(progress), _) => progress,
            (None, last) => last.unwrap_or_default() + 1.0,
        };
        self.last = Some(progress);
        let mut notification = ProgressNotificationParam::new(self.token.clone()?, progress);
        notification.total = report.total;
        notification.message = report.message;
        Some(Notification::Progress(notification))
    }
}

fn severity(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rmcp::model::{NumberOrString, ProgressToken};
    use serde_json::{Value, json};
    use strands_core::AgentEvent;
    use strands_core::message::ToolUse;

    use super::{CAPACITY, Notification, Progress, Sent};

    fn reported(data: Value) -> AgentEvent {
        AgentEvent::ToolProgress { tool_use: Arc::new(ToolUse::new("1", "t", json!({}))), data }
    }

    async fn notifications(progress: &Progress) -> Vec<(f64, Option<f64>, Option<String>)> {
        progress.end();
        let mut sent = Sent::new(Some(ProgressToken(NumberOrString::Number(1))), None);
        let mut all = Vec::new();
        while let Some(Notification::Progress(next)) = progress.next(&mut sent).await {
            all.push((next.progress, next.total, next.message));
        }
        all
    }

    #[tokio::test]
    async fn numbers_increase() {
        let progress = Progress::default();
        for data in [json!("start"), json!({"progress": 5, "total": 9, "message": "five"}), json!(5), json!({"row": 1})]
        {
            progress.add(reported(data));
        }
        let all = notifications(&progress).await;
        assert_eq!(all[0], (1.0, None, Some("start".to_owned())));
        assert_eq!(all[1], (5.0, Some(9.0), Some("five".to_owned())));
        assert!(all[2].0 > 5.0 && all[2].0 < 5.1);
        assert_eq!(all[3].2.as_deref(), Some(r#"{"row":1}"#));
        assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[tokio::test]
    async fn text_is_joined_and_the_queue_is_bounded() {
        let progress = Progress::default();
        for word in ["It ", "is ", "sunny."] {
            progress.add(AgentEvent::TextDelta { text: word.to_owned() }.at_node("agent"));
        }
        assert_eq!(notifications(&progress).await, [(1.0, None, Some("It is sunny.".to_owned()))]);
        let progress = Progress::default();
        for number in 0..1_000 {
            progress.add(reported(json!(number)));
        }
        let all = notifications(&progress).await;
        assert_eq!(all.len(), CAPACITY);
        assert_eq!(all.last().map(|last| last.0), Some(999.0));
    }
}
