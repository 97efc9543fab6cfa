//! Originals that are put back for the user and for chosen tools.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use strands_core::guardrails::GuardrailHook;
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::tool::ConfiguredTool;
use strands_core::{
    Agent, Prompt, StreamExt, Tool, ToolContext, ToolError, ToolLimiter, ToolOutput, ToolPolicy, ToolSpec, async_trait,
};
use strands_guardrails::{PiiBuildError, PiiRedactor, PiiVault, RestoringTool};

use crate::planted::{assert_clean, split};
use crate::properties::run;

/// A tool that notes its arguments, asks once, and repeats the arguments in its result.
#[derive(Clone)]
struct Booking {
    spec: ToolSpec,
    inputs: Arc<Mutex<Vec<Value>>>,
}

#[async_trait]
impl Tool for Booking {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        ctx.interrupt("sure", json!({"for": input["email"]}))?;
        self.inputs.lock().unwrap().push(input.clone());
        Ok(ToolOutput::text(format!("booked for {}", input["email"])))
    }
}

fn booking() -> Booking {
    Booking { spec: ToolSpec::new("book", "Books.", json!({"type": "object"})), inputs: Arc::default() }
}

#[test]
fn a_chosen_tool_gets_the_originals_and_nothing_else_does() {
    run(async {
        let vault = PiiVault::new();
        let model = ScriptedModel::new([
            ScriptedTurn::tool_use("book", json!({"email": "[EMAIL_1]", "card": "[CARD_9]"})),
            ScriptedTurn::text("Booked for [EMAIL_1]."),
        ]);
        let sessions = InMemorySessionManager::new("s");
        let booking = booking();
        let mut agent = Agent::builder()
            .model(model.clone())
            .agent_id("a")
            .tool(RestoringTool::new(booking.clone()))
            .session_manager(sessions.clone())
            .hook(GuardrailHook::new(PiiRedactor::new()))
            .inject(vault.clone())
            .build()
            .await
            .unwrap();
        let mut events = String::new();
        let mut response = None;
        for resumed in [false, true] {
            let mut stream = if resumed {
                let interrupts = agent.interrupts();
                let responses: Vec<_> = interrupts.iter().map(|interrupt| interrupt.respond("yes")).collect();
                agent.prompt(Prompt::none()).resume(responses).stream()
            } else {
                agent.prompt("Book for ada@example.org").stream()
            };
            while let Some(event) = stream.next().await {
                let event = event.unwrap();
                events.push_str(&serde_json::to_string(&event).unwrap());
                if let strands_core::AgentEvent::Result { response: ended } = event {
                    response = Some(ended);
                }
            }
            drop(stream);
            assert_clean("the record", &format!("{:?}", sessions.record("a")));
        }
        assert_eq!(*booking.inputs.lock().unwrap(), [json!({"email": "ada@example.org", "card": "[CARD_9]"})]);
        assert_clean("the events", &events);
        assert!(events.contains("booked for \\\"[EMAIL_1]\\\""), "{events}");
        assert_clean("the messages", &serde_json::to_string(&sessions.messages("a")).unwrap());
        assert_clean("the requests", &format!("{:?}", model.requests()));
        let response = response.unwrap();
        assert_eq!(response.stop_reason, StopReason::EndTurn);
        assert_eq!(vault.restore(&response.text()), "Booked for ada@example.org.");
    });
}

#[test]
fn a_chosen_tool_keeps_its_policy_and_limits() {
    let policy = ToolPolicy::new().with_retries(2);
    let configured = ConfiguredTool::new(booking()).policy(|_| policy).limiter(ToolLimiter::new().concurrency(3));
    let tool = RestoringTool::new(configured);
    assert_eq!(tool.policy(), policy);
    assert!(format!("{:?}", tool.limiter().unwrap()).contains("concurrency: Some(3)"));
}

#[test]
fn a_placeholder_of_another_vault_stays() {
    let (ada, bob) = (PiiVault::new(), PiiVault::new());
    PiiRedactor::new().redact_into("ada@example.org", &ada);
    PiiRedactor::new().redact_into("bob@example.org and bert@example.org", &bob);
    assert_eq!(
        ada.restore("[EMAIL_1], [EMAIL_2], [EMAIL_01], [EMAIL]"),
        "ada@example.org, [EMAIL_2], [EMAIL_01], [EMAIL]"
    );
}

