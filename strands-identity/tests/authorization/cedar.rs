//! Decisions by Cedar policies.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{AgentState, Prompt, ToolAnnotations, ToolCallOutcome, ToolRunner, tools};
use strands_identity::{AuditDecision, CedarAuthorizer, CedarPolicies, Identity};

use crate::support::*;

const TRAVEL: &str = r#"
    @id("travelers search and book")
    permit(principal in Role::"traveler", action in [Action::"search", Action::"book"], resource);

    @id("managers do everything")
    permit(principal in Role::"manager", action, resource);

    @id("auditors read")
    permit(principal in Role::"auditor", action in Action::"tools:read_only", resource);

    @id("no bookings by auditors")
    @reason("auditors can't book")
    forbid(principal in Role::"auditor", action == Action::"book", resource);

    @id("expensive")
    @ask("bookings above 500 need a manager")
    @approvers("manager, director")
    @other_than_requester
    forbid(principal, action == Action::"book", resource)
    when { context.input has price && context.input.price > 500 }
    unless { principal in Role::"manager" };

    @id("far away")
    @ask("far away")
    @approvers("director")
    forbid(principal, action == Action::"book", resource) when { context.input.to like "Mars*" };

    @id("no wars")
    @reason("we don't fly to Venus")
    forbid(principal, action == Action::"book", resource) when { context.input.to == "Venus" };
"#;

fn authorizer(policies: &str) -> CedarAuthorizer {
    CedarAuthorizer::new(CedarPolicies::parse(policies).unwrap())
}

fn with(roles: &[&str]) -> Identity {
    roles.iter().fold(Identity::new("alice"), |identity, role| identity.with_role(*role))
}

/// Makes a direct call of `tool`; returns whether it ran.
async fn runs_with(authorizer: CedarAuthorizer, identity: &Identity, input: Value) -> bool {
    !direct(authorizer, identity, &Runs::default().tool("tool"), input).await.0
}

/// Returns true if a call runs with a condition of the only permit.
async fn satisfies(condition: &str, identity: &Identity, input: Value) -> bool {
    runs_with(authorizer(&format!("permit(principal, action, resource) when {{ {condition} }};")), identity, input)
        .await
}

