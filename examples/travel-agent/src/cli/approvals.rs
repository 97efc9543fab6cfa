//! Approvals: bookings in stored sessions that wait for a manager, and the responses to them.

use std::{
    error::Error,
    io::{self, Write},
    pin::pin,
};

use clap::Subcommand;
use futures_util::StreamExt;
use serde::Deserialize;
use strands::{
    InterruptResponse, Prompt,
    identity::{ApprovalRequest, Identity},
    serve::AgentService,
    session::SessionStore,
};
use travel_agent::{store::Store, trip::TripOrder};

use super::{Args, Outcome, Terminal, turn};

/// Commands of an approver.
#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalCommand {
    /// List the bookings that wait for an approval.
    Approvals,
    /// Approve a booking: it is made at once, for the traveller who asked.
    Approve {
        /// The id in the list.
        id: String,
    },
    /// Deny a booking.
    Deny {
        /// The id in the list.
        id: String,
        /// The reason, for the traveller.
        #[arg(long)]
        reason: Option<String>,
    },
}

impl ApprovalCommand {
    /// Runs the command for an approver.
    pub(crate) async fn run<O: Write, E: Write>(
        &self,
        args: &Args,
        approver: &Identity,
        (service, store): (&AgentService, &Store),
        terminal: &mut Terminal<O, E>,
    ) -> Result<Outcome, Box<dyn Error>> {
        let open = open_requests(service.store(), terminal).await?;
        let response: (&str, &dyn Fn(&ApprovalRequest) -> InterruptResponse) = match self {
            Self::Approvals => {
                list(&open, approver, &|request| costs(args, store, request), terminal)?;
                return Ok(Outcome::Completed);
            }
            Self::Approve { id } => (id, &|request| request.approve()),
            Self::Deny { id, reason } => (id, &|request| match reason {
                Some(reason) => request.deny_with(reason),
                None => request.deny(),
            }),
        };
        let (id, respond) = response;
        let request = open.iter().find(|request| request.id() == id);
        let request =
            request.ok_or_else(|| format!("no booking `{id}` waits for an approval: see the list with `approvals`"))?;
        let requester = request.requested_by.clone().ok_or("the request does not name the user who asked")?;
        let session = request.session_id.clone().ok_or("the request has no session")?;
        let resumed = service.turn(requester, session, Prompt::none());
        let resumed = resumed.resume([respond(request)]).approver(approver.clone());
        Ok(turn(resumed, args.output(), terminal).await??)
    }
}

/// Returns the requests in all sessions. A session that can't be read is reported.
async fn open_requests<O: Write, E: Write>(
    sessions: &SessionStore,
    terminal: &mut Terminal<O, E>,
) -> io::Result<Vec<ApprovalRequest>> {
    let mut found = Vec::new();
    let mut open = pin!(sessions.open_interrupts());
    while let Some(agent) = open.next().await {
        match agent {
            Ok(agent) => {
                let requests = |call| ApprovalRequest::from_stored(&agent.session_id, &agent.agent_id, call);
                found.extend(agent.calls.iter().flat_map(requests));
            }
            Err(error) => terminal.note(&super::with_causes(&error))?,
        }
    }
    Ok(found)
}

fn list<O: Write, E: Write>(
    open: &[ApprovalRequest],
    approver: &Identity,
    costs: &dyn Fn(&ApprovalRequest) -> String,
    terminal: &mut Terminal<O, E>,
) -> io::Result<()> {
    let open: Vec<_> = open.iter().filter(|request| request.may_be_approved_by(approver)).collect();
    if open.is_empty() {
        return terminal.data(&format!("No booking waits for the approval of {}.", approver.subject));
    }
    for request in open {
        let requester =
            request.requested_by.as_ref().map_or("?", |identity| identity.name.as_deref().unwrap_or(&identity.subject));
        let (id, tool, reason) = (request.id(), &request.tool, &request.requirement.reason);
        terminal.data(&format!("{id}  {tool} for {requester}: {reason}"))?;
        let costs = costs(request);
        if !costs.is_empty() {
            terminal.data(&format!("              {costs}"))?;
        }
        terminal.data(&format!("              {}", request.input))?;
    }
    Ok(())
}

/// Returns the limits that a booking exceeds, from the database rather than from the model.
fn costs(args: &Args, store: &Store, request: &ApprovalRequest) -> String {
    let order = TripOrder::deserialize(&request.input).ok();
    let verdict = order.and_then(|order| store.check(&order.draft(), args.clock().today()).ok());
    let violations = verdict.map(|verdict| verdict.violations).unwrap_or_default();
    violations.into_iter().map(|violation| violation.reason).collect::<Vec<_>>().join("; ")
}
