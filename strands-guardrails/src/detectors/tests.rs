//! Tests of the detectors, on whole texts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test that fails panics")]

use super::*;

fn all() -> Detectors {
    Detectors::new(&PiiKind::ALL, Vec::new())
}

/// Returns the findings of a text that are not within others.
fn found<'t>(detectors: &Detectors, text: &'t str) -> Vec<(String, &'t str)> {
    let mut covered = 0;
    let findings = detectors.find(text, 0..text.len());
    let outer = findings.into_iter().filter(|finding| {
        let is_outer = finding.range.end > covered;
        covered = covered.max(finding.range.end);
        is_outer
    });
    outer.map(|finding| (finding.label.to_owned(), &text[finding.range])).collect()
}

#[test]
fn finds_each_kind_within_other_text() {
    for (label, data) in [
        ("EMAIL", "ada@example.org"),
        ("EMAIL", "ada.lovelace+trips@mail.example.co.uk"),
        ("EMAIL", "müller@bücher.example"),
        ("EMAIL", "o'brien@example.org"),
        ("PHONE", "+49 30 901820"),
        ("PHONE", "+14155552671"),
        ("PHONE", "+1 (415) 555-2671"),
        ("PHONE", "+44 (0)20 7946 0958"),
        ("PHONE", "+33\u{a0}1\u{202f}23 45 67 89"),
        ("PHONE", "0049 30 901820"),
        ("PHONE", "(415) 555-2671"),
        ("PHONE", "415-555-2671"),
        ("PHONE", "415.555.2671"),
        ("PHONE", "1-415-555-2671"),
        ("CARD", "4111111111111111"),
        ("CARD", "4111 1111 1111 1111"),
        ("CARD", "5500-0000-0000-0004"),
        ("CARD", "340000000000009"),
        ("CARD", "6011000000000004"),
        ("CARD", "3530111333300000"),
        ("CARD", "4222222222222"),
        ("IBAN", "DE89370400440532013000"),
        ("IBAN", "DE89 3704 0044 0532 0130 00"),
        ("IBAN", "gb82 west 1234 5698 7654 32"),
        ("IBAN", "MT84MALT011000012345MTLCAST001S"),
        ("IBAN", "NO9386011117947"),
        ("IP", "192.168.10.254"),
        ("IP", "2001:db8::8a2e:370:7334"),
        ("IP", "fe80::1"),
        ("SSN", "078-05-1120"),
        ("TAX_ID", "86095742719"),
        ("TAX_ID", "47 036 892 816"),
        ("NINO", "AB123456C"),
        ("NINO", "AB 12 34 56 C"),
        ("NINO", "AB\u{202f}12\u{202f}34\u{202f}56\u{202f}C"),
        ("NIR", "255081416802538"),
        ("NIR", "2 55 08 14 168 025 38"),
        ("DNI", "12345678Z"),
        ("DNI", "X1234567L"),
    ] {
        for (before, after) in
            [("", ""), ("is ", ", "), ("(", ")"), ("\n", "\n"), ("„", "“"), ("=", ";"), ("a b: ", " c 7x")]
        {
            let text = format!("{before}{data}{after}");
            let found = found(&all(), &text);
            assert_eq!(found.len(), 1, "{text:?}: {found:?}");
            let (found_label, range) = &found[0];
            assert_eq!(found_label, label, "{text:?}");
            assert!(range.contains(data.trim_start_matches('(')), "{text:?}: {range:?}");
        }
    }
}

#[test]
fn finds_data_without_a_space_before_other_text() {
    for data in ["ada@example.org", "+49 30 901820", "4111 1111 1111 1111", "DE89370400440532013000"] {
        for (before, after) in [("x", ""), ("né", "né"), ("日本", "日本"), ("_", "_"), ("😀", "😀")] {
            let text = format!("{before}{data}{after}");
            assert!(!PiiKind::DEFAULT.is_empty() && !found(&all(), &text).is_empty(), "{text}");
        }
    }
}

#[test]
fn quotes_around_an_address_stay() {
    assert_eq!(found(&all(), "'ada@example.org'"), [("EMAIL".to_owned(), "ada@example.org")]);
}

