//! Content in lists, options, tuples and maps remains content, through any alias.

use std::collections::{BTreeMap, HashMap, LinkedList};
use std::error::Error;
use std::sync::Arc;

use serde::Serialize;
use strands::message::{
    AudioBlock, AudioFormat, ContentBlock, DocumentBlock, DocumentFormat, ImageBlock, ImageFormat, MediaSource,
    ToolResultContent, VideoBlock, VideoFormat,
};
use strands::serde_json::{Value, json};
use strands::{IntoToolOutput, Tool, ToolError, ToolOutput, tool};

use crate::{call, json};

type Album = Option<Vec<ImageBlock>>;

#[derive(Clone, Serialize)]
struct Facts {
    pages: u8,
}

#[derive(Serialize)]
struct Photo {
    image: ImageBlock,
}

fn image(byte: u8) -> ImageBlock {
    ImageBlock::new(ImageFormat::Png, vec![byte])
}

fn address() -> ImageBlock {
    ImageBlock::new(ImageFormat::Png, MediaSource::s3("s3://bucket/key"))
}

/// Data that has the fields of an image.
fn undecodable() -> Value {
    json!({"format": "png", "source": {"bytes": {"__bytes_encoded__": true, "data": "!"}}})
}

fn video() -> VideoBlock {
    VideoBlock::new(VideoFormat::Mp4, vec![1])
}

fn document() -> DocumentBlock {
    DocumentBlock::new("plan", DocumentFormat::Pdf, vec![1])
}

macro_rules! tools_returning {
    ($($name:ident -> $type:ty { $value:expr })+) => {
        $(
            /// Returns something.
            #[tool(inline)]
            fn $name() -> $type {
                $value
            }
        )+
    };
}

