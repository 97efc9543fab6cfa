//! Calls that need an approval.

use std::collections::BTreeMap;

use strands::hook::{AuthorizeToolCall, Hook, HookResult};
use strands::identity::{ApprovalHook, ApprovalHookBuilder, ApprovalRequirement, Identity};
use strands::models::StopReason;
use strands::serde_json::{Value, json};
use strands::{ToolAnnotations, ToolPolicy, async_trait};

use crate::support::{Log, Logs, annotated, calling, request, template, tool};

fn tools(log: &Log) -> Vec<Logs> {
    let plain = tool("plain", log);
    let approval = Logs { policy: ToolPolicy::new().with_approval(true), ..tool("approval", log) };
    let read = annotated("read", log, ToolAnnotations::new().with_read_only(true));
    let delete = annotated("delete", log, ToolAnnotations::new().with_destructive(true));
    vec![plain, approval, read, delete]
}

/// Returns the tools for which a hook requests an approval, with the reason.
async fn asked(builder: ApprovalHookBuilder) -> BTreeMap<String, String> {
    let mut asked = BTreeMap::new();
    for name in ["plain", "approval", "read", "delete"] {
        let log = Log::default();
        let template = template(calling(name, json!({"price": 7})), tools(&log), builder.clone().build());
        let response = template.build().await.unwrap().prompt("go").await.unwrap();
        if response.stop_reason == StopReason::Interrupt {
            assert_eq!(response.interrupts[0].name, "strands:human-in-the-loop");
            asked.insert(name.to_owned(), request(&response).requirement.reason);
            assert!(log.lines().is_empty());
        } else {
            assert_eq!(log.lines().len(), 1, "{name}");
        }
    }
    asked
}

fn names(asked: &BTreeMap<String, String>) -> Vec<&str> {
    asked.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn calls_need_an_approval_by_name_annotation_and_function() {
    let hook = ApprovalHook::builder;
    // `#[tool(approval)]` counts with any rules.
    assert_eq!(names(&asked(hook()).await), ["approval"]);
    assert_eq!(names(&asked(hook().tools(["plain", "none"])).await), ["approval", "plain"]);
    assert_eq!(names(&asked(hook().all_tools()).await), ["approval", "delete", "plain", "read"]);
    assert_eq!(names(&asked(hook().all_tools().except(["plain", "delete"])).await), ["approval", "read"]);
    assert_eq!(names(&asked(hook().destructive_tools()).await), ["approval", "delete"]);
    assert_eq!(names(&asked(hook().tools_that_write()).await), ["approval", "delete", "plain"]);
    assert_eq!(names(&asked(hook().always(["read"]).except(["read"])).await), ["approval", "read"]);
    let by_price = |call: &AuthorizeToolCall<'_>| {
        let is_plain = call.tool_use.name == "plain" && call.input["price"] == 7;
        is_plain.then(|| ApprovalRequirement::new("it costs 7"))
    };
    let asked = asked(hook().when(by_price)).await;
    assert_eq!(names(&asked), ["approval", "plain"]);
    assert_eq!(asked["plain"], "it costs 7");
}

/// Requires an approval as an authorizer's hook does.
struct Asks(Value);

#[async_trait]
impl Hook for Asks {
    async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
        event.require_approval(self.0.clone());
        Ok(())
    }
}

#[tokio::test]
async fn a_requirement_of_an_earlier_hook_says_who_may_approve() {
    let requirement = ApprovalRequirement::new("above 500").by_role("manager").by_another();
    for (reason, text, roles) in [
        (serde_json::to_value(requirement).unwrap(), "above 500", vec!["manager"]),
        (json!("above 500"), "above 500", vec!["clerk"]),
        (json!({"reason": "above 500"}), "above 500", vec!["clerk"]),
        (json!({"limit": 500}), r#"{"limit":500}"#, vec!["clerk"]),
    ] {
        let log = Log::default();
        let template = strands::Agent::builder().model(calling("plain", json!({}))).tools(tools(&log));
        let template = template.hook(Asks(reason)).hook(ApprovalHook::builder().by_role("clerk").build());
        let alice = Identity::new("alice");
        let response = template.build().await.unwrap().prompt("go").inject(alice).await.unwrap();
        let request = request(&response);
        assert_eq!(
            (request.requirement.reason.as_str(), request.requirement.approvers.clone()),
            (text, roles.iter().map(|&role| role.to_owned()).collect())
        );
        assert_eq!(request.requirement.other_than_requester, roles == ["manager"]);
    }
}

#[tokio::test]
async fn a_requirement_that_can_not_be_read_runs_no_tool() {
    let log = Log::default();
    let template = strands::Agent::builder().model(calling("plain", json!({}))).tools(tools(&log));
    let template = template.hook(Asks(json!({"reason": "?", "approvers": "manager"})));
    let mut agent = template.hook(ApprovalHook::builder().build()).build().await.unwrap();
    let error = agent.prompt("go").await.unwrap_err();
    assert!(error.to_string().contains("in an unknown form"), "{error}");
    assert!(log.lines().is_empty());
}
