//! One request of an agent that is an object: a turn from its start, or from a wait for responses, to its end or to the next wait.

use std::sync::Arc;
use std::time::Duration;

use strands_core::message::{Message, Role};
use strands_core::metrics::Usage;
use strands_core::models::StopReason;
use strands_core::{AgentError, AgentResponse, Interrupt, InterruptResponse, Limits, PromptRequest, PromptScope};

use super::super::depth;
use super::super::messages::{AnswerInput, FailedTurn, WaitingTurn};
use super::charges::Charges;
use super::error::{ObjectErrorKind, bounded};
use super::ingress::{NotStarted, Started, Watched};
use super::inner_turn::InnerTurn;
use super::place::{Place, Waiting};
use super::prompt::{content, of_header};
use super::{Settings, random_key};
use crate::{TurnOutput, TurnRequest, TurnResponse};

/// Delay before a turn is watched again that has not taken its responses yet.
const NOT_TAKEN_DELAY: Duration = Duration::from_millis(100);

/// Status of a turn that was killed, or cancelled before it began.
const ABORTED: u16 = 409;

/// A request whose turn runs or waits.
pub(super) struct Call {
    settings: Arc<Settings>,
    scope: PromptScope,
    request: PromptRequest,
    turn: InnerTurn,
    charges: Charges,
    next: Next,
}

/// The next step of a call.
enum Next {
    /// Waits for the turn.
    Watch,
    /// Returns the response of a turn that has ended meanwhile.
    Return(Box<TurnResponse>),
    /// Returns the error of a turn that has failed meanwhile. As the first item, it would be that of a rejected request, which leaves the
    /// turn waiting.
    Fail(FailedTurn),
    /// Sends responses to a turn that waits.
    Respond(Box<Waiting>, WaitingTurn),
    /// Stopped before the state of the turn was known.
    Stop(StopReason),
}

impl Call {
    /// Checks a request, and looks up the turn that it resumes.
    ///
    /// # Errors
    ///
    /// Returns an error if the request is rejected. Then nothing has changed.
    pub(super) async fn of(settings: Arc<Settings>, mut request: PromptRequest) -> Result<Self, AgentError> {
        let scope = PromptScope::new(&request, Limits::unlimited())?;
        let place =
            match request.continuation.take() {
                Some(continuation) => Some(Place::of(&continuation, &settings.ingress.service).ok_or_else(|| {
                    ObjectErrorKind::Continuation.of(&settings.name, settings.ingress.service.clone())
                })?),
                None => None,
            };
        match place {
            Some(Place { key, waiting: Some(waiting), .. }) => {
                Self::resuming(settings, scope, request, key, waiting).await
            }
            place => Self::starting(settings, scope, request, place.map(|place| place.key)),
        }
    }

    fn starting(
        settings: Arc<Settings>,
        scope: PromptScope,
        mut request: PromptRequest,
        kept_key: Option<String>,
    ) -> Result<Self, AgentError> {
        if let Some(response) = request.resume.first() {
            return Err(AgentError::UnknownInterrupt { id: response.interrupt_id.clone() });
        }
        let (depth, around) = depth::of_inner_turn(&request)?;
        // A request without a key is never made again.
        let is_durable = request.is_durable && request.idempotency_key.is_some();
        let idempotency_key = request.idempotency_key.as_deref().map_or_else(random_key, of_header);
        let key = kept_key.or_else(|| settings.key.clone()).unwrap_or_else(|| idempotency_key.clone());
        if around.contains(&depth::name_of_object(&settings.ingress.service, &key)) {
            return Err(AgentError::Busy { name: settings.name.clone() });
        }
        let content = content(std::mem::take(&mut request.prompt))
            .ok_or_else(|| ObjectErrorKind::Prompt.of(&settings.name, settings.object(&key)))?;
        let mut turn = TurnRequest::new(content);
        turn.metadata = (settings.turn_metadata)(&request);
        let share = scope.reserve(&request);
        turn.limits = Some(share.limits()).filter(|limits| *limits != Limits::unlimited());
        turn.output = request.output_schema().map(TurnOutput::from);
        (turn.depth, turn.around) = (depth, around);
        turn.traceparent = scope.trace().map(|trace| trace.traceparent().to_owned());
        let cancellation = request.cancellation.clone();
        let turn = InnerTurn::starting(&settings.ingress, key, idempotency_key, turn, cancellation, is_durable);
        Ok(Self { settings, scope, request, turn, charges: Charges::starting(share), next: Next::Watch })
    }

