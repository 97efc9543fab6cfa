use proptest::prelude::*;
use serde_json::{Value, json};
use strands_core::message::{DocumentFormat, ImageFormat};

use super::*;

const PNG: &str = "iVBORw0KGgo=";

fn output(result: Value) -> ToolOutput {
    tool_output(serde_json::from_value(result).unwrap())
}

/// The content of a result with these blocks, in the JSON of messages.
fn content(blocks: Value) -> Value {
    serde_json::to_value(output(json!({"content": blocks})).content()).unwrap()
}

fn blob(mime_type: Option<&str>, bytes: &[u8]) -> Value {
    let mut resource = json!({"uri": "demo://files/report.pdf?x=1", "blob": STANDARD.encode(bytes)});
    if let Some(mime_type) = mime_type {
        resource["mimeType"] = mime_type.into();
    }
    content(json!([{"type": "resource", "resource": resource}]))[1].clone()
}

#[test]
fn converts_each_kind_of_content() {
    let blocks = json!([
        {"type": "text", "text": "It rains."},
        {"type": "image", "data": PNG, "mimeType": "image/png"},
        {"type": "audio", "data": "AAECAw==", "mimeType": "audio/wav"},
        {"type": "resource_link", "uri": "file:///a.rs", "name": "a.rs", "title": "A", "description": "Code.", "mimeType": "text/x-rust", "size": 12},
        {"type": "resource", "resource": {"uri": "demo://note", "mimeType": "text/plain", "text": "Hello."}},
        {"type": "resource", "resource": {"uri": "demo://bare", "text": "Bare."}},
    ]);
    assert_eq!(
        content(blocks),
        json!([
            {"text": "It rains."},
            {"image": {"format": "png", "source": {"bytes": {"__bytes_encoded__": true, "data": PNG}}}},
            {"audio": {"format": "wav", "source": {"bytes": {"__bytes_encoded__": true, "data": "AAECAw=="}}}},
            {"text": "[Link to resource `file:///a.rs`: name `a.rs`, title `A`, type `text/x-rust`, 12 bytes, description: Code.]"},
            {"text": "[Resource `demo://note` of type `text/plain`:]\nHello."},
            {"text": "[Resource `demo://bare`:]\nBare."},
        ])
    );
}

#[test]
fn detects_the_format_of_images() {
    for (data, mime_type, format) in [
        (PNG, "image/jpeg", "png"),
        ("/9j/4AA", "image/jpg; q=1", "jpeg"),
        ("R0lGODlh", "IMAGE/GIF", "gif"),
        ("UklGRgAAAABXRUJQ", "application/octet-stream", "webp"),
    ] {
        let content = content(json!([{"type": "image", "data": data, "mimeType": mime_type}]));
        assert_eq!(content[0]["image"]["format"], format, "{content}");
    }
    for (data, mime_type, text) in [
        ("Qk0AAAA=", "image/bmp", "[Data of type `image/bmp`, 5 bytes, that can't be shown to this model.]"),
        ("AAAA", "image/png", "[Data of type `image/png`, 3 bytes, that can't be shown to this model.]"),
        ("%%%", "image/png", "[Data of type `image/png` that is not valid base64.]"),
        ("PHN2Zy8+", "image/svg+xml", "<svg/>"),
    ] {
        assert_eq!(content(json!([{"type": "image", "data": data, "mimeType": mime_type}])), json!([{"text": text}]));
    }
}

#[test]
fn converts_binary_resources() {
    let document = |format: &str, bytes: &[u8]| {
        let source = json!({"bytes": {"__bytes_encoded__": true, "data": STANDARD.encode(bytes)}});
        json!({"document": {"format": format, "name": "report.pdf", "source": source}})
    };
    let note = |kind: &str, size| json!({"text": format!("[Data of type `{kind}`, {size} bytes, that can't be shown to this model.]")});
    let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    for (mime_type, bytes, expected) in [
        (Some("application/pdf"), &b"%PDF-1.7"[..], document("pdf", b"%PDF-1.7")),
        (None, b"\n%PDF-1.7", document("pdf", b"\n%PDF-1.7")),
        (Some("application/pdf"), b"\0\x01", note("application/pdf", 2)),
        (Some(docx), b"PK\x03\x04..", document("docx", b"PK\x03\x04..")),
        (Some(docx), b"..", note(docx, 2)),
        (Some("text/csv; charset=utf-8"), b"a,b", json!({"text": "a,b"})),
        (Some("application/problem+json"), b"{}", json!({"text": "{}"})),
        (Some("text/plain"), b"\xff\xfe", note("text/plain", 2)),
        (None, "Grüße".as_bytes(), json!({"text": "Grüße"})),
        (None, b"\0\0", note("unknown", 2)),
        (Some("application/zip"), b"PK\x03\x04", note("application/zip", 4)),
        (Some("audio/midi"), b"MThd", note("audio/midi", 4)),
        (Some("audio/wav"), b"", note("audio/wav", 0)),
    ] {
        assert_eq!(blob(mime_type, bytes), expected);
    }
    let label = content(json!([{"type": "resource", "resource": {"uri": "a\u{202e}b", "blob": "AA=="}}]));
    assert_eq!(label[0], json!({"text": "[Resource `a\\u{202e}b`:]"}));
}

#[test]
fn decodes_any_form_of_base64() {
    assert_eq!(decoded("iVBO\r\nRw0K\nGgo"), decoded(PNG));
    assert_eq!(decoded("_-A="), Some(vec![0xff, 0xe0]));
    assert_eq!((decoded("a"), decoded("é")), (None, None));
    assert_eq!(decoded(""), Some(vec![]));
}