#[tokio::test]
async fn a_readable_file_allows_asks_and_denies_with_reasons() {
    let runs = Runs::default();
    let oslo = |price: i64| json!({"to": "Oslo", "price": price});
    let ran = "The tool";
    let asks =
        r#""reason":{"approvers":["manager","director"],"other_than_requester":true,"reason":"bookings above 500"#;
    let table = [
        ("traveler", "search", json!({}), ran),
        ("traveler", "book", oslo(500), ran),
        ("traveler", "book", oslo(501), asks),
        ("traveler", "list", json!({}), "no policy allows this call of `list` for this user"),
        ("stranger", "book", oslo(501), "no policy allows this call of `book` for this user"),
        ("manager", "book", oslo(501), ran),
        ("manager", "wipe", json!({}), ran),
        ("auditor", "list", json!({}), ran),
        ("auditor", "book", oslo(501), "auditors can't book"),
        ("traveler", "book", json!({"to": "Venus", "price": 900}), "we don't fly to Venus"),
        ("traveler", "book", json!({"to": "Mars"}), r#"["director"],"reason":"far away""#),
        ("traveler", "book", json!({"to": "Mars", "price": 900}), r#"["director"],"other_than_requester":true"#),
        ("traveler", "book", json!({"price": 1}), "this call could not be authorized"),
    ];
    for (role, tool, input, expected) in table {
        let tool = runs.tool(tool).annotated(ToolAnnotations::new().with_read_only(tool == "list"));
        let (is_error, text) = direct(authorizer(TRAVEL), &with(&[role]), &tool, input.clone()).await;
        // The order of keys is not that of the type.
        let sorted = serde_json::from_str::<Value>(&text)
            .map(|value| String::from_utf8(serde_json_canonicalizer::to_vec(&value).unwrap()).unwrap());
        let text = sorted.unwrap_or(text);
        assert!(text.contains(expected), "{role} {} {input}: {text}", tool.spec.name);
        assert_eq!(is_error, expected != ran, "{role} {} {input}: {text}", tool.spec.name);
    }
}

#[tokio::test]
async fn records_the_ids_of_the_policies() {
    let runs = Runs::default();
    let table = [
        ("traveler", json!({"to": "Oslo"}), AuditDecision::Allowed, vec!["travelers search and book"]),
        ("auditor", json!({"to": "Oslo"}), AuditDecision::Denied, vec!["no bookings by auditors"]),
        ("stranger", json!({"to": "Oslo"}), AuditDecision::Denied, vec![]),
        (
            "traveler",
            json!({"to": "Mars", "price": 900}),
            AuditDecision::ApprovalRequested,
            vec!["expensive", "far away"],
        ),
    ];
    for (role, input, decision, policies) in table {
        let (hook, audit) = audited(authorizer(TRAVEL));
        let runner = ToolRunner::new(tools![runs.tool("book")]).unwrap().hook(hook).inject(with(&[role]));
        runner.call("book", input).await.unwrap();
        let record = only(&audit);
        assert_eq!((record.decision, record.policies), (decision, policies.into_iter().map(String::from).collect()));
    }
}

#[tokio::test]
async fn no_role_may_approve_what_two_policies_give_to_different_roles() {
    let policies = r#"
        permit(principal, action, resource);
        @ask("a") @approvers("x") forbid(principal, action, resource);
        @ask("b") @approvers("y") forbid(principal, action, resource);
    "#;
    let ended = direct(authorizer(policies), &with(&[]), &Runs::default().tool("t"), json!({})).await;
    assert_eq!(ended, (true, "no role may approve this call of `t`".to_owned()));
}

#[tokio::test]
async fn an_approver_meets_the_requirements_of_all_policies() {
    let policies = r#"
        permit(principal, action, resource);
        @ask("a") @approvers("x, y") forbid(principal, action, resource);
        @ask("b") @other_than_requester forbid(principal, action, resource);
        @ask("c") @approvers("y, z") forbid(principal, action, resource);
    "#;
    let (hook, _) = audited(authorizer(policies));
    let runner = ToolRunner::new(tools![Runs::default().tool("t")]).unwrap().hook(hook).hook(SimpleApproval);
    let runner = runner.inject(with(&[]));
    let ToolCallOutcome::Interrupted { interrupts, .. } = runner.call("t", json!({})).await.unwrap() else { panic!() };
    let expected = json!({"reason": "a; b; c", "approvers": ["y"], "other_than_requester": true});
    assert_eq!(interrupts[0].reason["reason"], expected);
}

#[tokio::test]
async fn the_principal_has_the_attributes_of_the_identity() {
    let identity = Identity::new("al\"ice")
        .with_name("Alice")
        .with_issuer("https://id.example.com")
        .with_role("traveler")
        .with_scope("bookings:write")
        .with_claim("level", 3)
        .with_claim("nothing", Value::Null)
        .with_claim("address", json!({"country": "NO"}));
    for condition in [
        r#"principal == User::"al\"ice" && principal.subject == "al\"ice""#,
        r#"principal.name == "Alice" && principal.issuer == "https://id.example.com""#,
        r#"principal in Role::"traveler" && principal.roles.contains("traveler")"#,
        r#"principal.scopes.containsAll(["bookings:write"])"#,
        r#"principal.claims.level == 3 && principal.claims.address.country == "NO""#,
        r"!(principal.claims has nothing)",
    ] {
        assert!(satisfies(condition, &identity, json!({})).await, "{condition}");
    }
    for condition in
        [r#"principal == User::"alice""#, r#"principal in Role::"manager""#, r#"principal.claims.level == "3""#]
    {
        assert!(!satisfies(condition, &identity, json!({})).await, "{condition}");
    }
    assert!(satisfies("!(principal has name) && !(principal has issuer)", &Identity::new("x"), json!({})).await);
}

#[tokio::test]
async fn arguments_are_values_of_cedar() {
    let none = with(&[]);
    let table = [
        ("context.input.n == 3", json!({"n": 3})),
        ("context.input.n == 3", json!({"n": 3.0})),
        ("context.input.n == -9223372036854775808", json!({"n": i64::MIN})),
        (r#"context.input.n.lessThan(decimal("3.5001"))"#, json!({"n": 3.5})),
        (r#"context.input.n == decimal("-0.0001")"#, json!({"n": -0.0001})),
        (
            "context.input.list.containsAll([1, \"a\", true]) && context.input.list.contains([2])",
            json!({"list": [1, "a", true, [2], 1]}),
        ),
        ("context.input.a.b.c == \"é\"", json!({"a": {"b": {"c": "é"}}})),
        ("!(context.input has n) && !(context.input.a has n)", json!({"n": null, "a": {"n": null}})),
        // An argument can't be an entity, or a value of an extension.
        (
            r#"context.input.user["__entity"].id == "root""#,
            json!({"user": {"__entity": {"type": "User", "id": "root"}}}),
        ),
        (r#"context.input.n["__extn"].arg == "1.5""#, json!({"n": {"__extn": {"fn": "decimal", "arg": "1.5"}}})),
        (r#"context.input["principal"] == "root""#, json!({"principal": "root"})),
    ];
    for (condition, input) in table {
        assert!(satisfies(condition, &none, input.clone()).await, "{condition} {input}");
    }
}

#[tokio::test]
async fn values_that_cedar_does_not_have_deny_the_call() {
    let deep = |levels| (0..levels).fold(json!(1), |value, _| json!({ "a": value }));
    let wide = |values: usize| json!({"list": (0..values).map(|value| json!(value)).collect::<Vec<_>>()});
    let refused = [
        json!({"n": [1, null]}),
        json!({"n": 9_223_372_036_854_775_808_u64}),
        json!({"n": 1e300}),
        json!({"n": 0.12345}),
        json!({"n": 1e15 + 0.5}),
        wide(100_000),
    ];
    for input in refused {
        let allowed = runs_with(authorizer("permit(principal, action, resource);"), &with(&[]), input.clone()).await;
        assert!(!allowed, "{}", input.to_string().chars().take(80).collect::<String>());
    }
    for input in [deep(90), wide(50_000), json!({"n": i64::MAX}), json!({"n": 1234.5678})] {
        assert!(runs_with(authorizer("permit(principal, action, resource);"), &with(&[]), input).await);
    }
    for (claim, cause) in
        [(json!([null]), "`claims.claim.0` can't be a value in Cedar: null"), (deep(150), "nested too deep")]
    {
        let (hook, audit) = audited(authorizer("permit(principal, action, resource);"));
        let runner = ToolRunner::new(tools![Runs::default().tool("t")]).unwrap().hook(hook);
        runner.call("t", json!({})).inject(Identity::new("a").with_claim("claim", claim)).await.unwrap();
        let record = only(&audit);
        assert_eq!(record.decision, AuditDecision::Denied);
        assert!(record.reason.is_some_and(|reason| reason.contains(cause)));
    }
}

#[tokio::test]
async fn a_forbid_that_fails_denies_unless_failing_policies_are_skipped() {
    let policies = r#"
        @id("all") permit(principal, action, resource);
        @id("limit") forbid(principal, action, resource) when { context.input.price > 500 };
    "#;
    let none = with(&[]);
    for input in [json!({}), json!({"price": "9"}), json!({"price": 9.5})] {
        assert!(!runs_with(authorizer(policies), &none, input.clone()).await, "{input}");
        assert!(runs_with(authorizer(policies).skip_failing_policies(), &none, input).await);
    }
    assert!(runs_with(authorizer(policies), &none, json!({"price": 500})).await);
    assert!(!runs_with(authorizer(policies).skip_failing_policies(), &none, json!({"price": 501})).await);
    // A failing permit permits nothing, and others count.
    let policies = "permit(principal, action, resource) when { context.input.x }; permit(principal, action, resource);";
    assert!(runs_with(authorizer(policies), &none, json!({})).await);
    let (hook, audit) =
        audited(authorizer(r#"@id("limit") forbid(principal, action, resource) when { context.input.x };"#));
    let runner = ToolRunner::new(tools![Runs::default().tool("t")]).unwrap().hook(hook).inject(none);
    runner.call("t", json!({})).await.unwrap();
    assert!(only(&audit).reason.is_some_and(|reason| reason.contains("`limit`") && reason.contains('x')));
}

#[tokio::test]
async fn hides_tools_that_no_policy_can_permit() {
    let shown = async |policies: &str, roles: &[&str]| {
        let runs = Runs::default();
        let model = ScriptedModel::responding("hi");
        let read_only = ToolAnnotations::new().with_read_only(true);
        let tools = [runs.tool("search"), runs.tool("book"), runs.tool("list").annotated(read_only)];
        let agent = builder(&model, tools).hook(audited(authorizer(policies)).0).inject(with(roles)).build();
        agent.await.unwrap().prompt("go").await.unwrap();
        let shown = model.requests()[0].tools.clone();
        shown.join(" ")
    };
    assert_eq!(shown(TRAVEL, &["traveler"]).await, "search book");
    assert_eq!(shown(TRAVEL, &["manager"]).await, "search book list");
    assert_eq!(shown(TRAVEL, &["manager", "auditor"]).await, "search list");
    assert_eq!(shown(TRAVEL, &["auditor"]).await, "list");
    assert_eq!(shown(TRAVEL, &[]).await, "");
    let permit = |scope: &str| format!("permit({scope});");
    for (scope, expected) in [
        (r#"principal == User::"alice", action, resource"#, "search book list"),
        (r#"principal == User::"bob", action, resource"#, ""),
        (r#"principal is User, action == Action::"book", resource is Agent"#, "book"),
        (r#"principal is Robot, action, resource"#, ""),
        (r#"principal is User in Role::"x", action, resource"#, ""),
        (r#"principal in User::"alice", action, resource == Agent::"default""#, "search book list"),
        (r#"principal, action, resource == Agent::"other""#, ""),
        (r#"principal, action in [Action::"list", Action::"nothing"], resource in Agent::"default""#, "list"),
    ] {
        assert_eq!(shown(&permit(scope), &[]).await, expected, "{scope}");
    }
    let forbids = |rest: &str| format!("permit(principal, action, resource); {rest}");
    for (rest, expected) in [
        (r#"forbid(principal, action == Action::"book", resource);"#, "search list"),
        (r#"forbid(principal, action == Action::"book", resource) when { true };"#, "search book list"),
        (r#"@ask("?") forbid(principal, action == Action::"book", resource);"#, "search book list"),
    ] {
        assert_eq!(shown(&forbids(rest), &[]).await, expected, "{rest}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_replaced_all_at_once() {
    // By each set, one of the two tools is allowed. A mixture would allow both or none.
    let set = |allowed: &str, denied: &str| {
        CedarPolicies::parse(&format!(
            r#"permit(principal, action in [Action::"{allowed}", Action::"{denied}"], resource);
               forbid(principal, action == Action::"{denied}", resource) when {{ true }};"#
        ))
        .unwrap()
    };
    let sets = [set("a", "b"), set("b", "a")];
    let authorizer = Arc::new(CedarAuthorizer::new(sets[0].clone()));
    let replacing = tokio::spawn({
        let (authorizer, sets) = (Arc::clone(&authorizer), sets.clone());
        async move {
            for round in 0..2_000 {
                authorizer.replace(sets[round % 2].clone());
                tokio::task::yield_now().await;
            }
        }
    });
    let runs = Runs::default();
    let runner = ToolRunner::new(tools![runs.tool("a"), runs.tool("b")]).unwrap();
    let (hook, audit) = audited(Arc::clone(&authorizer));
    let runner = runner.hook(hook).inject(with(&[]));
    for round in 0..500 {
        let tool = ["a", "b"][round % 2];
        runner.call(tool, json!({})).await.unwrap();
    }
    replacing.await.unwrap();
    for record in audit.records() {
        let expected = if record.decision == AuditDecision::Allowed { "policy0" } else { "policy1" };
        assert_eq!(record.policies, [expected], "{record:?}");
    }
    authorizer.replace(CedarPolicies::parse("").unwrap());
    let ToolCallOutcome::Result(result) = runner.call("a", json!({})).await.unwrap() else { panic!() };
    assert!(result.is_error());
}

#[tokio::test]
async fn session_facts_are_in_the_context() {
    let hour = "context.session.hour_utc >= 0 && context.session.hour_utc < 24";
    let none = with(&[]);
    assert!(satisfies(hour, &none, json!({})).await);
    assert!(satisfies("!(context.session has tenant)", &none, json!({})).await);
    let policies = r#"permit(principal, action, resource)
        when { context.session.tenant == "acme" && context.session.hour_utc < 24 && context.session.tool == "tool" };"#;
    let facts = |request: &strands_identity::AuthorizationRequest<'_>| {
        let facts = json!({"tenant": "acme", "hour_utc": 99, "tool": request.tool.name});
        async move {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(facts.as_object().unwrap().clone())
        }
    };
    assert!(runs_with(authorizer(policies).session_facts(facts), &none, json!({})).await);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_denied_if_its_facts_fail_or_are_late() {
    let policies = r#"permit(principal, action, resource) when { context.session.call_count <= 1 };"#;
    let attempts = AtomicUsize::new(0);
    let authorizer = authorizer(policies).session_facts(move |_| {
        let attempt = attempts.fetch_add(1, Ordering::Relaxed);
        async move {
            match attempt {
                0 => Err("the database is down"),
                1 => std::future::pending().await,
                _ => Ok(Map::new()),
            }
        }
    });
    let (hook, audit) = audited(authorizer);
    let runner = ToolRunner::new(tools![Runs::default().tool("t")]).unwrap();
    let runner = runner.hook(hook).inject(with(&[])).state(AgentState::new());
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        let ToolCallOutcome::Result(result) = runner.call("t", json!({})).await.unwrap() else { panic!() };
        outcomes.push(result.is_error());
    }
    // A call without facts does not count.
    assert_eq!(outcomes, [true, true, false, true]);
    let reasons: Vec<_> = audit.records().into_iter().map(|record| record.reason.unwrap_or_default()).collect();
    assert!(reasons[0].contains("the database is down") && reasons[1].contains("5s"), "{reasons:?}");
}

#[tokio::test]
async fn the_resource_is_the_agent_or_configured() {
    let none = with(&[]);
    assert!(!satisfies(r#"resource == Resource::"agent""#, &none, json!({})).await);
    let policies = r#"permit(principal, action, resource == Resource::"agent");"#;
    let configured = authorizer(policies).resource(r#"Resource::"agent""#).unwrap();
    assert!(runs_with(configured, &none, json!({})).await);
    assert!(authorizer(policies).resource("agent").is_err());
}

#[tokio::test]
async fn policies_may_limit_the_calls_of_a_session() {
    let policies = r#"
        permit(principal, action == Action::"book", resource) when { context.session.call_count <= 2 };
        permit(principal, action == Action::"search", resource);
    "#;
    let runs = Runs::default();
    let state = AgentState::new();
    let (hook, _) = audited(authorizer(policies));
    let runner = ToolRunner::new(tools![runs.tool("book"), runs.tool("search"), runs.tool("wipe")]).unwrap();
    let runner = runner.hook(hook).inject(with(&[])).state(state.clone());
    for tool in ["search", "wipe", "book", "book", "book", "search", "book"] {
        runner.call(tool, json!({})).await.unwrap();
    }
    assert_eq!(runs.tools(), ["search", "book", "book", "search"]);
    // Denied calls don't count; the name is that of Strands for Python.
    assert_eq!(state.get("cedar-authorization"), Some(json!({"search": 2, "wipe": 0, "book": 2})));
}

#[tokio::test]
async fn a_call_that_is_approved_counts_once() {
    let policies = r#"
        permit(principal, action, resource) when { context.session.call_count <= 2 };
        @ask("sure?") forbid(principal, action, resource);
    "#;
    let runs = Runs::default();
    let model = ScriptedModel::new(
        (0..4).map(|_| ScriptedTurn::tool_use("book", json!({}))).chain([ScriptedTurn::text("done")]),
    );
    let (hook, _) = audited(authorizer(policies));
    let mut agent = builder(&model, [runs.tool("book")]).hook(hook).inject(with(&[])).build().await.unwrap();
    let mut response = agent.prompt("go").await.unwrap();
    while !response.interrupts.is_empty() {
        let responses: Vec<_> = response.interrupts.iter().map(|interrupt| interrupt.respond(true)).collect();
        response = agent.prompt(Prompt::none()).resume(responses).await.unwrap();
    }
    assert_eq!(runs.all().len(), 2);
    assert_eq!(agent.state().get("cedar-authorization"), Some(json!({"book": 2})));
}

#[tokio::test]
async fn calls_are_counted_only_if_policies_use_the_count() {
    let state = AgentState::new();
    let (hook, _) = audited(authorizer("permit(principal, action, resource);"));
    let runner = ToolRunner::new(tools![Runs::default().tool("t")]).unwrap().hook(hook).inject(with(&[]));
    runner.state(state.clone()).call("t", json!({})).await.unwrap();
    assert!(state.to_json().is_empty());
}

#[tokio::test]
async fn groups_of_users_in_the_entities_count() {
    let policies = r#"
        permit(principal in Role::"traveler", action, resource);
        forbid(principal in Team::"suspended", action, resource);
    "#;
    let team = json!({"type": "Team", "id": "suspended"});
    let policies = CedarPolicies::parse(policies).unwrap();
    let entities = json!([{"uid": {"type": "User", "id": "alice"}, "attrs": {}, "parents": [team]}]);
    let policies = policies.with_entities(entities).unwrap();
    let authorizer = || CedarAuthorizer::new(policies.clone());
    assert!(!runs_with(authorizer(), &with(&["traveler"]), json!({})).await);
    assert!(runs_with(authorizer(), &Identity::new("bob").with_role("traveler"), json!({})).await);
}
