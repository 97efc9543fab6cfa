//! Calls that need an approval.

use std::collections::BTreeMap;

use strands::hook::{AuthorizeToolCall, Hook, HookResult};
use strands::identity::{ApprovalHook, ApprovalHookBuilder, ApprovalRequirement, Identity};
use strands::models::StopReason;
use strands::serde_json::{Value, json};
use strands::{ToolAnnotations, ToolPolicy, async_trait};

use crate::support::{Log, Logs, annotated, calling, request, results, template, tool};

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

/// Returns the roles that may approve a call of `plain`, or the text of its denial.
async fn approvers(hooks: Vec<Value>, builder: ApprovalHookBuilder) -> Result<Vec<String>, String> {
    let log = Log::default();
    let mut template = strands::Agent::builder().model(calling("plain", json!({}))).tools(tools(&log));
    for reason in hooks {
        template = template.hook(Asks(reason));
    }
    let mut agent = template.hook(builder.build()).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert!(log.lines().is_empty());
    match response.interrupts.is_empty() {
        true => Err(results(agent.messages()).remove(0)),
        false => Ok(request(&response).requirement.approvers),
    }
}

#[tokio::test]
async fn an_approver_meets_all_requirements() {
    let by = |roles: &[&str]| {
        roles.iter().fold(ApprovalRequirement::new("?"), |requirement, role| requirement.by_role(*role))
    };
    let asks = |roles: &[&str]| serde_json::to_value(by(roles)).unwrap();
    let hook = || ApprovalHook::builder().tools(["plain"]).by_role("clerk");
    let when = |roles: &'static [&'static str]| hook().when(move |_| Some(by(roles)));
    let of = |roles: &[&str]| Ok(roles.iter().map(|&role| role.to_owned()).collect::<Vec<_>>());
    assert_eq!(approvers(vec![], hook()).await, of(&["clerk"]));
    // The function has more to say than the list of tools, or a hook without roles.
    assert_eq!(approvers(vec![], when(&["director"])).await, of(&["director"]));
    assert_eq!(approvers(vec![], when(&["director"]).always(["plain"])).await, of(&["director"]));
    assert_eq!(approvers(vec![json!("a check"), asks(&["manager"])], hook()).await, of(&["manager"]));
    let manager_or_director = || asks(&["manager", "director"]);
    assert_eq!(approvers(vec![manager_or_director()], when(&["director"])).await, of(&["director"]));
    assert_eq!(approvers(vec![manager_or_director(), asks(&["manager"])], hook()).await, of(&["manager"]));
    let nobody = Err("no role may approve this call".to_owned());
    assert_eq!(approvers(vec![asks(&["manager"])], when(&["director"])).await, nobody);
    assert_eq!(approvers(vec![asks(&["manager"]), asks(&["director"])], hook()).await, nobody);
}
