//! Settings of the audit, and records as events of `tracing`.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::json;
use strands_core::async_trait;
use strands_identity::{Audit, AuditDecision, AuditError, AuditRecord, AuditSink, Identity, MemoryAudit, TracingAudit};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::BoxError;

fn record() -> AuditRecord {
    AuditRecord::new(AuditDecision::Allowed).with_call("call_1", "pay", &json!({"iban": "DE00", "amount": 7}))
}

#[tokio::test]
async fn inputs_are_left_out_included_or_redacted() {
    let memory = MemoryAudit::new();
    let audit = Audit::new(memory.clone());
    audit.record(record()).await.unwrap();
    audit.clone().with_inputs().record(record()).await.unwrap();
    let redacted = audit.with_redacted_inputs(|tool, input| json!({"tool": tool, "amount": input["amount"]}));
    redacted.record(record()).await.unwrap();
    let inputs: Vec<_> = memory.records().into_iter().map(|record| record.input).collect();
    let included = json!({"iban": "DE00", "amount": 7});
    assert_eq!(inputs, [None, Some(included), Some(json!({"tool": "pay", "amount": 7}))]);
    let fingerprints: Vec<_> = memory.records().into_iter().map(|record| record.fingerprint).collect();
    assert!(fingerprints.iter().all(|fingerprint| *fingerprint == record().fingerprint));
}

#[tokio::test]
async fn a_redaction_that_panics_is_a_failure() {
    let memory = MemoryAudit::new();
    let audit = Audit::new(memory.clone()).with_redacted_inputs(|_, _| std::panic::resume_unwind(Box::new("a bug")));
    assert!(matches!(audit.record(record()).await, Err(AuditError::Panicked)));
    assert!(memory.records().is_empty());
}

struct Full;

#[async_trait]
impl AuditSink for Full {
    async fn record(&self, _: &AuditRecord) -> Result<(), BoxError> {
        Err("the disk is full".into())
    }
}

#[tokio::test]
async fn each_sink_gets_the_record_and_each_must_store_it() {
    let memory = MemoryAudit::new();
    let audit = Audit::new(Full).and(Arc::new(memory.clone()) as Arc<dyn AuditSink>);
    let failed = audit.record(record()).await.unwrap_err();
    assert_eq!(format!("{failed:?}"), "an audit record was not stored: the disk is full");
    assert_eq!(memory.records().len(), 1);
    audit.continue_on_failure().record(record()).await.unwrap();
    assert_eq!(memory.records().len(), 2);
}

#[test]
fn records_survive_json() {
    let identity = Identity::new("alice").with_role("traveler").with_claim("email", "a@example.com");
    let record = record().with_identity(&identity).with_approver(&Identity::new("mia")).with_policies(["p"]);
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(json["decision"], "allowed");
    assert_eq!(json["identity"], json!({"subject": "alice", "roles": ["traveler"]}));
    assert_eq!(serde_json::from_value::<AuditRecord>(json).unwrap(), record);
}

/// A subscriber that writes events as text.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<String>>);

impl Visit for Events {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0.lock().unwrap(), "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Events {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        writeln!(self.0.lock().unwrap(), "{} {}", event.metadata().level(), event.metadata().target()).unwrap();
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn an_event_of_tracing_has_the_fields_of_the_record_on_one_line() {
    let events = Events::default();
    let guard = tracing::subscriber::set_default(events.clone());
    let record = AuditRecord::new(AuditDecision::Denied)
        .with_identity(&Identity::new("eve\nINFO strands::audit decision=Allowed").with_role("r"))
        .with_call("call\r\n1", "pay", &json!({"text": "two\nlines"}))
        .with_reason("no\nreason")
        .with_policies(["p1"]);
    TracingAudit::new().record(&record).await.unwrap();
    drop(guard);
    let text = events.0.lock().unwrap().clone();
    let (head, fields) = text.split_once('\n').unwrap();
    assert_eq!(head, "INFO strands::audit");
    assert!(!fields.contains(['\n', '\r']), "{fields}");
    for field in
        ["decision=Denied", "tool=\"pay\"", "tool_use_id=\"call\\r\\n1\"", "policies=[\"p1\"]", "message=audit"]
    {
        assert!(fields.contains(field), "{field}: {fields}");
    }
    assert!(fields.contains(record.fingerprint.unwrap().as_str()), "{fields}");
}
