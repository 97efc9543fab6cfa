//! Approvals: the requests that an identity may respond to, and responses, which resume the suspended run.
//!
//! A run is resumed for its requester, also if another responds. The requester's own responses come with the requester's verified identity.
//! For the response of another, the identity is the one in the request, as the approval hook stored it when the requester was
//! verified: subject, issuer, name, roles and scopes, without claims. So the approver never acts as the requester, and the requester
//! never gets rights of the approver: the approver's identity is injected as [`Approver`](strands_identity::Approver) alone, which
//! only approval hooks read. A tool or a policy that needs a claim finds none, and refuses the call.

use futures_util::StreamExt as _;
use serde_json::Value;
use strands_core::session::SessionError;
use strands_core::{AgentEvent, Interrupt, InterruptResponse, InterruptedCall, Prompt};
use strands_identity::{ApprovalRequest, Identity, Trust};
use strands_session::OpenInterrupts;

use super::sessions::StoredSession;
use super::stored_runs::newest_run;
use super::{AgentService, Disconnect, TurnError, TurnRequest};
use crate::run::Turn;

/// Maximum number of responses of one request.
const MAX_REPLIES: usize = 64;

/// A request for an approval that waits for a response.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PendingApproval {
    /// Id of the session that waits. The request itself has none if an agent that is a tool has raised it.
    pub session_id: String,
    /// Id of the run that waits. `None` if the session has no id of it, such as one that Strands wrote.
    pub run_id: Option<String>,
    /// True if the call is one of the identity's own session.
    pub is_own: bool,
    /// The request. Approvers other than the owner of the session see the call, and nothing else of the session.
    pub request: ApprovalRequest,
}

/// A response to an interrupt.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// A decision about an approval.
    #[non_exhaustive]
    Decision {
        /// Id of the [`ApprovalRequest`], or of its interrupt.
        id: String,
        /// True to approve the call.
        approve: bool,
        /// Reason of a denial, which the model reads.
        reason: Option<String>,
        /// Trust in the tool after an approval.
        trust: Trust,
    },
    /// A response to an interrupt of any kind, from the owner of the session.
    #[non_exhaustive]
    Response(InterruptResponse),
}

impl Reply {
    /// Creates a decision about the approval with this id, or about the one of the interrupt with this id.
    pub fn decision(id: impl Into<String>, approve: bool) -> Self {
        Self::Decision { id: id.into(), approve, reason: None, trust: Trust::Call }
    }

    /// Creates a decision with a reason and trust.
    pub fn decision_with(id: impl Into<String>, approve: bool, reason: Option<String>, trust: Trust) -> Self {
        Self::Decision { id: id.into(), approve, reason, trust }
    }

    /// Creates a response to the interrupt with this id.
    pub fn response(interrupt_id: impl Into<String>, response: impl Into<Value>) -> Self {
        Self::Response(InterruptResponse::new(interrupt_id, response))
    }
}

/// Run that was resumed by replies.
#[derive(Debug)]
#[non_exhaustive]
pub enum Replied {
    /// The run of the identity's own session, with its events.
    Own(Turn),
    /// The reply was accepted. The run goes on for its requester.
    #[non_exhaustive]
    Accepted {
        /// Id of the run.
        run_id: String,
    },
}

/// A suspended agent, as an identity may see it.
struct Suspended {
    open: OpenInterrupts,
    is_own: bool,
}

