//! The hook: it decides about the final call, fails closed, and hides tools.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, CancellationToken, Prompt, ToolCallOutcome, ToolRunner, async_trait, tools};
use strands_identity::{
    ApprovalRequirement, Audit, AuditDecision, AuditRecord, AuditSink, AuthorizationHook, AuthorizationRequest,
    Authorizer, Decision, Fingerprint, Identity, ToolRequest,
};

use crate::support::*;

fn alice() -> Identity {
    Identity::new("alice").with_role("traveler").with_claim("email", "alice@example.com")
}

fn allow_all() -> impl Authorizer {
    FnAuthorizer(|_: &Identity, _: &str, _: Option<&Value>| Ok(Decision::allow().with_policies(["all"])))
}

#[tokio::test]
async fn allows_and_records_the_call_without_its_input() {
    let runs = Runs::default();
    let (hook, audit) = audited(allow_all());
    let model = calls("book", json!({"to": "Oslo"}));
    let mut agent =
        builder(&model, [runs.tool("book")]).hook(hook).agent_id("travel").inject(alice()).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let [run] = &runs.all()[..] else { panic!("{:?}", runs.all()) };
    assert_eq!((run.subject.as_deref(), &run.input), (Some("alice"), &json!({"to": "Oslo"})));
    let record = only(&audit);
    assert_eq!(record.decision, AuditDecision::Allowed);
    assert_eq!(record.identity, Some(alice().without_claims()));
    assert_eq!((record.agent_id.as_deref(), record.tool.as_deref()), (Some("travel"), Some("book")));
    assert_eq!(record.tool_use_id.as_deref(), Some(&*run.tool_use_id));
    assert_eq!(record.fingerprint, Some(Fingerprint::of_call(&run.tool_use_id, "book", &run.input)));
    assert_eq!((record.input, record.policies), (None, vec!["all".to_owned()]));
    assert!(record.invocation_id.is_some());
}

#[tokio::test]
async fn the_model_reads_the_reason_of_a_denial() {
    let runs = Runs::default();
    let (hook, audit) = audited(FnAuthorizer(|_: &Identity, _: &str, input: Option<&Value>| match input {
        Some(_) => Ok(Decision::deny("only managers book").with_policies(["no-bookings"])),
        None => Ok(Decision::allow()),
    }));
    let model = calls("book", json!({}));
    let mut agent = builder(&model, [runs.tool("book")]).hook(hook).inject(alice()).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert_eq!(results(agent.messages()), [(true, "only managers book".to_owned())]);
    assert!(runs.all().is_empty());
    let record = only(&audit);
    assert_eq!((record.decision, record.reason.as_deref()), (AuditDecision::Denied, Some("only managers book")));
    assert_eq!(record.policies, ["no-bookings"]);
}

#[tokio::test]
async fn denies_and_hides_without_an_identity() {
    let runs = Runs::default();
    let (hook, audit) = audited(allow_all());
    let model = ScriptedModel::responding("hi");
    let mut agent = builder(&model, [runs.tool("book")]).hook(hook.clone()).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert!(model.requests()[0].tools.is_empty());
    let runner = ToolRunner::new(tools![runs.tool("book")]).unwrap().hook(hook);
    let ToolCallOutcome::Result(result) = runner.call("book", json!({})).await.unwrap() else { panic!() };
    assert!(result.is_error() && text_of(&result).contains("no user is signed in"), "{result:?}");
    assert!(runs.all().is_empty());
    let record = only(&audit);
    assert_eq!((record.decision, record.identity), (AuditDecision::Denied, None));
    assert_eq!(record.reason.as_deref(), Some("no identity is injected"));
}

