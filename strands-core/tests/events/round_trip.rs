//! Arbitrary events of every type round-trip.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use strands_core::AgentEvent;

use crate::arbitrary::{Fields, event};
use crate::schema_file::event_types;
use crate::{read, written};

#[test]
fn events_of_every_type_round_trip() {
    for name in event_types() {
        let mut runner =
            TestRunner::new(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() });
        let round_trip = |json| {
            let event = read(&json);
            prop_assert!(!matches!(event, AgentEvent::Unknown(_)), "{name} is read as an unknown type");
            let first = written(&event);
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&first).unwrap(), &json);
            let again: AgentEvent = serde_json::from_str(&first).unwrap();
            prop_assert_eq!(written(&again), first);
            Ok(())
        };
        runner.run(&event(&name, Fields::AndUnknown), round_trip).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
