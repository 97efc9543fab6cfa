//! Approvals: bookings in stored sessions that wait for a manager, and the responses to them.

use std::io::{self, Write};

use clap::Subcommand;
use strands::{Prompt, identity::Identity, serve::PendingApproval};

use super::{BoxError, Outcome, System, Terminal, turn};
use crate::access;

/// Maximum number of listed requests.
const LIMIT: usize = 200;

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
    /// Runs the command for the user as the approver.
    pub(crate) async fn run(&self, system: &System) -> Result<Outcome, BoxError> {
        let (approver, mut terminal) = (&system.user, Terminal::standard());
        let service = system.service(system.args.session.store().await?);
        let pending = service.approvals(approver, LIMIT).await?;
        let (Self::Approve { id } | Self::Deny { id, .. }) = self else {
            list(&pending, approver, &mut terminal)?;
            return Ok(Outcome::Completed);
        };
        let found = pending.into_iter().find(|pending| pending.request.id() == *id);
        let PendingApproval { session_id, request, .. } = found.ok_or_else(|| {
            format!(
                "no booking `{id}` waits for an approval by {}: see the list of a manager with `approvals`",
                approver.subject
            )
        })?;
        let response = match self {
            Self::Deny { reason: Some(reason), .. } => request.deny_with(reason),
            Self::Deny { .. } => request.deny(),
            _ => request.approve(),
        };
        let requester = request.requested_by.ok_or("the request does not name the user who asked")?;
        let resumed = service.turn(requester, session_id, Prompt::none()).resume([response]).approver(approver.clone());
        Ok(turn(resumed, system.args.output(), &mut terminal).await??)
    }
}

fn list(
    pending: &[PendingApproval],
    approver: &Identity,
    terminal: &mut Terminal<impl Write, impl Write>,
) -> io::Result<()> {
    let mut requests = pending.iter().map(|it| &it.request).filter(|it| it.may_be_approved_by(approver)).peekable();
    if requests.peek().is_none() {
        return terminal.data(&format!("No booking waits for the approval of {}.", approver.subject));
    }
    for request in requests {
        let requester = request.requested_by.as_ref().map_or("?", access::username);
        let (id, tool, reason) = (request.id(), &request.tool, &request.requirement.reason);
        terminal.data(&format!("{id}  {tool} for {requester}: {reason}"))?;
        terminal.data(&format!("              {}", request.input))?;
    }
    Ok(())
}
