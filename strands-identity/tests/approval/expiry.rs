//! Requests that expire.

use std::time::Duration;

use strands::identity::{ApprovalError, ApprovalHook};

use crate::support::{Log, interrupted, manager, results, resume};

#[tokio::test]
async fn an_expired_request_can_only_be_denied() {
    let log = Log::default();
    let hook = ApprovalHook::builder().tools(["book"]).expires_after(Duration::ZERO).build();
    let (mut agent, request) = interrupted(hook, &log).await;
    assert!(request.has_expired() && !request.may_be_approved_by(&manager()));
    for response in [request.approve(), agent.interrupts()[0].respond(true)] {
        let error = resume(&mut agent, response, manager()).await.unwrap_err();
        assert!(matches!(ApprovalError::of(&error), Some(ApprovalError::Expired { .. })), "{error:?}");
    }
    resume(&mut agent, request.deny(), manager()).await.unwrap();
    assert_eq!(results(agent.messages()), ["a human denied the call"]);
    assert!(log.lines().is_empty());
}

#[tokio::test]
async fn a_request_is_approved_in_time() {
    let log = Log::default();
    for expires_after in [Duration::from_mins(1), Duration::MAX] {
        let hook = ApprovalHook::builder().tools(["book"]).expires_after(expires_after).build();
        let (mut agent, request) = interrupted(hook, &log).await;
        assert!(!request.has_expired() && request.may_be_approved_by(&manager()));
        assert!(request.expires_at.clone().is_none_or(|expires_at| Some(expires_at) > request.requested_at));
        resume(&mut agent, request.approve(), manager()).await.unwrap();
    }
    assert_eq!(log.lines().len(), 2);
}
