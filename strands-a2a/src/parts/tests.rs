use a2a::Part;
use serde_json::{Value, json};
use strands_core::message::{ContentBlock, DocumentFormat, ImageBlock, ImageFormat, MediaSource};

use super::{blocks_of, parts_of};

fn part(json: Value) -> Part {
    serde_json::from_value(json).unwrap()
}

#[test]
fn each_kind_of_part_survives_both_directions() {
    for json in [
        json!({"text": "hi"}),
        json!({"data": {"n": 1, "big": 9_007_199_254_740_993_u64, "list": [null, 1.5]}}),
        json!({"data": [1, 2], "mediaType": "application/json"}),
        json!({"raw": "AAEC", "mediaType": "image/png", "filename": "a b.png"}),
        json!({"raw": "AAEC", "mediaType": "application/pdf", "filename": "Q3: report.pdf"}),
        json!({"raw": "AAEC", "mediaType": "video/quicktime"}),
        json!({"raw": "AAEC", "mediaType": "audio/mpeg"}),
        json!({"raw": "AAEC", "mediaType": "application/zip", "filename": "x.zip"}),
        json!({"raw": "aGk=", "mediaType": "text/plain"}),
        json!({"url": "https://a.b/c.png", "mediaType": "image/png"}),
        json!({"url": "https://a.b/c.zip", "filename": "c.zip"}),
    ] {
        let blocks = blocks_of(vec![part(json.clone())]);
        assert_eq!(blocks.len(), 1, "{json}");
        assert_eq!(serde_json::to_value(parts_of(&blocks)).unwrap(), json!([json]));
    }
}

#[test]
fn models_read_data_and_links_as_text() {
    let blocks = blocks_of(vec![
        part(json!({"data": {"city": "Oslo"}})),
        part(json!({"url": "http://a.b/c.csv", "filename": "c.csv", "mediaType": "text/csv"})),
    ]);
    let texts: Vec<_> = blocks.iter().map(|block| block.as_text().unwrap()).collect();
    assert_eq!(texts, ["{\n  \"city\": \"Oslo\"\n}", "File c.csv (text/csv): http://a.b/c.csv"]);
}

#[test]
fn the_format_is_that_of_the_media_type_or_of_the_file_name() {
    let format = |json| match blocks_of(vec![part(json)]).remove(0) {
        ContentBlock::Image(image) => image.format.to_string(),
        ContentBlock::Document(document) => document.format.unwrap().to_string(),
        ContentBlock::Video(video) => video.format.to_string(),
        ContentBlock::Audio(audio) => audio.format.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(format(json!({"raw": "", "mediaType": "IMAGE/JPEG; q=1"})), "jpeg");
    assert_eq!(format(json!({"raw": "", "filename": "a.JPG"})), "jpeg");
    assert_eq!(format(json!({"raw": "", "filename": "a.mp3", "mediaType": "application/octet-stream"})), "mp3");
    assert_eq!(format(json!({"raw": "", "filename": "a.mp4"})), "mp4");
    assert_eq!(format(json!({"raw": "", "mediaType": "video/3gpp"})), "three_gp");
    assert_eq!(format(json!({"raw": "", "mediaType": "text/x-rust"})), "txt");
    assert_eq!(format(json!({"raw": "", "mediaType": "application/json"})), "txt");
    assert_eq!(format(json!({"raw": ""})), "bin");
}

#[test]
fn names_of_documents_have_only_characters_that_providers_accept() {
    let name = |filename: &str| match blocks_of(vec![part(json!({"raw": "", "filename": filename}))]).remove(0) {
        ContentBlock::Document(document) => document.name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name("../../etc/passwd.pdf"), "etc passwd");
    assert_eq!(name("Ünïcode — (v2).pdf"), "n code (v2)");
    assert_eq!(name(".pdf"), "document");
}

#[test]
fn media_of_models_have_a_media_type_and_documents_a_name() {
    let image = ContentBlock::Image(ImageBlock::new(ImageFormat::Webp, MediaSource::from(vec![1])));
    let report =
        strands_core::message::DocumentBlock::new("report", DocumentFormat::Pdf, MediaSource::s3("s3://bucket/report"));
    assert_eq!(
        serde_json::to_value(parts_of(&[image, ContentBlock::text(""), report.into()])).unwrap(),
        json!([
            {"raw": "AQ==", "mediaType": "image/webp"},
            {"url": "s3://bucket/report", "mediaType": "application/pdf", "filename": "report.pdf"},
        ])
    );
}

#[test]
fn the_text_of_data_is_not_much_larger_than_the_data() {
    for (depth, items) in [(95, 1_000_000), (95, 1_000), (40, 1), (3, 1_000_000)] {
        let json = format!("{}{}0{}", "[".repeat(depth), "0,".repeat(items), "]".repeat(depth));
        let blocks = blocks_of(vec![Part::data(serde_json::from_str(&json).unwrap())]);
        let text = blocks[0].as_text().unwrap();
        assert!(text.len() <= 4 * json.len().max(64), "{depth} {items}: {} for {}", text.len(), json.len());
        assert!(text.len() == json.len() || json.len() <= 4096);
    }
}