#[tokio::test]
async fn hides_tools_that_may_never_be_called_and_refuses_them_all_the_same() {
    let runs = Runs::default();
    let (hook, _) = audited(FnAuthorizer(|_: &Identity, tool: &str, _: Option<&Value>| match tool {
        "search" => Ok(Decision::allow()),
        _ => Ok(Decision::deny("never")),
    }));
    let model = calls("book", json!({}));
    let tools = [runs.tool("search"), runs.tool("book")];
    let mut agent = builder(&model, tools).hook(hook).inject(alice()).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let shown = model.requests()[0].tools.clone();
    assert_eq!(shown, ["search"]);
    let [(true, text)] = &results(agent.messages())[..] else { panic!() };
    assert!(text.contains("Unknown tool"), "{text}");
    assert!(runs.all().is_empty());
    // A direct call, which hides nothing, is denied.
    let ToolCallOutcome::Result(result) = agent.call_tool("book", json!({})).await.unwrap() else { panic!() };
    assert_eq!((result.is_error(), text_of(&result)), (true, "never".to_owned()));
    assert!(runs.all().is_empty());
}

/// An authorizer that fails in some way.
#[derive(Clone, Copy)]
enum Failing {
    Error,
    Panic,
    EarlyPanic,
    Never,
}

#[async_trait]
impl Authorizer for Failing {
    async fn authorize(&self, _: &AuthorizationRequest<'_>) -> Result<Decision, BoxError> {
        match self {
            Self::Error => Err("the policy server at 10.0.0.1 is down".into()),
            Self::Panic => {
                tokio::task::yield_now().await;
                std::panic::resume_unwind(Box::new("a secret"))
            }
            Self::EarlyPanic => std::panic::resume_unwind(Box::new("a secret".to_owned())),
            Self::Never => std::future::pending().await,
        }
    }

