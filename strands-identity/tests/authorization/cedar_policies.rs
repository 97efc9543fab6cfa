//! Parsing and validation of Cedar policies.

use serde_json::json;
use strands_identity::{CedarAuthorizer, CedarError, CedarPolicies, Identity};

use crate::support::*;

const SCHEMA: &str = r#"
entity Role;
entity User in [Role] { subject: String };
entity Agent;
action reads;
action search in [reads] appliesTo {
    principal: User,
    resource: Agent,
    context: { input: { to: String, days?: Long }, session: { hour_utc: Long } },
};
"#;

fn position(error: &CedarError) -> (String, usize, usize) {
    match error {
        CedarError::InvalidSyntax { line, column, .. } => ("syntax".to_owned(), *line, *column),
        CedarError::InvalidSchema { line, column, .. } => ("schema".to_owned(), *line, *column),
        CedarError::InvalidPolicy { policy, line, column, .. } => (policy.clone(), *line, *column),
        other => panic!("{other}"),
    }
}

#[test]
fn refuses_invalid_policies_with_their_position() {
    let ok = "permit(principal, action, resource);\n";
    let table = [
        ("permit(principal, action, resource)".to_owned(), ("syntax", 1, 36), "unexpected end of input"),
        (format!("{ok}permit(principal, action, resource) when {{ 1 + }};"), ("syntax", 2, 48), "unexpected token"),
        (format!("{ok}permit(who, action, resource);"), ("syntax", 2, 8), "who"),
        (format!("{ok}\n  @id(\"a\") @ask(\"?\") permit(principal, action, resource);"), ("a", 3, 3), "`@ask`"),
        (format!("{ok}@reason(\"?\") permit(principal, action, resource);"), ("policy1", 2, 1), "`@reason`"),
        (format!("{ok}@ask forbid(principal, action, resource);"), ("policy1", 2, 1), "no reason to show"),
        (format!("{ok}@approvers(\"m\") forbid(principal, action, resource);"), ("policy1", 2, 1), "`@approvers`"),
        (
            format!("{ok}@ask(\"?\") @approver(\"m\") forbid(principal, action, resource);"),
            ("policy1", 2, 1),
            "unknown annotation `@approver`",
        ),
        (
            format!("{ok}@ask(\"?\") @approvers(\" ,\") forbid(principal, action, resource);"),
            ("policy1", 2, 1),
            "no role",
        ),
        (
            format!("{ok}@ask(\"?\") @other_than_requester(\"no\") forbid(principal, action, resource);"),
            ("policy1", 2, 1),
            "has no value",
        ),
        (format!("{ok}@id(\"policy0\") forbid(principal, action, resource);"), ("policy0", 2, 1), "this id"),
        (format!("{ok} permit(principal == ?principal, action, resource);"), ("policy1", 2, 2), "not supported"),
    ];
    for (text, (policy, line, column), message) in table {
        let error = CedarPolicies::parse(&text).unwrap_err();
        assert_eq!(position(&error), (policy.to_owned(), line, column), "{text}: {error}");
        let text = error.to_string();
        assert!(text.contains(message) && text.contains(&format!("{line}:{column}")), "{text}");
    }
}

#[test]
fn validates_policies_against_the_schema() {
    let table = [
        ("permit(principal, action == Action::\"search\", resource) when { context.input.to == \"Oslo\" };", None),
        ("permit(principal, action in Action::\"reads\", resource);", None),
        (
            "permit(principal, action, resource);\n@id(\"typo\") permit(principal, action == Action::\"seek\", resource);",
            Some(("typo", 2, "seek")),
        ),
        (
            "permit(principal, action == Action::\"search\", resource)\nwhen { context.input.days > 3 };",
            Some(("policy0", 2, "days")),
        ),
        (
            "permit(principal, action == Action::\"search\", resource)\n\nwhen { context.input.to > 3 };",
            Some(("policy0", 3, "")),
        ),
    ];
    for (text, expected) in table {
        let parsed = CedarPolicies::with_schema(text, SCHEMA);
        let Some((policy, line, message)) = expected else {
            parsed.unwrap();
            continue;
        };
        let error = parsed.unwrap_err();
        let (found, at, _) = position(&error);
        assert_eq!((found.as_str(), at), (policy, line), "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
    let error = CedarPolicies::with_schema("", "entity User;\nentity entity;\naction").unwrap_err();
    assert_eq!(position(&error).0, "schema", "{error}");
    assert!(position(&error).1 >= 2, "{error}");
    let error = CedarPolicies::with_schema("", "entity A in [B];").unwrap_err();
    assert!(matches!(error, CedarError::InvalidSchema { .. }), "{error}");
}

#[tokio::test]
async fn requests_that_do_not_fit_the_schema_are_denied() {
    let policies =
        CedarPolicies::with_schema("permit(principal, action in Action::\"reads\", resource);", SCHEMA).unwrap();
    let table = [
        ("search", json!({"to": "Oslo"}), true),
        ("search", json!({"to": "Oslo", "days": 3}), true),
        ("search", json!({"to": "Oslo", "days": "3"}), false),
        ("search", json!({}), false),
        ("search", json!({"to": "Oslo", "more": 1}), false),
        ("other", json!({"to": "Oslo"}), false),
    ];
    for (tool, input, allowed) in table {
        let tool = Runs::default().tool(tool);
        let (is_error, text) =
            direct(CedarAuthorizer::new(policies.clone()), &Identity::new("a"), &tool, input.clone()).await;
        assert_eq!(!is_error, allowed, "{} {input}: {text}", tool.spec.name);
    }
}

#[tokio::test]
async fn entities_may_have_hierarchies() {
    let entities = json!([
        {"uid": {"type": "Role", "id": "director"}, "attrs": {}, "parents": [{"type": "Role", "id": "manager"}]},
        {"uid": {"type": "Action", "id": "book"}, "attrs": {}, "parents": [{"type": "Action", "id": "writes"}]},
        {"uid": {"type": "User", "id": "eve"}, "attrs": {}, "parents": [{"type": "Role", "id": "manager"}]},
    ]);
    let policies = r#"permit(principal in Role::"manager", action in Action::"writes", resource);"#;
    let policies = CedarPolicies::parse(policies).unwrap().with_entities(entities).unwrap();
    let runs_for = async |identity: Identity| {
        !direct(CedarAuthorizer::new(policies.clone()), &identity, &Runs::default().tool("book"), json!({})).await.0
    };
    assert!(runs_for(Identity::new("dora").with_role("director")).await);
    assert!(!runs_for(Identity::new("dora")).await);
    // The roles are those of the identity alone.
    assert!(!runs_for(Identity::new("eve")).await);
    let invalid = CedarPolicies::parse("").unwrap().with_entities(json!([{"uid": 3}])).unwrap_err();
    assert!(matches!(invalid, CedarError::InvalidEntities { .. }), "{invalid}");
}

#[tokio::test]
async fn names_may_have_a_namespace() {
    let policies =
        r#"permit(principal in Travel::Role::"r", action == Travel::Action::"t", resource is Travel::Agent);"#;
    let policies = CedarPolicies::parse(policies).unwrap();
    assert!(policies.clone().with_namespace("no name").is_err());
    let authorizer = CedarAuthorizer::new(policies.with_namespace("Travel").unwrap());
    let ended = direct(authorizer, &Identity::new("a").with_role("r"), &Runs::default().tool("t"), json!({})).await;
    assert!(!ended.0, "{}", ended.1);
}
