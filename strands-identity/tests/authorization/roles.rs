//! Authorization by roles.

use serde_json::json;
use strands_core::ToolAnnotations;
use strands_identity::{ApprovalRequirement, Identity, RoleAuthorizer, RolesError};

use crate::support::*;

fn with(roles: &[&str]) -> Identity {
    roles.iter().fold(Identity::new("u"), |identity, role| identity.with_role(*role))
}

fn rules() -> RoleAuthorizer {
    RoleAuthorizer::new()
        .everyone(|role| role.allow("help"))
        .role("traveler", |role| role.allow("search_*").ask("book", ApprovalRequirement::new("a manager approves")))
        .role("manager", |role| role.allow("*").ask("wipe", ApprovalRequirement::new("sure?")))
        .role("auditor", |role| role.allow_read_only().deny("book"))
}

#[tokio::test]
async fn decides_by_the_roles() {
    let runs = Runs::default();
    let read_only = ToolAnnotations::new().with_read_only(true);
    let table: [(&[&str], &str, &str); 15] = [
        (&[], "help", "The tool help."),
        (&[], "book", "not allowed for the roles"),
        (&["unknown"], "book", "not allowed for the roles"),
        (&["Manager"], "book", "not allowed for the roles"),
        (&["traveler"], "help", "The tool help."),
        (&["traveler"], "search_flights", "The tool search_flights."),
        (&["traveler"], "search", "not allowed for the roles"),
        (&["traveler"], "book", "a manager approves"),
        (&["traveler", "manager"], "book", "The tool book."),
        (&["manager", "traveler"], "book", "The tool book."),
        (&["manager"], "wipe", "sure?"),
        (&["manager", "auditor"], "book", "not allowed for the role `auditor`"),
        (&["auditor"], "list_bookings", "The tool list_bookings."),
        (&["auditor"], "search_flights", "not allowed for the roles"),
        (&["traveler", "auditor"], "search_flights", "The tool search_flights."),
    ];
    for (roles, tool, expected) in table {
        let tool = runs.tool(tool);
        let tool = if tool.spec.name == "list_bookings" { tool.annotated(read_only) } else { tool };
        let (is_error, text) = direct(rules(), &with(roles), &tool, json!({})).await;
        assert!(text.contains(expected), "{roles:?} {}: {text}", tool.spec.name);
        assert_eq!(is_error, !expected.starts_with("The tool"), "{roles:?} {}: {text}", tool.spec.name);
    }
    assert_eq!(runs.all().len(), 7);
}

#[tokio::test]
async fn hides_the_tools_that_no_role_may_call() {
    let runs = Runs::default();
    let shown = async |roles: &[&str]| {
        let model = strands_core::testing::ScriptedModel::responding("hi");
        let tools = ["help", "search_flights", "book", "wipe"].map(|name| runs.tool(name));
        let mut agent = builder(&model, tools).hook(audited(rules()).0).inject(with(roles)).build().await.unwrap();
        agent.prompt("go").await.unwrap();
        model.requests()[0].tools.clone()
    };
    assert_eq!(shown(&[]).await, ["help"]);
    assert_eq!(shown(&["traveler"]).await, ["help", "search_flights", "book"]);
    assert_eq!(shown(&["manager"]).await, ["help", "search_flights", "book", "wipe"]);
    assert_eq!(shown(&["manager", "auditor"]).await, ["help", "search_flights", "wipe"]);
}

#[test]
fn refuses_invalid_toml_with_its_position() {
    let table = [
        ("[roles.a]\npermit = []", 2, 1, "unknown field `permit`"),
        ("[role.a]", 1, 2, "unknown field `role`"),
        ("[everyone]\nallow = \"all\"", 2, 9, "invalid type"),
        ("[roles.a]\n\nask = [{ tools = [\"x\"] }]", 3, 8, "missing field `reason`"),
        ("[[roles.a.ask]]\ntools = []\nreason = \"r\"\napprover = [\"b\"]", 4, 1, "unknown field `approver`"),
        ("[roles.a]\nallow = [", 2, 10, ""),
    ];
    for (text, line, column, message) in table {
        let error: RolesError = RoleAuthorizer::from_toml(text).unwrap_err();
        assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
        assert!(error.message.contains(message), "{error}");
        assert!(error.to_string().starts_with(&format!("invalid roles at {line}:{column}: ")), "{error}");
    }
}