#[test]
fn sends_structured_content_once() {
    let text = |text: &str| json!({"type": "text", "text": text});
    for (blocks, structured, expected) in [
        (json!([]), json!({"n": 1}), json!([{"json": {"n": 1}}])),
        (json!([text("One.")]), json!({"n": 1}), json!([{"text": "One."}, {"json": {"n": 1}}])),
        (json!([text("{\n  \"b\": 2, \"a\": 1}")]), json!({"a": 1, "b": 2}), json!([{"json": {"a": 1, "b": 2}}])),
        (json!([text("[1]"), text("end")]), json!([1]), json!([{"json": [1]}, {"text": "end"}])),
        (json!([text("{\"a\": 2}")]), json!({"a": 1}), json!([{"text": "{\"a\": 2}"}, {"json": {"a": 1}}])),
        (json!([text("hello")]), json!({"result": "hello"}), json!([{"text": "hello"}])),
        (json!([text("1.5")]), json!({"result": 1.5}), json!([{"text": "1.5"}])),
        (
            json!([text("a"), text("{\"b\": 1}")]),
            json!({"result": ["a", {"b": 1}]}),
            json!([{"text": "a"}, {"text": "{\"b\": 1}"}]),
        ),
        (json!([text("a")]), json!({"result": ["a", "b"]}), json!([{"text": "a"}, {"json": {"result": ["a", "b"]}}])),
        (json!([text("a")]), json!(null), json!([{"text": "a"}])),
        (json!([]), json!(null), json!([{"json": null}])),
    ] {
        let output = output(json!({"content": blocks, "structuredContent": structured}));
        assert_eq!(serde_json::to_value(output.content()).unwrap(), expected);
    }
}

#[test]
fn deep_structured_content_is_text() {
    let nested = |levels: usize| serde_json::from_str(&["[".repeat(levels), "]".repeat(levels)].concat()).unwrap();
    assert!(matches!(structured::part(nested(100)).1, ToolResultContent::Json(_)));
    assert!(matches!(structured::part(nested(101)).1, ToolResultContent::Text(_)));
}

#[test]
fn errors_and_empty_results_have_content() {
    let error = output(json!({"content": [{"type": "text", "text": "no such file"}], "isError": true}));
    assert_eq!(error, ToolOutput::error("no such file"));
    assert_eq!(output(json!({"content": [], "isError": true})), ToolOutput::error(placeholder::EMPTY_ERROR));
    assert_eq!(output(json!({"content": []})), ToolOutput::text(placeholder::EMPTY_RESULT));
    assert_eq!(
        output(json!({"content": [{"type": "text", "text": " "}]})),
        ToolOutput::text(placeholder::EMPTY_RESULT)
    );
}

#[test]
fn limits_the_size_of_a_result() {
    let block = |text: String| json!({"type": "text", "text": text});
    let output = content(json!([block("é".repeat(MAX_TEXT)), block("b".to_owned())]));
    assert_eq!(output[0]["text"].as_str().unwrap().len(), MAX_TEXT);
    let note = json!([{"text": "[2 parts of the result are left out or truncated: the result is too large.]"}]);
    assert_eq!(output.as_array().unwrap()[1..], note.as_array().unwrap()[..]);
    let many = content(vec![block("a".to_owned()); MAX_PARTS + 1].into());
    assert_eq!(many.as_array().unwrap().len(), MAX_PARTS + 1);
    let large = content(json!([{"type": "image", "data": "A".repeat(MAX_MEDIA / 3 * 4 + 8), "mimeType": "image/png"}]));
    assert_eq!(large, json!([{"text": "[1 parts of the result are left out or truncated: the result is too large.]"}]));
}

#[test]
fn names_documents_by_their_uri() {
    for (uri, name) in [
        ("file:///a/report.pdf", "report.pdf"),
        ("demo://x/?id=/y", "x"),
        ("report", "report"),
        ("", "document"),
        ("a/b\u{202e}", "b\\u{202e}"),
    ] {
        assert_eq!(document_name(uri), name);
    }
}

proptest! {
    #[test]
    fn any_data_becomes_content(data in any::<String>(), mime_type in "[a-z/+;]{0,12}", bytes in any::<Vec<u8>>()) {
        for data in [data, STANDARD.encode(&bytes)] {
            let result = json!({"content": [
                {"type": "image", "data": data, "mimeType": mime_type},
                {"type": "audio", "data": data, "mimeType": mime_type},
                {"type": "resource", "resource": {"uri": mime_type, "mimeType": mime_type, "blob": data}},
            ]});
            prop_assert!(output(result).content().len() >= 3);
        }
    }

    #[test]
    fn the_size_of_base64_is_known_before_decoding(bytes in any::<Vec<u8>>()) {
        prop_assert_eq!(decoded_size(&STANDARD.encode(&bytes)), bytes.len());
    }

    #[test]
    fn images_are_those_of_their_bytes(rest in any::<Vec<u8>>()) {
        let bytes = [b"GIF89a", &*rest].concat();
        prop_assert_eq!(readable(Some("image/png"), bytes.clone()), Readable::Image(ImageFormat::Gif, bytes));
        let pdf = [b"%PDF-", &*rest].concat();
        prop_assert_eq!(readable(None, pdf.clone()), Readable::Document(DocumentFormat::Pdf, pdf));
    }
}
