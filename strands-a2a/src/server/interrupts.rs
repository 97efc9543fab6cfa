//! Interrupts as parts of a status message, and the parts that respond to them: the format of Strands.

use a2a::{Part, PartContent};
use serde::Deserialize;
use serde_json::{Value, json};
use strands_core::{Interrupt, InterruptResponse};

use super::failure::Failure;

/// Returns the parts that ask for input: a text for people, and the interrupts for programs.
pub(super) fn parts_of(interrupts: &[Interrupt]) -> Vec<Part> {
    let questions: Vec<String> = interrupts.iter().map(question).collect();
    let list: Vec<Value> = interrupts
        .iter()
        .map(|interrupt| json!({"interruptId": interrupt.id, "name": interrupt.name, "reason": interrupt.reason}))
        .collect();
    vec![Part::text(questions.join("\n")), Part::data(json!({"interrupts": list}))]
}

fn question(interrupt: &Interrupt) -> String {
    match &interrupt.reason {
        Value::Null => format!("Input is required: {}", interrupt.name),
        Value::String(reason) => reason.clone(),
        reason => format!("{}: {reason}", interrupt.name),
    }
}

/// A data part with one response to an interrupt, or with a list of them.
#[derive(Deserialize)]
struct Responses {
    #[serde(rename = "interruptResponse")]
    responses: OneOrMore,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    More(Vec<InterruptResponse>),
    One(InterruptResponse),
}

/// Returns true for a part with responses to interrupts.
pub(super) fn is_response(part: &Part) -> bool {
    matches!(&part.content, PartContent::Data(data) if data.get("interruptResponse").is_some())
}

/// Returns the responses of a message to the interrupts of its task. A text responds to the only interrupt. If there is a data
/// part with responses, other parts are for people and are ignored.
pub(super) fn responses_of(parts: Vec<Part>, interrupts: &[Interrupt]) -> Result<Vec<InterruptResponse>, Failure> {
    let invalid = |text: &str| Failure::InvalidParams(text.to_owned());
    let mut responses = Vec::new();
    for part in parts.iter().filter(|part| is_response(part)) {
        if let PartContent::Data(data) = &part.content {
            let Ok(Responses { responses: given }) = Responses::deserialize(data) else {
                return Err(invalid(
                    "invalid `interruptResponse`: expected `interruptId` and `response`, or a list of them",
                ));
            };
            match given {
                OneOrMore::One(response) => responses.push(response),
                OneOrMore::More(more) => responses.extend(more),
            }
        }
    }
    if !responses.is_empty() {
        return Ok(responses);
    }
    let [interrupt] = interrupts else {
        return Err(invalid(
            "the task waits for responses to several interrupts: send a data part `{\"interruptResponse\": \
             [{\"interruptId\", \"response\"}, ..]}`",
        ));
    };
    let response = match parts.as_slice() {
        [Part { content: PartContent::Data(data), .. }] => data.clone(),
        parts => {
            let texts: Vec<&str> = parts.iter().filter_map(Part::as_text).collect();
            if texts.is_empty() {
                return Err(invalid("the task waits for input: send a text or a data part"));
            }
            Value::String(texts.join("\n"))
        }
    };
    Ok(vec![interrupt.respond(response)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interrupt(id: &str) -> Interrupt {
        Interrupt::new(id, "approval", json!("Book it?"))
    }

    fn responses(parts: Value, interrupts: &[Interrupt]) -> Result<Value, Failure> {
        let parts = serde_json::from_value(parts).unwrap();
        responses_of(parts, interrupts).map(|responses| serde_json::to_value(responses).unwrap())
    }

    #[test]
    fn interrupts_have_a_text_for_people_and_data_for_programs() {
        assert_eq!(
            serde_json::to_value(parts_of(&[interrupt("a"), Interrupt::new("b", "seat", json!({"row": 1}))])).unwrap(),
            json!([
                {"text": "Book it?\nseat: {\"row\":1}"},
                {"data": {"interrupts": [
                    {"interruptId": "a", "name": "approval", "reason": "Book it?"},
                    {"interruptId": "b", "name": "seat", "reason": {"row": 1}},
                ]}},
            ])
        );
    }

    #[test]
    fn reads_responses_from_data_parts_one_by_one_or_as_a_list() {
        let (a, b) = (json!({"interruptId": "a", "response": 1}), json!({"interruptId": "b", "response": null}));
        let both = [interrupt("a"), interrupt("b")];
        for parts in [
            json!([{"data": {"interruptResponse": a}}, {"data": {"interruptResponse": b}}]),
            json!([{"text": "yes"}, {"data": {"interruptResponse": [a, b]}}]),
        ] {
            assert_eq!(responses(parts, &both), Ok(json!([a, b])));
        }
        assert!(responses(json!([{"data": {"interruptResponse": {"response": 1}}}]), &both).is_err());
    }

    #[test]
    fn a_text_responds_to_the_only_interrupt() {
        let one = [interrupt("a")];
        assert_eq!(responses(json!([{"text": "yes"}]), &one), Ok(json!([{"interruptId": "a", "response": "yes"}])));
        assert_eq!(
            responses(json!([{"data": {"ok": true}}]), &one),
            Ok(json!([{"interruptId": "a", "response": {"ok": true}}]))
        );
        assert!(responses(json!([{"text": "yes"}]), &[interrupt("a"), interrupt("b")]).is_err());
        assert!(responses(json!([{"raw": ""}]), &one).is_err());
    }
}