#[test]
fn a_hash_is_no_account() {
    // A valid account number of Andorra, within a hash.
    let hash = "9fAD1200012030200359100100c0ffee".to_ascii_lowercase();
    let iban = Detectors::new(&[PiiKind::Iban], Vec::new());
    assert_eq!(found(&iban, &hash), []);
    assert_eq!(found(&iban, "ad1200012030200359100100"), [("IBAN".to_owned(), "ad1200012030200359100100")]);
    assert_eq!(found(&iban, "IBANAD1200012030200359100100").len(), 1);
}

#[test]
fn other_numbers_and_texts_stay() {
    for text in [
        "2026-11-29",
        "29.11.2026",
        "11/29/2026 12:30:45",
        "2026-11-29T12:30:45.123Z",
        "20261129",
        "1764419445123",
        "1,234,567.89",
        "1.234.567,89 EUR",
        "$ 12 345 678.00",
        "order 1234567890",
        "id 4155552671",
        "invoice 2026-000123",
        "4111111111111112",
        "1234 5678 9012 3456",
        "ISBN 978-3-16-148410-0",
        "DE89370400440532013001",
        "de 89 of them",
        "v1.2.3",
        "3.14159265358979",
        "12:30:45",
        "std::vec::Vec",
        "a::b",
        "::",
        "1 2 3 4 5 6 7 8",
        "@ada",
        "ada@",
        "a @ b",
        "user@localhost",
        "550e8400-e29b-41d4-a716-446655440000",
        "000-12-3456",
        "666-12-3456",
        "123-00-4567",
        "86095742718",
        "12345678A",
        "255081416802539",
        "GB123456A",
        "x86_64",
        "+5",
        "+ 49 30 901820",
        "115-555-2671",
        "415-155-2671",
        "page 12-13, 14-15",
        "flight LH 2026, gate B12",
        "256.1.1.1",
        "1.2.3.4.5",
        "10:15-11:45",
        "[EMAIL_1] [PHONE_12345678]",
    ] {
        assert_eq!(found(&all(), text), [], "{text:?}");
    }
}

#[test]
fn findings_may_follow_one_another() {
    let text = "ada@example.org,bob@example.org 4111111111111111 DE89370400440532013000;+49 30 901820";
    let labels: Vec<_> = found(&all(), text).into_iter().map(|(label, _)| label).collect();
    assert_eq!(labels, ["EMAIL", "EMAIL", "CARD", "IBAN", "PHONE"]);
}

#[test]
fn a_card_is_found_after_other_digits() {
    assert_eq!(found(&all(), "12 4111 1111 1111 1111"), [("CARD".to_owned(), "4111 1111 1111 1111")]);
}

#[test]
fn prose_is_decided_up_to_its_last_word() {
    let text = "The weather in Oslo is nic";
    assert_eq!(all().decided(text, 0), text.len() - 3);
    assert_eq!(all().decided("Call +49 30 90", 0), 5);
    assert_eq!(all().decided("Write to ada@example.", 0), 9);
    assert_eq!(all().decided("It has DE89 3704 0044", 0), 7);
}

#[test]
fn digits_of_a_uuid_are_no_card() {
    let detectors = Detectors::new(&PiiKind::ALL, Vec::new());
    let uuid = "0b9f6a52-6a52-4111-8111-00008b1c2d3e";
    // A part of it is a card number elsewhere.
    assert_eq!(found(&detectors, "4111-8111-00008 b"), [("CARD".to_owned(), "4111-8111-00008")]);
    for text in [uuid.to_owned(), format!("booking {uuid} of"), format!("id-{uuid}."), format!("\"{uuid}\"")] {
        assert_eq!(found(&detectors, &text), [], "{text}");
        for end in 0..text.len() {
            let part = text.get(..end).unwrap();
            let decided = detectors.decided(part, 0);
            assert_eq!(detectors.find(part, 0..decided), [], "{part}");
        }
    }
    // Not the form of a UUID.
    let other = format!("{uuid}4");
    assert_eq!(found(&detectors, &other).len(), 1);
}