impl AgentService {
    /// Returns the requests for approvals that an identity may respond to: those of its own sessions, and those of others that name a
    /// role of the identity. They are found in the store.
    ///
    /// A request of another that names no role is not listed: it may be approved by the owner of the session alone. With
    /// [`SessionIds::per_issuer`](strands_identity::SessionIds::per_issuer), requests of users of other issuers are not listed.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::Overloaded`] if too many lists are being read, [`TurnError::UserBusy`] if too many of this user are, and
    /// another error if the sessions can't be listed.
    pub async fn approvals(&self, identity: &Identity, limit: usize) -> Result<Vec<PendingApproval>, TurnError> {
        let _listing = self.listing(identity)?;
        let mut found = Vec::new();
        let mut suspended = std::pin::pin!(self.suspended(identity, |_| true));
        while let Some(Suspended { open, is_own }) = suspended.next().await.transpose()? {
            let calls = open.calls.iter().flat_map(|call| requests(&open, call));
            let visible: Vec<_> = calls
                .filter(|request| {
                    is_own || self.may_approve(identity, &open.session_id, request, Expiry::Counts).is_some()
                })
                .collect();
            if visible.is_empty() {
                continue;
            }
            let run_id = self.run_of(&open).await?;
            let pending = |request| PendingApproval {
                session_id: open.session_id.to_string(),
                run_id: run_id.clone(),
                is_own,
                request,
            };
            found.extend(visible.into_iter().map(pending));
            if found.len() >= limit {
                found.truncate(limit);
                break;
            }
        }
        Ok(found)
    }

    /// Resumes a suspended run with replies of an identity: of the owner of the session, or of one that may approve.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::UnknownApproval`] if the run has no such request that the identity may respond to, or if it has a response
    /// already, [`TurnError::Agent`] with an [`ApprovalError`](strands_identity::ApprovalError) if a hook refuses the reply or its
    /// audit fails, and [`TurnError::SessionBusy`] if another reply or prompt was first. After a failure of the audit the reply is
    /// stored, and the next prompt of the owner records it and makes the call.
    pub async fn reply(&self, identity: &Identity, run_id: &str, replies: Vec<Reply>) -> Result<Replied, TurnError> {
        self.reply_with(identity, run_id, replies, |turn| turn).await
    }

    /// As [`reply`](Self::reply), with options of the turn.
    pub(crate) async fn reply_with(
        &self,
        identity: &Identity,
        run_id: &str,
        replies: Vec<Reply>,
        options: impl FnOnce(TurnRequest) -> TurnRequest,
    ) -> Result<Replied, TurnError> {
        if replies.is_empty() || replies.len() > MAX_REPLIES {
            return Err(TurnError::UnknownApproval);
        }
        let Resolved { open, responses, requester } = self.resolve(identity, run_id, &replies).await?;
        let awaited = responses.iter().map(|response| Awaited::of(&response.interrupt_id, &open.calls)).collect();
        let for_identity = requester.clone().unwrap_or_else(|| identity.clone());
        let turn = self.turn(for_identity, open.session_id.as_str(), Prompt::none()).resume(responses).run_id(run_id);
        match requester {
            None => options(turn).start().await.map(Replied::Own),
            Some(_) => {
                let turn = options(turn).with_events().approver(identity.clone()).disconnect(Disconnect::Finish);
                accepted(turn.start().await?, awaited).await?;
                Ok(Replied::Accepted { run_id: run_id.to_owned() })
            }
        }
    }

    /// Finds the interrupts that replies are for.
    async fn resolve(&self, identity: &Identity, run_id: &str, replies: &[Reply]) -> Result<Resolved, TurnError> {
        let _listing = self.listing(identity)?;
        let ids = self.session_ids();
        // The identity's own sessions first: they are few.
        for own in [true, false] {
            let mut suspended = std::pin::pin!(self.suspended(identity, |id| ids.owns(identity, id) == own));
            while let Some(Suspended { open, is_own }) = suspended.next().await.transpose()? {
                let Some((responses, requester)) = self.responses(identity, &open, is_own, replies) else { continue };
                // The ids of interrupts are unique within a session only.
                if self.run_of(&open).await?.as_deref() == Some(run_id) {
                    return Ok(Resolved { open, responses, requester });
                }
            }
        }
        Err(TurnError::UnknownApproval)
    }