tools_returning! {
    one_image -> ImageBlock { image(1) }
    one_video -> VideoBlock { video() }
    images -> Vec<ImageBlock> { vec![image(1), image(2)] }
    maybe_image -> Option<ImageBlock> { Some(image(1)) }
    whole_album -> Album { Some(vec![image(1), image(2)]) }
    checked_album -> Result<Album, ToolError> { Ok(Some(vec![image(1)])) }
    pair -> (String, ImageBlock) { ("a cat".to_owned(), image(1)) }
    pair_and_more -> (&'static str, ImageBlock, u8, Option<DocumentBlock>) { ("a cat", image(1), 7, Some(document())) }
    captions -> Vec<(String, ImageBlock)> { vec![("a".into(), image(1)), ("b".into(), image(2))] }
    two_images -> [ImageBlock; 2] { [image(1), image(2)] }
    boxed -> Box<ImageBlock> { Box::new(image(1)) }
    shared -> Arc<ImageBlock> { Arc::new(image(1)) }
    by_name -> BTreeMap<String, ImageBlock> { BTreeMap::from([("a".to_owned(), image(1))]) }
    results -> Vec<Result<ImageBlock, ToolError>> { vec![Ok(image(1))] }
    facts_first -> (Facts, ImageBlock) { (Facts { pages: 3 }, image(1)) }
    facts_last -> Result<(Vec<ImageBlock>, Facts), std::fmt::Error> { Ok((vec![image(1)], Facts { pages: 3 })) }
    facts_and_two -> (Facts, ImageBlock, ImageBlock) { (Facts { pages: 3 }, image(1), image(2)) }
    text_facts_image -> (String, Facts, ImageBlock) { ("a".to_owned(), Facts { pages: 3 }, image(1)) }
    facts_document_video -> (Facts, DocumentBlock, VideoBlock) { (Facts { pages: 3 }, document(), video()) }
    facts_and_address -> (Facts, Facts, ImageBlock) { (Facts { pages: 3 }, Facts { pages: 4 }, address()) }
    no_blocks -> [Value; 2] { [json!({"format": "png", "source": "file"}), undecodable()] }
    listed_undecodable -> (Value, LinkedList<Value>) { (json!(1), LinkedList::from([undecodable()])) }
    maybe_facts -> Option<(Facts, ImageBlock)> { Some((Facts { pages: 3 }, image(1))) }
    listed_facts -> Vec<(Facts, ImageBlock)> { vec![(Facts { pages: 3 }, image(1)), (Facts { pages: 4 }, image(2))] }
    deep_facts -> ((Facts, ImageBlock), ImageBlock) { ((Facts { pages: 3 }, image(1)), image(2)) }
    shared_list -> Arc<[ImageBlock]> { vec![image(1), image(2)].into() }
    linked -> LinkedList<ImageBlock> { LinkedList::from([image(1)]) }
    by_static_name -> HashMap<&'static str, ImageBlock> { HashMap::from([("a", image(1))]) }
    by_number -> BTreeMap<u8, ImageBlock> { BTreeMap::from([(7, image(1))]) }
    numbered -> BTreeMap<u8, &'static str> { BTreeMap::from([(7, "a")]) }
    by_switch -> BTreeMap<bool, u8> { BTreeMap::from([(true, 1)]) }
    by_pair -> BTreeMap<(u8, u8), u8> { BTreeMap::from([((1, 2), 1)]) }
    described -> Photo { Photo { image: image(1) } }
    pieces -> Option<Vec<ToolResultContent>> { Some(vec!["a".into(), image(1).into(), video().into()]) }
    blocks -> Vec<ContentBlock> { vec!["a".into(), image(1).into(), document().into(), video().into()] }
    outputs -> (ToolOutput, ToolOutput) { (ToolOutput::text("a"), ToolOutput::error("b")) }
    no_image -> Option<ImageBlock> { None }
    no_images -> Vec<ImageBlock> { Vec::new() }
    no_album -> Result<Album, String> { Ok(None) }
    failed_result -> Vec<Result<ImageBlock, String>> { vec![Ok(image(1)), Err("no film".to_owned())] }
    audio -> Vec<AudioBlock> { vec![AudioBlock::new(AudioFormat::Mp3, vec![1])] }
    texts -> Vec<String> { vec!["a".to_owned(), "b".to_owned()] }
    maybe_text -> Option<&'static str> { Some("a") }
    numbers -> (u8, f64, bool, char) { (1, 1.5, true, 'x') }
    text_and_facts -> (String, Facts) { ("a".to_owned(), Facts { pages: 3 }) }
    facts_list -> Vec<Facts> { vec![Facts { pages: 3 }] }
    counts -> BTreeMap<String, u8> { BTreeMap::from([("a".to_owned(), 1)]) }
    text_results -> Vec<Result<String, String>> { vec![Ok("a".to_owned()), Err("b".to_owned())] }
    nested -> Vec<Option<(String, Vec<u8>)>> { vec![None, Some(("a".to_owned(), vec![1]))] }
}

/// Returns the types of the content blocks of a result.
async fn kinds(tool: impl Tool) -> String {
    let output = call(tool, json!({})).await.unwrap();
    let kind = |block: &ToolResultContent| match block {
        ToolResultContent::Text(_) => 'T',
        ToolResultContent::Json(_) => 'J',
        ToolResultContent::Image(_) => 'I',
        ToolResultContent::Document(_) => 'D',
        ToolResultContent::Video(_) => 'V',
        ToolResultContent::Audio(_) => 'A',
        _ => '?',
    };
    output.content().iter().map(kind).collect()
}

#[tokio::test]
async fn content_blocks_remain_content() {
    assert_eq!(kinds(OneImage).await, "I");
    assert_eq!(kinds(OneVideo).await, "V");
    assert_eq!(kinds(Audio).await, "A");
    assert_eq!(kinds(Images).await, "II");
    assert_eq!(kinds(MaybeImage).await, "I");
    assert_eq!(kinds(WholeAlbum).await, "II");
    assert_eq!(kinds(CheckedAlbum).await, "I");
    assert_eq!(kinds(Pair).await, "TI");
    assert_eq!(kinds(PairAndMore).await, "TIJD");
    assert_eq!(kinds(Captions).await, "TITI");
    assert_eq!(kinds(TwoImages).await, "II");
    assert_eq!(kinds(Boxed).await, "I");
    assert_eq!(kinds(Shared).await, "I");
    assert_eq!(kinds(ByName).await, "TI");
    assert_eq!(kinds(Results).await, "I");
    assert_eq!(kinds(FactsFirst).await, "JI");
    assert_eq!(kinds(FactsLast).await, "IJ");
    assert_eq!(kinds(Pieces).await, "TIV");
    assert_eq!(kinds(Blocks).await, "TIDV");
    assert_eq!(kinds(Outputs).await, "TT");
    assert!(call(Outputs, json!({})).await.unwrap().status().as_str() == "error");
}

#[tokio::test]
async fn content_in_tuples_with_data_remains_content() {
    assert_eq!(kinds(FactsAndTwo).await, "JII");
    assert_eq!(kinds(TextFactsImage).await, "TJI");
    assert_eq!(kinds(FactsDocumentVideo).await, "JDV");
    assert_eq!(kinds(MaybeFacts).await, "JI");
    assert_eq!(kinds(ListedFacts).await, "JIJI");
    assert_eq!(kinds(DeepFacts).await, "JII");
    assert_eq!(kinds(SharedList).await, "II");
    assert_eq!(kinds(Linked).await, "I");
    assert_eq!(kinds(FactsAndAddress).await, "JJI");
    assert_eq!(json(NoBlocks, json!({})).await[1], undecodable());
    assert_eq!(kinds(ListedUndecodable).await, "J");
    let output = call(FactsAndTwo, json!({})).await.unwrap();
    assert_eq!(output.content()[2], image(2).into());
}

#[tokio::test]
async fn map_keys_are_formatted_like_serde_does() {
    assert_eq!(kinds(ByStaticName).await, "TI");
    assert_eq!(kinds(ByNumber).await, "TI");
    assert_eq!(json(Numbered, json!({})).await, json!({"7": "a"}));
    assert_eq!(json(BySwitch, json!({})).await, json!({"true": 1}));
    assert!(call(ByPair, json!({})).await.unwrap_err().to_string().contains("keys"));
}

#[tokio::test]
async fn images_in_fields_become_json() {
    assert!(json(Described, json!({})).await["image"].is_object());
}

#[tokio::test]
async fn missing_content_is_null_and_failed_content_an_error() {
    for value in [json(NoImage, json!({})).await, json(NoImages, json!({})).await, json(NoAlbum, json!({})).await] {
        assert_eq!(value, json!(null));
    }
    assert_eq!(call(FailedResult, json!({})).await.unwrap_err().to_string(), "no film");
}

#[tokio::test]
async fn data_remains_one_json_value() {
    assert_eq!(json(Texts, json!({})).await, json!(["a", "b"]));
    assert_eq!(crate::text(MaybeText, json!({})).await, "a");
    assert_eq!(json(Numbers, json!({})).await, json!([1, 1.5, true, "x"]));
    assert_eq!(json(TextAndFacts, json!({})).await, json!(["a", {"pages": 3}]));
    assert_eq!(json(FactsList, json!({})).await, json!([{"pages": 3}]));
    assert_eq!(json(Counts, json!({})).await, json!({"a": 1}));
    assert_eq!(json(TextResults, json!({})).await, json!([{"Ok": "a"}, {"Err": "b"}]));
    assert_eq!(json(Nested, json!({})).await, json!([null, ["a", [1]]]));
}

#[derive(Clone)]
struct Chart;

impl IntoToolOutput for Chart {
    fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
        image(1).into_tool_output()
    }
}

struct Gallery(Vec<Chart>);

/// All charts.
#[tool(inline)]
fn charts(gallery: &Gallery) -> Result<&[Chart], Box<dyn Error + Send + Sync>> {
    Ok(&gallery.0)
}

#[tokio::test]
async fn custom_types_can_be_in_lists_and_borrowed() {
    let ctx = strands::testing::ToolContextBuilder::new("charts").inject(Gallery(vec![Chart, Chart])).build();
    assert_eq!(Charts.call(&ctx, json!({})).await.unwrap().content().len(), 2);
}