    async fn resuming(
        settings: Arc<Settings>,
        scope: PromptScope,
        request: PromptRequest,
        key: String,
        waiting: Waiting,
    ) -> Result<Self, AgentError> {
        if !request.prompt.messages().is_empty() {
            return Err(AgentError::Interrupted { interrupts: waiting.interrupts });
        }
        if let Some(unknown) = request.resume.iter().find(|given| !waiting.interrupts.contains(&given.interrupt_id)) {
            return Err(AgentError::UnknownInterrupt { id: unknown.interrupt_id.clone() });
        }
        let cancellation = request.cancellation.clone();
        let run_id = waiting.run_id.clone();
        let turn = InnerTurn::running(&settings.ingress, key, run_id, cancellation, request.is_durable);
        let charges = Charges::resuming(&waiting);
        let mut call = Self { settings, scope, request, turn, charges, next: Next::Watch };
        // The turn may have its responses already, from an earlier attempt of this request.
        call.charges.reserve(&call.scope, &call.request);
        let watched = tokio::select! {
            biased;
            reason = call.scope.stopped() => {
                call.next = Next::Stop(reason);
                return Ok(call);
            }
            watched = call.settings.ingress.watch(&call.turn.key, &waiting.run_id) => watched,
        };
        call.next = match watched {
            Ok(Watched::Ended(response)) => Next::Return(response),
            Ok(Watched::Failed(failed)) => Next::Fail(failed),
            Ok(Watched::Waiting(now)) => Next::Respond(Box::new(waiting), now),
            Ok(Watched::Blocked) => Next::Watch,
            Err(kind) => {
                // The turn is still there.
                call.turn.release();
                call.charges.release();
                return Err(call.error(kind));
            }
        };
        Ok(call)
    }

    /// Waits for the turn.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Suspended`] if the turn still waits for responses.
    pub(super) async fn perform(mut self) -> Result<AgentResponse, AgentError> {
        let reason = match std::mem::replace(&mut self.next, Next::Watch) {
            Next::Stop(reason) => reason,
            next => {
                let Self { scope, settings, turn, request, charges, .. } = &mut self;
                let mut work = Work { settings, scope, turn, request, charges };
                tokio::select! {
                    biased;
                    reason = scope.stopped() => reason,
                    ended = work.perform(next) => return ended,
                }
            }
        };
        if self.turn.is_new() {
            self.charges.release();
        }
        self.turn.cancel();
        Ok(AgentResponse::new(Message::new(Role::Assistant, [""; 0]), reason))
    }

    fn error(&self, kind: ObjectErrorKind) -> AgentError {
        kind.of(&self.settings.name, self.settings.object(&self.turn.key))
    }
}

/// The parts of a call while it waits.
struct Work<'a> {
    settings: &'a Settings,
    scope: &'a PromptScope,
    turn: &'a mut InnerTurn,
    request: &'a PromptRequest,
    charges: &'a mut Charges,
}