    /// Returns the responses of replies, and the requester if it is not the identity. `None` if an reply is not for this agent, or
    /// if the identity may not give it.
    fn responses(
        &self,
        identity: &Identity,
        open: &OpenInterrupts,
        is_own: bool,
        replies: &[Reply],
    ) -> Option<(Vec<InterruptResponse>, Option<Identity>)> {
        let requests: Vec<ApprovalRequest> = open.calls.iter().flat_map(|call| requests(open, call)).collect();
        let mut responses: Vec<InterruptResponse> = Vec::new();
        let mut requester: Option<Identity> = None;
        for reply in replies {
            let response = match reply {
                Reply::Decision { id, approve, reason, trust } => {
                    let request = requests.iter().find(|it| it.id() == *id || it.interrupt_id == *id)?;
                    if !is_own {
                        let found = self.may_approve(identity, &open.session_id, request, Expiry::IsChecked)?;
                        if requester.as_ref().is_some_and(|other| other != found) {
                            return None;
                        }
                        requester = Some(found.clone());
                    }
                    match (approve, reason) {
                        (true, _) => request.approve_with(*trust),
                        (false, Some(reason)) => request.deny_with(reason),
                        (false, None) => request.deny(),
                    }
                }
                Reply::Response(response) => {
                    let mut pending = open.calls.iter().flat_map(|call| &call.interrupts);
                    let is_pending = pending.any(|interrupt: &Interrupt| interrupt.id == response.interrupt_id);
                    (is_own && is_pending).then(|| response.clone())?
                }
            };
            responses.push(response);
        }
        Some((responses, requester))
    }