#[test]
fn the_same_original_has_the_same_placeholder() {
    let vault = PiiVault::new();
    let redacted = PiiRedactor::new().redact_into("a@x.org b@x.org a@x.org", &vault);
    assert_eq!(redacted, "[EMAIL_1] [EMAIL_2] [EMAIL_1]");
    let copy = PiiVault::from_entries(vault.entries());
    assert_eq!(PiiRedactor::new().redact_into("c@x.org b@x.org", &copy), "[EMAIL_3] [EMAIL_2]");
    assert_eq!(copy.restore("[EMAIL_1]"), "a@x.org");
    assert_eq!(copy.hide("for a@x.org"), "for [EMAIL_1]");
    vault.clear();
    assert_eq!(vault.restore(&PiiRedactor::new().redact_into("d@x.org", &vault)), "d@x.org");
    assert_eq!(vault.restore("[EMAIL_1]"), "[EMAIL_1]");
}

#[test]
fn hiding_leaves_placeholders_whole() {
    let entries = [("[EMAIL_1]", "ada@example.org"), ("[PHONE_2]", "1")];
    let vault = PiiVault::from_entries(entries.map(|(placeholder, original)| (placeholder.into(), original.into())));
    assert_eq!(vault.hide("1 for ada@example.org"), "[PHONE_2] for [EMAIL_1]");
    assert_eq!(vault.restore(&vault.hide("1 for ada@example.org")), "1 for ada@example.org");
}

#[test]
fn a_full_vault_still_redacts() {
    let vault = PiiVault::new();
    let text: String = (0..10_001).map(|number| format!("n{number}@x.org ")).collect();
    let redacted = PiiRedactor::new().redact_into(&text, &vault);
    assert!(redacted.ends_with("[EMAIL_10000] [EMAIL] "), "{}", &redacted[redacted.len() - 40..]);
    assert_eq!(vault.len(), 10_000);
}

#[test]
fn debug_output_has_no_original() {
    let vault = PiiVault::new();
    PiiRedactor::new().redact_into("ada@example.org", &vault);
    assert_clean("the vault", &format!("{vault:?}{:?}", vault.restorer()));
}

#[test]
fn a_restorer_gives_the_restored_text_for_every_split() {
    let vault = PiiVault::from_entries([
        ("[EMAIL_1]".to_owned(), "ada@example.org".to_owned()),
        ("[TAX_ID_12]".to_owned(), "86095742719".to_owned()),
    ]);
    let text = "See [1], [EMAIL_1] and [TAX_ID_12]; [[EMAIL_1]] not [EMAIL_2] [EMAIL_1 [";
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let cuts = [first as f64 / text.len() as f64, second as f64 / text.len() as f64];
            let mut restorer = vault.restorer();
            let mut restored: String = split(text, &cuts).into_iter().map(|chunk| restorer.push(chunk)).collect();
            restored.push_str(&restorer.finish());
            assert_eq!(restored, vault.restore(text));
        }
    }
}

#[test]
fn patterns_are_bounded() {
    let built = |label: &str, pattern: &str| PiiRedactor::builder().pattern(label, pattern).build();
    assert!(matches!(built("X", "a+"), Err(PiiBuildError::TooLong { .. })));
    assert!(matches!(built("X", "a{5000}"), Err(PiiBuildError::TooLong { .. })));
    assert!(matches!(built("X", "a{0,3}"), Err(PiiBuildError::MatchesEmpty { .. })));
    assert!(matches!(built("X", "^a"), Err(PiiBuildError::Anchored { .. })));
    assert!(matches!(built("X", "a("), Err(PiiBuildError::InvalidPattern { .. })));
    for label in ["", "x", "X1", "_X", "A B", &"A".repeat(33)] {
        assert!(matches!(built(label, "a"), Err(PiiBuildError::InvalidLabel { .. })), "{label}");
    }
    assert_eq!(built("KEY", r"\bsk-\w{4,8}\b").unwrap().redact("sk-abcd1 xsk-abcd"), "[KEY] xsk-abcd");
}
