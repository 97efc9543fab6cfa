//! A promptable: a panel of others, which are prompted concurrently and whose responses are joined.

use std::sync::Arc;

use futures_util::future::try_join_all;
use futures_util::stream::{StreamExt, iter, once};
use strands::message::Message;
use strands::models::StopReason;
use strands::{AgentError, AgentEvent, AgentResponse, PromptRequest, PromptStream, Promptable};
use uuid::Uuid;

/// Several promptables that respond to the same prompt.
#[derive(Clone)]
pub struct Panel(Arc<[Arc<dyn Promptable>]>);

impl Panel {
    pub fn of(members: impl IntoIterator<Item = Arc<dyn Promptable>>) -> Self {
        Self(members.into_iter().collect())
    }

    async fn ask(self, request: PromptRequest) -> Result<AgentEvent, AgentError> {
        // The members share the cancellation of the request, and what is injected into it.
        let responses = try_join_all(self.0.iter().map(|member| response(&**member, request.clone()))).await?;
        let answers = self.0.iter().zip(&responses).map(|(member, said)| format!("{}: {}", member.name(), said.text()));
        let answers: Vec<String> = answers.collect();
        let stopped = responses.iter().map(|response| &response.stop_reason).find(|why| **why != StopReason::EndTurn);
        let stop_reason = stopped.cloned().unwrap_or(StopReason::EndTurn);
        let mut joined = AgentResponse::new(Message::assistant(answers.join("\n")), stop_reason);
        for response in &responses {
            joined.usage.add(response.usage);
            joined.turns += response.turns;
        }
        Ok(AgentEvent::Result { response: Box::new(joined) })
    }
}

async fn response(member: &dyn Promptable, request: PromptRequest) -> Result<AgentResponse, AgentError> {
    let mut events = member.stream(request);
    while let Some(event) = events.next().await {
        if let AgentEvent::Result { response } = event? {
            return Ok(*response);
        }
    }
    Err(AgentError::Promptable { name: member.name().to_owned(), source: "the stream has just ended".into() })
}

impl Promptable for Panel {
    fn name(&self) -> &str {
        "panel"
    }

    fn description(&self) -> &str {
        "Asks several experts at the same time."
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        let start = AgentEvent::start(Uuid::new_v4().to_string(), "panel", self.name());
        iter([Ok(start)]).chain(once(self.clone().ask(request))).boxed()
    }
}
