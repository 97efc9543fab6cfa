//! Fields of another type or in another place than the protocol says, where they have one meaning.

use strands_testkit::case::cases;

use crate::case::Expected;

#[tokio::test]
#[cfg(feature = "openai")]
async fn shared_cases_with_fields_of_another_type_are_read() {
    let expected = [
        ("args-array.json", Expected::text("Hi.")),
        ("calls-object.json", Expected::text("Hi.")),
        ("int-id.json", Expected::weather_in(&["Oslo"])),
        ("negative-index.json", Expected::weather_in(&["Oslo"])),
        ("null-index.json", Expected::text("Hi.")),
        ("output-null.json", Expected::text("Hi.").usage(5, 2)),
        ("string-index.json", Expected::weather_in(&["Oslo"])),
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
