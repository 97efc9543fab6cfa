//! Texts with personal data at random places.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use strands_core::models::{StopReason, StreamEvent};

/// Personal data, by its label.
pub(crate) const DATA: [(&str, &str); 23] = [
    ("EMAIL", "ada@example.org"),
    ("EMAIL", "ada.lovelace+trips@mail.example.co.uk"),
    ("EMAIL", "müller@bücher.example"),
    ("EMAIL", "o'brien@example.org"),
    ("PHONE", "+49 30 901820"),
    ("PHONE", "+1 (415) 555-2671"),
    ("PHONE", "(415) 555-2671"),
    ("PHONE", "415-555-2671"),
    ("PHONE", "0049 30 901820"),
    ("CARD", "4111111111111111"),
    ("CARD", "4111 1111 1111 1111"),
    ("CARD", "340000000000009"),
    ("IBAN", "DE89370400440532013000"),
    ("IBAN", "DE89 3704 0044 0532 0130 00"),
    ("IBAN", "gb82 west 1234 5698 7654 32"),
    ("IP", "192.168.10.254"),
    ("IP", "2001:db8::8a2e:370:7334"),
    ("SSN", "078-05-1120"),
    ("TAX_ID", "47 036 892 816"),
    ("NINO", "AB 12 34 56 C"),
    ("NIR", "2 55 08 14 168 025 38"),
    ("DNI", "12345678Z"),
    ("CUSTOMER", "C-004711"),
];

/// Text that is no personal data.
const OTHER: [&str; 14] = [
    "hello ",
    "Größe: ",
    "日本 ",
    "😀 ",
    "2026-11-29, ",
    "1,234.56 EUR; ",
    "order 1234567890, ",
    "\n",
    "(see page 12) ",
    "{\"a\": [1, 2]} ",
    "LH 2026 ",
    "\\\"quoted\\\" ",
    "a.b@c ",
    "12:30:45; ",
];

/// A part of a text: other text, or data between delimiters.
fn part() -> impl Strategy<Value = (String, bool)> {
    let delimiters = select(vec![(" ", ", "), ("(", ")"), ("„", "“"), ("\n", "\n"), ("=", ";"), ("😀", "😀")]);
    prop_oneof![
        3 => select(OTHER.to_vec()).prop_map(|text| (text.to_owned(), false)),
        2 => (select(DATA.to_vec()), delimiters)
            .prop_map(|((_, data), (before, after))| (format!("{before}{data}{after}"), true)),
        1 => "[a-zäß .,]{0,40}".prop_map(|text| (text, false)),
    ]
}

/// A text with data.
pub(crate) fn text() -> impl Strategy<Value = String> {
    vec(part(), 1..12).prop_map(|parts| parts.into_iter().map(|(text, _)| text).collect())
}

/// Arbitrary characters that data consists of, so that anything may be next to anything.
pub(crate) fn noise() -> impl Strategy<Value = String> {
    let characters = select("0123456789011 .-+()/@:abDE89xé,".chars().collect::<Vec<_>>());
    let run = vec(characters, 0..60).prop_map(String::from_iter);
    let data = select(DATA.to_vec()).prop_map(|(_, data)| data.to_owned());
    vec(prop_oneof![run, data], 1..24).prop_map(|parts| parts.concat())
}

/// Splits a text at these positions, as shares of its length.
pub(crate) fn split<'t>(text: &'t str, cuts: &[f64]) -> Vec<&'t str> {
    let mut at: Vec<_> = cuts.iter().map(|cut| text.floor_char_boundary((cut * text.len() as f64) as usize)).collect();
    at.push(text.len());
    at.sort_unstable();
    let mut start = 0;
    at.into_iter().map(|end| &text[std::mem::replace(&mut start, end)..end]).collect()
}

/// Positions at which a text is split.
pub(crate) fn cuts() -> impl Strategy<Value = Vec<f64>> {
    vec(0.0..1.0, 0..40)
}

/// The events of a response with one text block for each text, whose deltas are interleaved.
pub(crate) fn response(texts: &[Vec<&str>]) -> Vec<StreamEvent> {
    let mut events = vec![StreamEvent::start()];
    let longest = texts.iter().map(Vec::len).max().unwrap_or_default();
    for at in 0..longest {
        for (index, chunks) in texts.iter().enumerate() {
            events.extend(chunks.get(at).map(|chunk| StreamEvent::text(index, *chunk)));
            if at + 1 == chunks.len() {
                events.push(StreamEvent::block_stop(index));
            }
        }
    }
    events.push(StreamEvent::stop(StopReason::EndTurn));
    events
}

/// Asserts that no data is in a text.
pub(crate) fn assert_clean(what: &str, text: &str) {
    for (label, data) in DATA {
        let in_json = serde_json::to_string(data).unwrap();
        for form in [data, in_json.trim_matches('"')] {
            assert!(!text.contains(form), "{what} has the {label} `{form}`: {text}");
        }
    }
}
