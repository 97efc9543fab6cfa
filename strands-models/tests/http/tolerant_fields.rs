//! Fields of another type or in another place than the protocol says, where they have one meaning.

use serde_json::{Value, json};
use strands_testkit::case::{Case, Running, cases};

use crate::case::start;

/// What an agent has to make of a case.
#[derive(Clone, Default)]
struct Expected {
    text: &'static str,
    called: Vec<(&'static str, Value)>,
    usage: Option<(u64, u64)>,
}

impl Expected {
    fn text(text: &'static str) -> Self {
        Self { text, ..Self::default() }
    }

    /// The tool is run with a city before `Hi.` is said.
    fn weather_in_oslo() -> Self {
        Self { called: vec![("get_weather", json!({"city": "Oslo"}))], ..Self::text("Hi.") }
    }

    fn usage(self, input: u64, output: u64) -> Self {
        Self { usage: Some((input, output)), ..self }
    }

    async fn check(&self, case: &Case) -> Running {
        let name = &case.name;
        let mut running = start(case).await;
        let response = running.prompt().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(response.text(), self.text, "{name}");
        let called = running.called();
        let called: Vec<_> = called.iter().map(|(tool, input)| (tool.as_str(), input.clone())).collect();
        assert_eq!(called, self.called, "{name}");
        if let Some((input, output)) = self.usage {
            assert_eq!((response.usage.input_tokens, response.usage.output_tokens), (input, output), "{name}");
        }
        running
    }
}

#[tokio::test]
#[cfg(feature = "openai")]
async fn shared_cases_with_fields_of_another_type_are_read() {
    let expected = [
        ("args-array.json", Expected::text("Hi.")),
        ("calls-object.json", Expected::text("Hi.")),
        ("int-id.json", Expected::weather_in_oslo()),
        ("negative-index.json", Expected::weather_in_oslo()),
        ("null-index.json", Expected::text("Hi.")),
        ("output-null.json", Expected::text("Hi.").usage(5, 2)),
        ("string-index.json", Expected::weather_in_oslo()),
        ("usage-floats.json", Expected::text("Hi.").usage(9, 3)),
    ];
    let files = expected.each_ref().map(|(file, _)| *file);
    for (case, (file, expected)) in cases("fields-of-another-type", &files).into_iter().flatten().zip(&expected) {
        let running = expected.check(&case).await;
        let bodies = running.bodies();
        match *file {
            // The tool needs a city: the model is told, and the tool is not run.
            "args-array.json" => {
                let result = bodies[1]["messages"].as_array().unwrap().last().unwrap().clone();
                assert_eq!(result["role"], "tool");
                assert!(result["content"].as_str().unwrap().starts_with("Error"), "{result}");
            }
            "int-id.json" => assert_eq!(bodies[1]["messages"][2]["tool_call_id"], "7"),
            _ => {}
        }
    }
}

#[tokio::test]
#[cfg(feature = "openai")]
async fn shared_case_with_a_message_beside_each_delta_is_read() {
    for case in cases("message-beside-delta", &["case.json"]).into_iter().flatten() {
        Expected::text("Hello").usage(3, 1).check(&case).await;
    }
}
