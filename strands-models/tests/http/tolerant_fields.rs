//! Fields with another type or in another position than specified, if their meaning is unambiguous.

use serde_json::{Value, json};
use strands_testkit::case::Case;
#[cfg(feature = "openai")]
use strands_testkit::case::cases;

use crate::case::Expected;

#[tokio::test]
#[cfg(feature = "openai")]
async fn reads_shared_cases_with_fields_of_another_type() {
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
            // The tool needs a city: the model gets an error result, and the tool does not run.
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
async fn reads_shared_case_with_a_message_next_to_each_delta() {
    for case in cases("message-beside-delta", &["case.json"]).into_iter().flatten() {
        Expected::text("Hello").usage(3, 1).check(&case).await;
    }
}

/// Returns a case's replies: a call of the tool, then `Hi.`, with the fields of this variant.
fn replies(calls: Value, hi: Value, form: &str) -> Value {
    json!([{form: calls, "done": form == "sse"}, {form: hi, "done": form == "sse"}])
}

fn case(provider: &str, name: &str, replies: &Value) -> Case {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let tool = json!({"name": "get_weather", "schema": schema, "result": "sunny"});
    let case = json!({"provider": provider, "tools": [tool], "prompts": ["w"], "replies": replies});
    Case::parse(&format!("{provider}: {name}"), &case.to_string())
}

/// Checks that the tool is called once with a city, and that the usage of the second response is 9 and 3.
async fn check(provider: &str, name: &str, replies: Value) {
    Expected::weather_in(&["Oslo"]).usage(9, 3).check(&case(provider, name, &replies)).await;
}

/// Returns token counts in other types.
fn counts() -> [(Value, Value); 3] {
    [(json!(9.0), json!(3.0)), (json!("9"), json!("3")), (json!(9), json!("3.0"))]
}

#[tokio::test]
async fn reads_chat_completions_with_other_types() {
    let call = |index: Value, id: Value, arguments: Value| json!({"index": index, "id": id, "type": "function", "function": {"name": "get_weather", "arguments": arguments}});
    let usual = || call(json!(0), json!("a"), json!("{\"city\":\"Oslo\"}"));
    let object = json!({"city": "Oslo"});
    let chunk = |index: Value, delta: Value| json!({"index": index, "delta": delta, "finish_reason": null});
    let calls = |calls: Value| json!([chunk(json!(0), json!({"tool_calls": calls}))]);
    let hi = || json!([chunk(json!(0), json!({"content": "Hi."}))]);
    let variants = [
        ("index null", calls(json!([call(Value::Null, json!("a"), object.clone())])), hi()),
        ("index -1", calls(json!([call(json!(-1), json!("a"), object.clone())])), hi()),
        ("index 0.0", calls(json!([call(json!(0.0), json!("a"), object.clone())])), hi()),
        ("index in text", calls(json!([call(json!("0"), json!("a"), object.clone())])), hi()),
        ("index true", calls(json!([call(json!(true), json!("a"), object.clone())])), hi()),
        ("id a number", calls(json!([call(json!(0), json!(7), object.clone())])), hi()),
        ("id null", calls(json!([call(json!(0), Value::Null, object.clone())])), hi()),
        ("id a float", calls(json!([call(json!(0), json!(7.5), object.clone())])), hi()),
        ("calls an object", calls(usual()), hi()),
        ("calls by their numbers", calls(json!({"0": usual()})), hi()),
        ("calls with null among them", calls(json!([null, usual()])), hi()),
        (
            "no calls as text",
            calls(json!([usual()])),
            json!([chunk(json!(0), json!({"content": "Hi.", "tool_calls": ""}))]),
        ),
        (
            "no calls as false",
            calls(json!([usual()])),
            json!([chunk(json!(0), json!({"content": "Hi.", "tool_calls": false}))]),
        ),
        (
            "choice -1",
            json!([chunk(json!(-1), json!({"tool_calls": [usual()]}))]),
            json!([chunk(json!(-1), json!({"content": "Hi."}))]),
        ),
        ("function in a list", calls(json!([{"index": 0, "id": "a", "function": [usual()["function"]]}])), hi()),
        ("function empty first", calls(json!([{"index": 0, "id": "a", "function": ""}, usual()])), hi()),
        (
            "delta in a list",
            json!([chunk(json!(0), json!([{"tool_calls": [usual()]}]))]),
            json!([chunk(json!(0), json!([{"content": "Hi."}]))]),
        ),
        (
            "content a list of texts",
            calls(json!([usual()])),
            json!([chunk(json!(0), json!({"content": ["Hi", "", "."]}))]),
        ),
        (
            "content a part without a type",
            calls(json!([usual()])),
            json!([chunk(json!(0), json!({"content": [{"text": "Hi."}, {}]}))]),
        ),
        (
            "thinking a text",
            calls(json!([usual()])),
            json!([chunk(
                json!(0),
                json!({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi."}]})
            )]),
        ),
        (
            "other things beside the text",
            calls(json!([usual()])),
            json!([chunk(
                json!(0),
                json!({"content": "Hi.", "annotations": "none", "reasoning_details": "hm", "images": 0})
            )]),
        ),
        ("choice in text", json!([chunk(json!("0"), json!({"tool_calls": [usual()]}))]), hi()),
        (
            "choice 1",
            json!([chunk(json!(1), json!({"tool_calls": [usual()]}))]),
            json!([chunk(json!(1), json!({"content": "Hi."}))]),
        ),
        (
            "choices an object",
            chunk(json!(0), json!({"tool_calls": [usual()]})),
            json!({"0": chunk(json!(0), json!({"content": "Hi."}))}),
        ),
        (
            "content a part",
            calls(json!([usual()])),
            json!([chunk(json!(0), json!({"content": {"type": "text", "text": "Hi."}}))]),
        ),
        (
            "lists null",
            json!([chunk(json!(0), json!({"tool_calls": [usual()], "annotations": null, "reasoning_details": null}))]),
            hi(),
        ),
        (
            "reasoning in numbers",
            calls(json!([usual()])),
            json!([chunk(json!(0), json!({"content": "Hi.", "reasoning": 1, "refusal": null}))]),
        ),
    ];
    let providers = [
        (cfg!(feature = "mistral"), "mistral"),
        (cfg!(feature = "llamacpp"), "llamacpp"),
        (cfg!(feature = "openai"), "openai"),
    ];
    for (_, provider) in providers.into_iter().filter(|(is_there, _)| *is_there) {
        for (at, (name, calls, hi)) in variants.iter().enumerate() {
            let (input, output) = &counts()[at % 3];
            let usage = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": "12"});
            let calls = json!([{"choices": calls}, {"choices": [{"index": calls[0]["index"], "delta": {}, "finish_reason": "tool_calls"}]}]);
            let hi = json!([{"choices": hi}, {"choices": [], "usage": usage}, {"choices": null, "usage": {}}]);
            check(provider, name, replies(calls, hi, "sse")).await;
        }
    }
}

/// Arguments that no tool accepts are a mistake of the model, and not a broken response.
#[tokio::test]
#[cfg(feature = "openai")]
async fn returns_an_error_result_for_meaningless_arguments() {
    let chunk =
        |delta: Value, reason: Value| json!([{"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}]);
    for arguments in [json!(5), json!(-5), json!(5.5), json!(false), json!("None"), json!([1])] {
        let call = json!({"index": 0, "id": "a", "function": {"name": "get_weather", "arguments": arguments}});
        let calls = chunk(json!({"tool_calls": [call]}), json!("tool_calls"));
        let replies = replies(calls, chunk(json!({"content": "Hi."}), json!("stop")), "sse");
        let running = Expected::text("Hi.").check(&case("openai", &arguments.to_string(), &replies)).await;
        let told = running.bodies()[1]["messages"].as_array().unwrap().last().unwrap()["content"].clone();
        assert!(told.as_str().unwrap().starts_with("Error"), "{arguments}: {told}");
    }
}

/// Moonshot reports usage in the last choice of a stream.
#[tokio::test]
#[cfg(feature = "openai")]
async fn reads_usage_of_a_choice() {
    let usage = |output: u64| json!({"prompt_tokens": 9, "completion_tokens": output});
    let choice =
        |usage: Value| json!({"index": 0, "delta": {"content": "Hi."}, "finish_reason": "stop", "usage": usage});
    for (chunks, output) in [
        (json!([{"choices": [choice(usage(3))]}]), 3),
        (json!([{"choices": [choice(usage(1))], "usage": usage(3)}]), 3),
        (json!([{"choices": [choice(usage(3))]}, {"choices": [], "usage": null}]), 3),
        (
            json!([{"choices": [choice(usage(3))]}, {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}}]),
            3,
        ),
    ] {
        let name = chunks.to_string();
        Expected::text("Hi.")
            .usage(9, output)
            .check(&case("openai", &name, &json!([{"sse": chunks, "done": true}])))
            .await;
    }
}

#[tokio::test]
#[cfg(feature = "openai")]
async fn reads_a_message_in_any_position() {
    let choice = |fields: Value| {
        let mut choice = json!({"index": 0, "finish_reason": null});
        choice.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"choices": [choice]})
    };
    let delta = |text: &str| choice(json!({"delta": {"content": text}}));
    let message = |text: &str| choice(json!({"message": {"role": "assistant", "content": text}}));
    let both =
        |delta: &str, message: &str| choice(json!({"delta": {"content": delta}, "message": {"content": message}}));
    for (name, chunks) in [
        ("both", vec![both("Hel", "Hel"), both("lo", "Hello"), both("", "Hello")]),
        ("a message at the end", vec![delta("Hel"), delta("lo"), message("Hello")]),
        ("a message alone", vec![message("Hello")]),
        ("messages of what is new", vec![message("Hel"), message("lo")]),
        ("messages of what was said so far", vec![message("Hel"), message("Hello"), message("Hello")]),
        ("messages beside empty deltas", vec![both("", "Hel"), both("", "Hello")]),
        ("null beside it", vec![choice(json!({"delta": {"content": "Hello"}, "message": null}))]),
        ("null instead of a delta", vec![choice(json!({"delta": null, "message": {"content": "Hello"}}))]),
    ] {
        let replies = json!([{"sse": chunks, "done": true}]);
        Expected::text("Hello").check(&case("openai", name, &replies)).await;
    }
    let call = json!([{"id": "a", "function": {"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}}]);
    let hi = json!([delta("Hi.")]);
    for (name, fields) in [
        ("calls in both", json!({"delta": {"tool_calls": call}, "message": {"tool_calls": call}})),
        ("calls in a message", json!({"delta": {"role": "assistant"}, "message": {"tool_calls": call}})),
    ] {
        Expected::weather_in(&["Oslo"])
            .check(&case("openai", name, &replies(json!([choice(fields)]), hi.clone(), "sse")))
            .await;
    }
    for (name, fields) in [
        ("both in a document", json!({"delta": {"content": ""}, "message": {"content": "Hello"}})),
        ("the same in a document", json!({"delta": {"content": "Hello"}, "message": {"content": "Hello"}})),
        ("a delta in a document", json!({"delta": {"content": "Hello"}})),
        ("a message in a list in a document", json!({"message": [{"role": "assistant", "content": "Hello"}]})),
        ("an empty message in a document", json!({"delta": {"content": "Hello"}, "message": {"content": ""}})),
    ] {
        Expected::text("Hello").check(&case("openai", name, &json!([{"json": choice(fields)}]))).await;
    }
}

#[tokio::test]
#[cfg(feature = "openai")]
async fn reads_responses_with_other_types() {
    let call = |arguments: Value| json!({"type": "function_call", "id": 1, "call_id": 7, "name": "get_weather", "arguments": arguments});
    let hi = json!([{"type": "message", "content": [{"type": "output_text", "text": "Hi."}]}]);
    for (at, index) in [json!(0), json!("0"), json!(0.0), json!(-1), Value::Null].into_iter().enumerate() {
        let event = |kind: &str, item: Value| json!({"type": format!("response.output_item.{kind}"), "output_index": index, "item": item});
        let (input, output) = &counts()[at % 3];
        let usage = json!({"input_tokens": input, "output_tokens": output, "input_tokens_details": null});
        let calls = [
            json!({"type": "response.created", "response": {"output": null}}),
            event("added", call(Value::Null)),
            json!({"type": "response.function_call_arguments.delta", "output_index": index, "item_id": 1, "delta": "{\"city\":\"Oslo\"}"}),
            event("done", call(json!({"city": "Oslo"}))),
            json!({"type": "response.completed", "response": {"id": 1, "output": null}}),
        ];
        let hi = [json!({"type": "response.completed", "response": {"output": hi, "usage": usage}})];
        check("responses", &format!("index {index}"), replies(json!(calls), json!(hi), "anthropic")).await;
    }
    for (name, output) in [
        ("null", json!(null)),
        ("an object", json!({})),
        ("one item", hi[0].clone()),
        ("null in it", json!([null, hi[0]])),
    ] {
        let text =
            if output.is_object() && !output.as_object().unwrap().is_empty() || output.is_array() { "Hi." } else { "" };
        let replies = json!([{"json": {"status": "completed", "output": output}}]);
        Expected::text(text).check(&case("responses", name, &replies)).await;
    }
}

/// Items that are complete at the end, after a stream with other ones.
#[tokio::test]
#[cfg(feature = "openai")]
async fn reads_calls_that_were_not_streamed() {
    let call = json!({"type": "function_call", "id": "fc", "call_id": "c", "name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"});
    let said = json!({"type": "message", "id": "m", "content": [{"type": "output_text", "text": "Let me look."}]});
    let delta =
        json!({"type": "response.output_text.delta", "output_index": 0, "item_id": "m", "delta": "Let me look."});
    let done = json!({"type": "response.output_item.done", "output_index": 1, "item": call});
    let completed = json!({"type": "response.completed", "response": {"status": "completed", "output": [said, call]}});
    let hi = json!([{"type": "response.output_text.delta", "delta": "Hi."}, {"type": "response.completed"}]);
    for calls in [json!([delta, completed]), json!([delta, done, completed])] {
        let name = calls.to_string();
        let replies = replies(calls, hi.clone(), "anthropic");
        let running = Expected::weather_in(&["Oslo"]).check(&case("responses", &name, &replies)).await;
        assert!(running.bodies()[1].to_string().contains("Let me look."), "{name}");
    }
    for (name, content) in [("text", json!("Hi.")), ("texts", json!(["Hi."])), ("a part", json!({"text": "Hi."}))] {
        let document = json!({"status": "completed", "output": [{"type": "message", "content": content}]});
        Expected::text("Hi.").check(&case("responses", name, &json!([{"json": document}]))).await;
    }
}

#[tokio::test]
#[cfg(feature = "ollama")]
async fn reads_ollama_with_other_types() {
    let call =
        |arguments: Value| json!({"id": 7, "function": {"index": "0", "name": "get_weather", "arguments": arguments}});
    let object = || call(json!({"city": "Oslo"}));
    for (at, (name, calls, done)) in [
        ("calls an object", object(), json!(true)),
        ("calls by their numbers", json!({"0": object()}), json!("true")),
        ("arguments in text", json!([call(json!("{\"city\":\"Oslo\"}"))]), json!(1)),
        ("null among the calls", json!([null, object()]), json!(true)),
    ]
    .into_iter()
    .enumerate()
    {
        let (input, output) = &counts()[at % 3];
        let calls = json!([{"message": {"content": null, "tool_calls": calls}, "done": false}, {"done": done}]);
        let hi = json!([{"message": {"content": "Hi.", "tool_calls": {}}, "done": done, "prompt_eval_count": input, "eval_count": output}]);
        check("ollama", name, json!([{"lines": calls}, {"lines": hi}])).await;
    }
}

#[tokio::test]
#[cfg(feature = "gemini")]
async fn reads_gemini_with_other_types() {
    let candidate = |index: Value, part: Value, reason: &str| json!({"candidates": [{"index": index, "content": {"parts": part}, "finishReason": reason}]});
    let call = |args: Value| json!([{"functionCall": {"id": 7, "name": "get_weather", "args": args}}]);
    for (at, (name, index, parts)) in [
        ("index null", Value::Null, call(json!({"city": "Oslo"}))),
        ("index -1", json!(-1), call(json!({"city": "Oslo"}))),
        ("index in text", json!("0"), call(json!({"city": "Oslo"}))),
        ("index 1", json!(1), call(json!({"city": "Oslo"}))),
        ("arguments in text", json!(0), call(json!("{\"city\":\"Oslo\"}"))),
        ("parts an object", json!(0), call(json!({"city": "Oslo"}))[0].clone()),
    ]
    .into_iter()
    .enumerate()
    {
        let (input, output) = &counts()[at % 3];
        let calls = json!([candidate(index, parts, "STOP")]);
        let mut hi = candidate(json!(0), json!([{"text": "Hi.", "thought": "false"}]), "STOP");
        hi["usageMetadata"] = json!({"promptTokenCount": input, "candidatesTokenCount": output});
        check("gemini", name, json!([{"sse": calls}, {"sse": [hi]}])).await;
    }
}

#[tokio::test]
#[cfg(feature = "anthropic")]
async fn reads_anthropic_with_other_types() {
    for (at, index) in [json!(0), json!("0"), json!(0.0), json!(-1), Value::Null].into_iter().enumerate() {
        let event = |kind: &str, field: &str, value: Value| json!({"type": format!("content_block_{kind}"), "index": index, field: value});
        let (input, output) = &counts()[at % 3];
        let stop = |reason: &str| {
            [json!({"type": "message_delta", "delta": {"stop_reason": reason}}), json!({"type": "message_stop"})]
        };
        let calls = [
            event("start", "content_block", json!({"type": "tool_use", "id": 7, "name": "get_weather", "input": []})),
            event("delta", "delta", json!({"type": "input_json_delta", "partial_json": "{}"})),
            event("delta", "delta", json!({"type": "input_json_delta", "partial_json": {"city": "Oslo"}})),
            event("stop", "unused", json!(null)),
        ];
        let hi = [
            json!({"type": "message_start", "message": {"usage": {"input_tokens": input, "output_tokens": output}}}),
            event("start", "content_block", json!({"type": "text", "text": "", "citations": {}})),
            event("delta", "delta", json!({"type": "text_delta", "text": "Hi."})),
            event("stop", "unused", json!(null)),
        ];
        let calls: Vec<_> = calls.into_iter().chain(stop("tool_use")).collect();
        let hi: Vec<_> = hi.into_iter().chain(stop("end_turn")).collect();
        check("anthropic", &format!("index {index}"), json!([{"anthropic": calls}, {"anthropic": hi}])).await;
    }
    for (content, text) in [(json!("Hi."), "Hi."), (json!({"type": "text", "text": "Hi."}), "Hi."), (json!(null), "")] {
        let document = json!({"type": "message", "content": content, "stop_reason": "end_turn"});
        Expected::text(text).check(&case("anthropic", "a document", &json!([{"json": document}]))).await;
    }
}