impl Work<'_> {
    async fn perform(&mut self, next: Next) -> Result<AgentResponse, AgentError> {
        match next {
            Next::Watch | Next::Stop(_) => {
                let Started { run_id, was_found } = match self.turn.started().await {
                    Ok(started) => started,
                    Err(error) => return Err(self.not_started(error)),
                };
                if was_found {
                    self.find_share(&run_id).await;
                }
                match self.settings.ingress.watch(&self.turn.key, &run_id).await {
                    Ok(Watched::Ended(response)) => self.ended(*response),
                    Ok(Watched::Failed(failed)) => Err(self.failed(failed)),
                    Ok(Watched::Waiting(now)) => Ok(self.interrupted(run_id, now, Vec::new())),
                    Ok(Watched::Blocked) => Err(self.blocked()),
                    Err(kind) => Err(self.abandoned(kind)),
                }
            }
            Next::Return(response) => self.ended(*response),
            Next::Fail(failed) => Err(self.failed(failed)),
            Next::Respond(before, now) => self.respond(*before, now).await,
        }
    }

    /// Sends the responses of the request to a turn that waits, and waits for what follows.
    async fn respond(&mut self, before: Waiting, now: WaitingTurn) -> Result<AgentResponse, AgentError> {
        let is_pending = |id: &str| now.interrupts.iter().any(|pending| pending.id == id);
        // Other responses are to interrupts that are gone: this request was made before, or others have responded.
        let responses: Vec<InterruptResponse> =
            self.request.resume.iter().filter(|given| is_pending(&given.interrupt_id)).cloned().collect();
        let mut responded = if before.number == now.number { before.responded } else { Vec::new() };
        if !responses.is_empty() {
            responded.extend(responses.iter().map(|response| response.interrupt_id.clone()));
            let metadata = (self.settings.response_metadata)(self.request);
            let given = AnswerInput { responses, metadata, limits: self.charges.limits() };
            // Without an effect if the turn has taken others meanwhile.
            if let Err(kind) = self.settings.ingress.respond(&self.turn.key, &given).await {
                return Err(self.suspended(kind, before.run_id, now));
            }
        }
        if now.interrupts.iter().any(|pending| !responded.contains(&pending.id)) {
            return Ok(self.interrupted(before.run_id, now, responded));
        }
        loop {
            match self.settings.ingress.watch(&self.turn.key, &before.run_id).await {
                Ok(Watched::Ended(response)) => return self.ended(*response),
                Ok(Watched::Failed(failed)) => return Err(self.failed(failed)),
                Ok(Watched::Blocked) => return Err(self.blocked()),
                Ok(Watched::Waiting(next)) if next.number <= now.number => {
                    tokio::time::sleep(NOT_TAKEN_DELAY).await;
                }
                Ok(Watched::Waiting(mut next)) => match next.refused.take() {
                    Some(reason) => {
                        let kind = ObjectErrorKind::Refused { reason: bounded(reason) };
                        return Err(self.suspended(kind, before.run_id, next));
                    }
                    None => return Ok(self.interrupted(before.run_id, next, Vec::new())),
                },
                Err(kind) => return Err(self.suspended(kind, before.run_id, now)),
            }
        }
    }

    /// Returns the response of a turn that has ended.
    fn ended(&mut self, ended: TurnResponse) -> Result<AgentResponse, AgentError> {
        self.turn.release();
        self.charge(ended.usage, ended.turns, ended.unsettled);
        self.charges.release();
        let mut response = AgentResponse::new(ended.message, StopReason::from(ended.stop_reason.as_str()));
        (response.usage, response.turns) = (ended.usage, ended.turns);
        if let Some(output) = &ended.output {
            response.output = self.request.read_output(output)?;
        }
        if self.request.keeps_conversation {
            response.continuation = self.place(None).continuation();
        }
        Ok(response)
    }

    /// Returns the response of a turn that waits.
    fn interrupted(&mut self, run_id: String, now: WaitingTurn, responded: Vec<String>) -> AgentResponse {
        let (interrupts, place) = self.waiting(run_id, now, responded);
        let mut response = AgentResponse::new(Message::new(Role::Assistant, [""; 0]), StopReason::Interrupt);
        (response.usage, response.turns) = self.charges.charged();
        (response.interrupts, response.continuation) = (interrupts, place.continuation());
        response
    }

    /// Returns the error of a turn that still waits.
    fn suspended(&mut self, kind: ObjectErrorKind, run_id: String, now: WaitingTurn) -> AgentError {
        let source = Box::new(self.error(kind));
        let (interrupts, place) = self.waiting(run_id, now, Vec::new());
        AgentError::Suspended { source, interrupts, continuation: place.continuation() }
    }

    /// Lets a turn wait. Returns the interrupts without a response, and the place.
    fn waiting(&mut self, run_id: String, now: WaitingTurn, responded: Vec<String>) -> (Vec<Interrupt>, Place) {
        self.turn.release();
        self.charge(now.usage, now.turns, now.unsettled);
        let left = self.charges.release();
        let WaitingTurn { number, mut interrupts, usage, turns, unsettled, .. } = now;
        let ids = interrupts.iter().map(|interrupt| interrupt.id.clone()).collect();
        interrupts.retain(|interrupt| !responded.contains(&interrupt.id));
        let waiting = Waiting { run_id, number, interrupts: ids, responded, usage, turns, unsettled, left };
        (interrupts, self.place(Some(waiting)))
    }

    fn place(&self, waiting: Option<Waiting>) -> Place {
        Place { service: self.settings.ingress.service.clone(), key: self.turn.key.clone(), waiting }
    }

    /// Charges what was used beyond that which is charged already.
    fn charge(&mut self, usage: Usage, turns: u32, unsettled: Option<Limits>) {
        self.charges.charge(self.scope, usage, turns, unsettled);
    }

    /// Replaces the share by that of the turn, which was started before: other work may have ended since, so that what is left is
    /// another number now.
    async fn find_share(&mut self, run_id: &str) {
        match self.settings.ingress.granted(&self.turn.key, run_id).await {
            Ok(granted) => granted.into_iter().for_each(|granted| self.charges.replace(granted)),
            // A worker of an earlier version does not know. An ingress that is out of reach fails the next request as well.
            Err(error) => tracing::debug!(%error, "the limits of a turn are not known"),
        }
    }

    /// Returns the error of a turn that did not start. One that can't have started uses nothing.
    fn not_started(&mut self, NotStarted { kind, may_run }: NotStarted) -> AgentError {
        if !may_run {
            self.charges.release();
        }
        self.error(kind)
    }

    /// Returns the error of a turn that has failed, or that is not known any more.
    fn failed(&mut self, failed: FailedTurn) -> AgentError {
        self.turn.release();
        self.charge(failed.usage, failed.turns, failed.unsettled);
        // One that was killed does not report its usage.
        if failed.status != ABORTED || failed.turns > 0 {
            self.charges.release();
        }
        let FailedTurn { status, message, .. } = failed;
        self.error(ObjectErrorKind::Failed { status, message: bounded(message) })
    }

    /// Cancels a turn whose outcome is not known, since the caller does not wait for it any more. Returns the error.
    fn abandoned(&mut self, kind: ObjectErrorKind) -> AgentError {
        self.turn.cancel();
        self.error(kind)
    }

    /// Cancels a turn that is queued behind one that waits for responses, and returns the error. The caller may be the one who would
    /// show the interrupts of that one.
    fn blocked(&mut self) -> AgentError {
        self.turn.cancel();
        self.charges.release();
        AgentError::Busy { name: self.settings.name.clone() }
    }

    fn error(&self, kind: ObjectErrorKind) -> AgentError {
        kind.of(&self.settings.name, self.settings.object(&self.turn.key))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use strands_core::Promptable as _;

    use super::super::super::depth::TurnsAround;
    use super::super::ObjectAgent;
    use super::*;

    #[tokio::test]
    async fn an_object_whose_turn_waits_for_this_one_is_busy() {
        // Nothing listens there.
        let agent = |service: &str| ObjectAgent::builder("http://127.0.0.1:1", service).key("u").build().unwrap();
        let within = || {
            let around = TurnsAround::within(1, vec!["A/u".to_owned()], "B", "u");
            PromptRequest::new("hi").inject(around)
        };
        for service in ["A", "B"] {
            let first = agent(service).stream(within()).next().await;
            assert!(matches!(&first, Some(Err(AgentError::Busy { name })) if name == service), "{first:?}");
        }
        let first = agent("C").stream(within()).next().await;
        assert!(matches!(first, Some(Ok(_))), "{first:?}");
        let mut other = agent("A").stream(PromptRequest::new("hi"));
        assert!(matches!(other.next().await, Some(Ok(_))));
    }
}
