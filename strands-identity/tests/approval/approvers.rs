//! Identities that may approve and deny.

use strands::Prompt;
use strands::identity::{ApprovalHook, Approver, Identity};
use strands::serde_json::json;

use crate::support::{Log, alice, interrupted, manager, refusal, results, resume};

fn by_manager() -> ApprovalHook {
    ApprovalHook::builder().tools(["book"]).by_role("manager").by_another().build()
}

#[tokio::test]
async fn an_approver_with_the_role_approves() {
    let log = Log::default();
    let (mut agent, request) = interrupted(by_manager(), &log).await;
    assert_eq!((request.tool.as_str(), &request.input), ("book", &json!({"price": 900})));
    assert_eq!(request.requested_by, Some(alice().without_claims()));
    assert!(request.may_be_approved_by(&manager()) && !request.may_be_approved_by(&alice()));
    let response = resume(&mut agent, request.approve(), manager()).await.unwrap();
    assert_eq!(response.text(), "done");
    assert_eq!(log.lines(), [r#"book {"price":900}"#]);
}

#[tokio::test]
async fn others_are_refused_and_the_request_stays_open() {
    let log = Log::default();
    let (mut agent, request) = interrupted(by_manager(), &log).await;
    let messages = agent.messages().to_vec();
    let interrupts = agent.interrupts();
    let eve = Identity::new("eve").with_role("traveler");
    for response in [request.approve(), request.deny(), agent.interrupts()[0].respond("yes")] {
        let refused = refusal(resume(&mut agent, response, eve.clone()).await);
        assert_eq!(refused, "`eve` may not respond to the request for `book`: it needs one of the roles manager");
    }
    let refused = refusal(resume(&mut agent, request.approve(), alice()).await);
    assert!(refused.starts_with("`alice` may not respond"), "{refused}");
    let nobody = agent.prompt(Prompt::none()).resume([request.approve()]).await;
    assert!(refusal(nobody).starts_with("no approver is known"));
    assert_eq!((agent.messages(), agent.interrupts()), (&messages[..], interrupts));
    resume(&mut agent, request.approve(), manager()).await.unwrap();
    assert_eq!(log.lines().len(), 1);
}

#[tokio::test]
async fn a_requester_with_the_role_can_deny_but_not_approve() {
    let log = Log::default();
    let hook = ApprovalHook::builder().tools(["book"]).by_role("traveler").by_another().build();
    let (mut agent, request) = interrupted(hook, &log).await;
    // As the requester, or with an identity of the same user.
    for approver in [alice(), alice().with_name("Alice").with_role("manager")] {
        let refused = refusal(resume(&mut agent, request.approve(), approver).await);
        assert_eq!(refused, "`alice` requested the call of `book`: another identity must approve it");
    }
    // The same subject of another issuer is another user.
    assert!(request.may_be_approved_by(&alice().with_issuer("https://other.example")));
    resume(&mut agent, request.deny_with("I changed my mind"), alice()).await.unwrap();
    assert_eq!(results(agent.messages()), ["a human denied the call: I changed my mind"]);
    assert!(log.lines().is_empty());
}

#[tokio::test]
async fn a_requester_without_the_role_can_withdraw_the_request() {
    let log = Log::default();
    let (mut agent, request) = interrupted(by_manager(), &log).await;
    resume(&mut agent, request.deny(), alice()).await.unwrap();
    assert_eq!(results(agent.messages()), ["a human denied the call"]);
    assert!(log.lines().is_empty());
}

#[tokio::test]
async fn the_identity_of_the_invocation_is_the_approver_without_another() {
    let log = Log::default();
    let (mut agent, request) = interrupted(by_manager(), &log).await;
    let own = agent.prompt(Prompt::none()).resume([request.approve()]).inject(alice()).await;
    assert!(refusal(own).starts_with("`alice` may not respond"));
    agent.prompt(Prompt::none()).resume([request.approve()]).inject(manager()).await.unwrap();
    assert_eq!(log.lines().len(), 1);
}

#[tokio::test]
async fn an_unknown_requester_has_no_other() {
    let log = Log::default();
    let model = crate::support::calling("book", json!({}));
    let mut agent = crate::support::template(model, [crate::support::tool("book", &log)], by_manager());
    let mut agent = {
        agent = agent.system_prompt("Book.");
        agent.build().await.unwrap()
    };
    let response = agent.prompt("go").await.unwrap();
    let request = crate::support::request(&response);
    let resumed = agent.prompt(Prompt::none()).resume([request.approve()]).inject(Approver::new(manager())).await;
    assert!(refusal(resumed).starts_with("the requester of the call of `book` is not known"));
    assert!(log.lines().is_empty());
}

#[tokio::test]
async fn any_caller_may_respond_without_a_rule() {
    let log = Log::default();
    for response in ["yes", "no"] {
        let (mut agent, _) = interrupted(ApprovalHook::builder().all_tools().build(), &log).await;
        let response = agent.interrupts()[0].respond(response);
        agent.prompt(Prompt::none()).resume([response]).await.unwrap();
    }
    assert_eq!(log.lines().len(), 1);
}

#[tokio::test]
async fn rules_that_became_stricter_void_an_approval() {
    let log = Log::default();
    let strict = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_strict = std::sync::Arc::clone(&strict);
    let hook = ApprovalHook::builder().when(move |_| {
        let requirement = strands::identity::ApprovalRequirement::new("?");
        Some(match is_strict.load(std::sync::atomic::Ordering::SeqCst) {
            true => requirement.by_role("director"),
            false => requirement,
        })
    });
    let (mut agent, request) = interrupted(hook.build(), &log).await;
    strict.store(true, std::sync::atomic::Ordering::SeqCst);
    resume(&mut agent, request.approve(), manager()).await.unwrap();
    assert!(results(agent.messages())[0].starts_with("the approval of this call is void"));
    assert!(log.lines().is_empty());
}