    /// Returns the requester of a call in another's session that an identity may approve. `None` if it may not.
    fn may_approve<'r>(
        &self,
        identity: &Identity,
        session_id: &str,
        request: &'r ApprovalRequest,
        expiry: Expiry,
    ) -> Option<&'r Identity> {
        let requester = request.requested_by.as_ref()?;
        let ids = self.session_ids();
        // A user of another issuer is another user, and roles of another issuer are others.
        let mut at_issuer = requester.clone();
        at_issuer.issuer.clone_from(&identity.issuer);
        let is_of_requester = ids.owns(requester, session_id) && ids.owns(&at_issuer, session_id);
        let is_named = !request.requirement.approvers.is_empty();
        let mut checked = request.clone();
        if let Expiry::IsChecked = expiry {
            checked.expires_at = None;
        }
        (is_of_requester && is_named && request.is_bound() && checked.may_be_approved_by(identity)).then_some(requester)
    }

    /// Returns the suspended agents in the sessions that `wanted` accepts. Sessions that can't be read are left out, and logged.
    fn suspended<'a>(
        &self,
        identity: &'a Identity,
        wanted: impl FnMut(&str) -> bool + Send + 'a,
    ) -> impl futures_util::Stream<Item = Result<Suspended, TurnError>> + 'a {
        let ids = self.session_ids();
        self.store().open_interrupts_in(wanted).filter_map(move |open| {
            std::future::ready(match open {
                Ok(open) => {
                    let is_own = ids.owns(identity, &open.session_id);
                    Some(Ok(Suspended { open, is_own }))
                }
                Err(error @ SessionError::Corrupt { .. }) => {
                    tracing::warn!(error = format!("{error:?}"), "a session is left out of the approvals");
                    None
                }
                Err(error) => Some(Err(TurnError::session(error))),
            })
        })
    }

    /// Returns the id of the run of a suspended agent.
    async fn run_of(&self, open: &OpenInterrupts) -> Result<Option<String>, TurnError> {
        match self.read_session(&open.session_id, &open.agent_id).await {
            Ok(StoredSession { messages, .. }) => Ok(newest_run(&messages).map(str::to_owned)),
            // Deleted meanwhile, or in the layout of snapshots, which the service does not write.
            Err(TurnError::UnknownSession) => Ok(None),
            // One session that can't be read must not hide the requests of all others.
            Err(TurnError::Session(error)) if matches!(*error, SessionError::Corrupt { .. }) => {
                tracing::warn!(error = format!("{error:?}"), "the run of an approval can't be read");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Replies, with the agent that they are for.
struct Resolved {
    open: OpenInterrupts,
    responses: Vec<InterruptResponse>,
    /// The identity for which the run is resumed, if the approver is another.
    requester: Option<Identity>,
}

/// Treatment of requests that have expired.
#[derive(Clone, Copy)]
enum Expiry {
    /// They are not listed.
    Counts,
    /// The hook checks them: it refuses an approval with the reason.
    IsChecked,
}

/// Returns the requests of an interrupted call, without those that name another session, agent or call: their reason is not one that
/// an approval hook wrote there. An agent that is a tool has no session, and an id of its own.
fn requests(open: &OpenInterrupts, call: &InterruptedCall) -> Vec<ApprovalRequest> {
    let mut requests = ApprovalRequest::from_stored(&open.session_id, &open.agent_id, call);
    requests.retain(|request| {
        let is_here = request.session_id.as_deref() == Some(&*open.session_id) && request.agent_id == open.agent_id;
        let is_nested = request.session_id.is_none();
        (if call.within.is_empty() { is_here } else { is_nested })
            && request.tool == call.tool_use.name
            && request.tool_use_id == call.tool_use.tool_use_id
    });
    requests
}

/// Waits until a run has stored its responses, which is before it does anything else. An agent that is a tool stores those to its own
/// interrupts.
async fn accepted(mut turn: Turn, mut awaited: Vec<Awaited>) -> Result<(), TurnError> {
    while let Some(event) = turn.next().await {
        let event = event?;
        let left = match event.event() {
            AgentEvent::Interrupt { interrupts } => interrupts,
            AgentEvent::Result { response } => &response.interrupts,
            event => {
                awaited.retain(|response| !response.is_taken_before(event));
                if awaited.is_empty() {
                    return Ok(());
                }
                continue;
            }
        };
        let is_left = awaited.iter().any(|response| left.iter().any(|left| left.id == response.interrupt_id));
        // Stopped before: nothing has changed.
        return if is_left { Err(TurnError::Overloaded) } else { Ok(()) };
    }
    Err(TurnError::Aborted)
}

/// A response that an agent has not taken yet.
struct Awaited {
    interrupt_id: String,
    /// Path of the events of the agent.
    path: Vec<String>,
}

impl Awaited {
    fn of(interrupt_id: &str, calls: &[InterruptedCall]) -> Self {
        let has_id = |interrupt: &Interrupt| interrupt.id == interrupt_id;
        let call = calls.iter().find(|call| call.interrupts.iter().any(has_id));
        let within = call.into_iter().flat_map(|call| &call.within);
        let path = within.map(|call| format!("{}:{}", call.name, call.tool_use_id)).collect();
        Self { interrupt_id: interrupt_id.to_owned(), path }
    }

    /// Returns true for an event that comes after the agent has taken the response: of its model or its tools, or the end of a call
    /// within which it ran.
    fn is_taken_before(&self, event: &AgentEvent) -> bool {
        let path = event.path();
        if !path.iter().zip(&self.path).all(|(part, own)| **part == **own) {
            return false;
        }
        match event.leaf() {
            _ if path.len() > self.path.len() => true,
            AgentEvent::ToolEnd { tool_use, .. } => self
                .path
                .get(path.len())
                .is_none_or(|call| *call == format!("{}:{}", tool_use.name, tool_use.tool_use_id)),
            // These come before the responses are stored.
            AgentEvent::Start { .. } | AgentEvent::Guardrail { .. } => false,
            AgentEvent::Interrupt { .. } | AgentEvent::Result { .. } => false,
            _ => path.len() == self.path.len(),
        }
    }
}