    async fn may_call(&self, request: &ToolRequest<'_>) -> Result<bool, BoxError> {
        if request.tool.name == "seen" {
            return Ok(true);
        }
        match self {
            Self::Error => Err("the policy server at 10.0.0.1 is down".into()),
            Self::Panic | Self::EarlyPanic => std::panic::resume_unwind(Box::new("a secret")),
            Self::Never => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fails_closed_when_the_authorizer_fails_panics_or_hangs() {
    let causes = [
        (Failing::Error, "the authorizer failed: the policy server at 10.0.0.1 is down"),
        (Failing::Panic, "the authorizer panicked: a secret"),
        (Failing::EarlyPanic, "the authorizer panicked: a secret"),
        (Failing::Never, "the authorizer did not decide within 5s"),
    ];
    for (failing, cause) in causes {
        let runs = Runs::default();
        let (hook, audit) = audited(failing);
        let model = calls("seen", json!({}));
        let tools = [runs.tool("seen"), runs.tool("unseen")];
        let mut agent = builder(&model, tools).hook(hook).inject(alice()).build().await.unwrap();
        agent.prompt("go").await.unwrap();
        assert_eq!(results(agent.messages()), [(true, "this call could not be authorized".to_owned())]);
        assert_eq!(model.requests()[0].tools.len(), 1, "the tool is shown");
        assert!(runs.all().is_empty());
        let [hidden, denied] = &audit.records()[..] else { panic!("{:?}", audit.records()) };
        assert_eq!((denied.decision, denied.reason.as_deref()), (AuditDecision::Denied, Some(cause)));
        assert_eq!(hidden.tool.as_deref(), Some("unseen"));
        assert!(hidden.reason.as_deref().is_some_and(|reason| reason.contains("the tool is hidden: the authorizer")));
    }
}

#[tokio::test]
async fn the_timeout_can_be_set() {
    let runs = Runs::default();
    let hook = AuthorizationHook::new(Failing::Never).timeout(Duration::from_millis(20));
    let runner = ToolRunner::new(tools![runs.tool("seen")]).unwrap().hook(hook).inject(alice());
    let began = Instant::now();
    let ToolCallOutcome::Result(result) = runner.call("seen", json!({})).await.unwrap() else { panic!() };
    assert!(result.is_error() && began.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn cancellation_does_not_wait_for_the_authorizer() {
    let runs = Runs::default();
    for direct in [false, true] {
        let token = CancellationToken::new();
        let cancel = token.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            cancel.cancel();
        });
        let (hook, _) = audited(Failing::Never);
        let model = calls("seen", json!({}));
        let mut agent = builder(&model, [runs.tool("seen")]).hook(hook).inject(alice()).build().await.unwrap();
        let cancelled = tokio::spawn({
            let token = token.clone();
            async move {
                token.cancelled().await;
                Instant::now()
            }
        });
        if direct {
            let ended = agent.call_tool("seen", json!({})).cancel_with(token).await.unwrap();
            assert!(matches!(ended, ToolCallOutcome::Cancelled), "{ended:?}");
        } else {
            agent.prompt("go").cancel_with(token).await.unwrap();
        }
        let late = cancelled.await.unwrap().elapsed();
        assert!(late < Duration::from_millis(50), "{late:?}");
        assert_eq!(crate::valid_history::flaw(agent.messages(), false), None);
    }
    assert!(runs.all().is_empty());
}

#[tokio::test]
async fn an_approver_that_no_hook_checks_denies_the_call() {
    let runs = Runs::default();
    let someone = ApprovalRequirement::new("expensive");
    for requirement in [someone.clone().by_role("manager"), someone.by_another()] {
        let ask = move |_: &Identity, _: &str, _: Option<&Value>| Ok(Decision::ask(requirement.clone()));
        let model = calls("book", json!({}));
        let hook = audited(FnAuthorizer(ask)).0;
        let mut agent = builder(&model, [runs.tool("book")]).hook(hook).inject(alice()).build().await.unwrap();
        agent.prompt("go").await.unwrap();
        let (is_error, text) = results(agent.messages()).remove(0);
        assert!(is_error && text.contains("needs an approval"), "{text}");
    }
    assert!(runs.all().is_empty());
}

#[tokio::test]
async fn an_ask_becomes_a_required_approval_and_is_decided_again() {
    let runs = Runs::default();
    let requirement = ApprovalRequirement::new("expensive").by_role("manager").by_another();
    let expected = serde_json::to_value(&requirement).unwrap();
    let (hook, audit) = audited(FnAuthorizer(move |_: &Identity, _: &str, _: Option<&Value>| {
        Ok(Decision::ask(requirement.clone()).with_policies(["limit"]))
    }));
    let model = calls("book", json!({"price": 900}));
    let mut agent =
        builder(&model, [runs.tool("book")]).hook(hook).hook(SimpleApproval).inject(alice()).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    let [interrupt] = &response.interrupts[..] else { panic!("{response:?}") };
    assert_eq!(interrupt.reason["reason"], expected);
    assert!(runs.all().is_empty());
    agent.prompt(Prompt::none()).resume([interrupt.respond(true)]).await.unwrap();
    assert_eq!(runs.tools(), ["book"]);
    assert_eq!(decisions(&audit), [AuditDecision::ApprovalRequested; 2]);
    assert_eq!(audit.records()[0].policies, ["limit"]);
}

#[tokio::test]
async fn a_denial_by_the_time_of_the_approval_wins() {
    let runs = Runs::default();
    let asked = std::sync::atomic::AtomicBool::new(false);
    let (hook, audit) = audited(FnAuthorizer(move |_: &Identity, _: &str, input: Option<&Value>| {
        Ok(match input {
            Some(_) if asked.swap(true, std::sync::atomic::Ordering::SeqCst) => Decision::deny("not any more"),
            _ => Decision::ask(ApprovalRequirement::new("expensive")),
        })
    }));
    let model = calls("book", json!({}));
    let mut agent = builder(&model, [runs.tool("book")]).hook(hook).inject(alice()).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    let responses: Vec<_> = response.interrupts.iter().map(|interrupt| interrupt.respond(true)).collect();
    agent.prompt(Prompt::none()).resume(responses).await.unwrap();
    assert!(runs.all().is_empty());
    assert_eq!(results(agent.messages()), [(true, "not any more".to_owned())]);
    assert_eq!(decisions(&audit), [AuditDecision::ApprovalRequested, AuditDecision::Denied]);
}

#[tokio::test]
async fn decides_about_the_call_that_is_made_by_the_tool_that_runs() {
    let runs = Runs::default();
    let (hook, audit) = audited(FnAuthorizer(|_: &Identity, tool: &str, input: Option<&Value>| {
        let harmless = tool == "search" && input.is_none_or(|input| input["price"] == 1);
        Ok(if harmless { Decision::allow() } else { Decision::deny("no") })
    }));
    let wipe: Arc<dyn strands_core::Tool> = Arc::new(runs.tool("wipe"));
    for change in 0..3 {
        let wipe = Arc::clone(&wipe);
        let model = calls("search", json!({"price": 1}));
        // Added after the authorization.
        let builder = builder(&model, [runs.tool("search"), runs.tool("book")]).hook(hook.clone());
        let builder = builder.inject(alice()).on_before_tool_call(move |event| match change {
            0 => event.tool_use.name = "book".to_owned(),
            1 => event.tool = Some(Arc::clone(&wipe)),
            _ => event.tool_use.input = json!({"price": 1_000}),
        });
        let mut agent = builder.build().await.unwrap();
        agent.prompt("go").await.unwrap();
        assert!(results(agent.messages())[0].0, "change {change}");
    }
    assert!(runs.all().is_empty());
    let tools: Vec<_> = audit.records().into_iter().filter_map(|record| record.tool).collect();
    // A hidden tool is unknown.
    assert_eq!(tools, ["wipe", "search"]);
}

/// A sink that fails in some way.
#[derive(Clone, Copy)]
enum FailingSink {
    Error,
    Panic,
    Never,
}

#[async_trait]
impl AuditSink for FailingSink {
    async fn record(&self, _: &AuditRecord) -> Result<(), BoxError> {
        match self {
            Self::Error => Err("the disk is full".into()),
            Self::Panic => std::panic::resume_unwind(Box::new("a bug")),
            Self::Never => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn denies_a_call_without_an_audit_record_unless_the_audit_continues() {
    for sink in [FailingSink::Error, FailingSink::Panic, FailingSink::Never] {
        for continues in [false, true] {
            let runs = Runs::default();
            let audit = Audit::new(sink);
            let audit = if continues { audit.continue_on_failure() } else { audit };
            let hook = AuthorizationHook::new(allow_all()).audit(audit);
            let runner = ToolRunner::new(tools![runs.tool("book")]).unwrap().hook(hook).inject(alice());
            let ToolCallOutcome::Result(result) = runner.call("book", json!({})).await.unwrap() else { panic!() };
            assert_eq!((result.is_error(), runs.all().len()), (!continues, usize::from(continues)));
            assert!(continues || text_of(&result) == "this call could not be authorized", "{result:?}");
        }
    }
}

#[tokio::test]
async fn a_blank_reason_is_replaced() {
    let runs = Runs::default();
    let blank = FnAuthorizer(|_: &Identity, _: &str, _: Option<&Value>| Ok(Decision::deny(" ")));
    let ended = direct(blank, &alice(), &runs.tool("book"), json!({})).await;
    assert_eq!(ended, (true, "this call is not allowed".to_owned()));
}

#[tokio::test]
async fn each_invocation_has_its_own_identity() {
    let runs = Runs::default();
    let (hook, _) = audited(FnAuthorizer(|identity: &Identity, _: &str, _: Option<&Value>| {
        Ok(if identity.has_role("traveler") { Decision::allow() } else { Decision::deny("no") })
    }));
    let model = ScriptedModel::from_fn(|request| match request.tools.is_empty() {
        false if request.messages.last().is_some_and(|last| last.tool_results().next().is_none()) => {
            ScriptedTurn::tool_use("book", json!({}))
        }
        _ => ScriptedTurn::text("done"),
    });
    let mut agent: Agent = builder(&model, [runs.tool("book")]).hook(hook).build().await.unwrap();
    agent.prompt("go").inject(alice()).await.unwrap();
    agent.prompt("go").inject(Identity::new("bob")).await.unwrap();
    agent.prompt("go").await.unwrap();
    let subjects: Vec<_> = runs.all().into_iter().map(|run| run.subject).collect();
    assert_eq!(subjects, [Some("alice".to_owned())]);
    let shown: Vec<usize> = model.requests().iter().map(|request| request.tools.len()).collect();
    assert_eq!(shown, [1, 1, 0, 0]);
}
