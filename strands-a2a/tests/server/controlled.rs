//! An agent whose events are chosen by the test while it runs.

use std::pin::pin;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use serde_json::json;
use strands::message::Message;
use strands::models::StopReason;
use strands::{
    AgentError, AgentEvent, AgentResponse, CancellationToken, Interrupt, PromptRequest, PromptStream, Promptable,
};
use tokio::sync::{Mutex, mpsc};

pub(crate) enum Step {
    Text(&'static str),
    Event(AgentEvent),
    End(AgentResponse),
    Fail(AgentError),
    Panic,
    /// Ends the stream without a response.
    Stop,
}

/// A prompt of the agent.
pub(crate) struct Prompted {
    pub(crate) request: PromptRequest,
    pub(crate) steps: mpsc::UnboundedSender<Step>,
}

impl Prompted {
    pub(crate) fn step(&self, step: Step) {
        self.steps.send(step).unwrap_or_else(|_| panic!("the agent is gone"));
    }

    /// Ends with a text.
    pub(crate) fn end(&self, text: &str) {
        self.step(Step::End(AgentResponse::new(Message::assistant(text), StopReason::EndTurn)));
    }
}

/// A response that waits for a response to an interrupt with the id `a`.
pub(crate) fn question() -> AgentResponse {
    let mut question = AgentResponse::new(Message::assistant(""), StopReason::Interrupt);
    question.interrupts = vec![Interrupt::new("a", "approval", json!("Book it?"))];
    question
}

pub(crate) struct Controlled {
    prompts: mpsc::UnboundedSender<Prompted>,
    obeys: bool,
}

/// The prompts of an agent, in their order.
#[derive(Clone)]
pub(crate) struct Prompts(Arc<Mutex<mpsc::UnboundedReceiver<Prompted>>>);

impl Prompts {
    pub(crate) async fn next(&self) -> Prompted {
        self.0.lock().await.recv().await.unwrap()
    }
}

impl Controlled {
    pub(crate) fn new() -> (Self, Prompts) {
        let (prompts, receiver) = mpsc::unbounded_channel();
        (Self { prompts, obeys: true }, Prompts(Arc::new(Mutex::new(receiver))))
    }

    /// Ignores cancellations.
    pub(crate) fn stubborn(mut self) -> Self {
        self.obeys = false;
        self
    }
}

impl Promptable for Controlled {
    fn name(&self) -> &str {
        "controlled"
    }

    fn description(&self) -> &str {
        "Does as it is told."
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        let (steps, receiver) = mpsc::unbounded_channel();
        let cancellation = if self.obeys { request.cancellation.clone() } else { CancellationToken::new() };
        let prompts = self.prompts.clone();
        let started = stream::once(async move {
            prompts.send(Prompted { request, steps }).unwrap_or_else(|_| panic!("the test is over"));
            Ok(AgentEvent::start("1", "controlled", "controlled"))
        });
        let events = stream::unfold((receiver, cancellation), |(mut receiver, cancellation)| async move {
            let step = {
                let canceled = pin!(cancellation.cancelled());
                tokio::select! {
                    step = receiver.recv() => step.unwrap_or(Step::Stop),
                    () = canceled => {
                        let response = AgentResponse::new(Message::assistant(""), StopReason::Cancelled);
                        Step::End(response)
                    }
                }
            };
            let event = match step {
                Step::Text(text) => Ok(AgentEvent::TextDelta { text: text.to_owned() }),
                Step::Event(event) => Ok(event),
                Step::End(response) => Ok(AgentEvent::Result { response: Box::new(response) }),
                Step::Fail(error) => Err(error),
                Step::Panic => panic!("as the test asked"),
                Step::Stop => return None,
            };
            Some((event, (receiver, cancellation)))
        });
        started.chain(events).boxed()
    }
}
