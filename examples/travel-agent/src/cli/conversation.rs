//! A user's conversation with the agent, on the terminal.

use std::io::{self, Write};

use strands::{
    Agent, Interrupt,
    identity::{ApprovalRequest, Identity},
    serve::{AgentService, SessionChoice, TurnError},
};

use super::{
    Terminal,
    turn::{Outcome, Output, turn},
};

/// Prompt that takes back what the conversation waits for.
const WITHDRAW: &str = "withdraw";

/// A user's conversation.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) service: AgentService,
    pub(crate) identity: Identity,
    pub(crate) session: SessionChoice,
    pub(crate) output: Output,
}

impl Conversation {
    /// Runs a turn with a prompt. While the conversation waits for an approval, it shows the request instead, or withdraws it.
    ///
    /// The outer error is of the terminal, the inner one of the agent. After an inner error the conversation can continue.
    pub(crate) async fn reply<O: Write, E: Write>(
        &self,
        prompt: &str,
        terminal: &mut Terminal<O, E>,
    ) -> io::Result<Result<Outcome, TurnError>> {
        let mut agent = match self.open().await {
            Ok(agent) => agent,
            Err(error) => return Ok(Err(error)),
        };
        let interrupts = agent.interrupts();
        if interrupts.is_empty() {
            drop(agent);
            return turn(self.service.turn(self.identity.clone(), self.session.clone(), prompt), self.output, terminal)
                .await;
        }
        if prompt == WITHDRAW {
            return match agent.discard_interrupts().await {
                Ok(()) => terminal.note("(withdrawn)").map(|()| Ok(Outcome::Completed)),
                Err(error) => Ok(Err(error.into())),
            };
        }
        interrupts.iter().try_for_each(|interrupt| terminal.note(&waiting(interrupt, self.output)))?;
        terminal.note(&format!("(the conversation waits; `{WITHDRAW}` takes the request back)"))?;
        Ok(Ok(Outcome::Waiting))
    }

    async fn open(&self) -> Result<Agent, TurnError> {
        self.service.open(&self.identity, self.session.clone()).await
    }
}

/// Formats the note about an interrupt.
pub(super) fn waiting(interrupt: &Interrupt, output: Output) -> String {
    if let Some(request) = ApprovalRequest::from_interrupt(interrupt) {
        let (reason, approvers) = (&request.requirement.reason, request.requirement.approvers.join(" or "));
        let id = request.id();
        return if output.is_stored {
            format!("({reason}: a {approvers} may run `travel-agent approve {id}`, or `deny {id}`)")
        } else {
            format!("({reason}; a {approvers} can approve it only in a stored conversation: use --session)")
        };
    }
    let question = interrupt.reason.get("message").and_then(|message| message.as_str());
    format!("(a tool has a question: {})", question.unwrap_or(&interrupt.name))
}
