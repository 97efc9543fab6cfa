//! The end of an answer: with a reason, with the mark of the protocol, as a document, or because the connection was cut.

#[cfg(feature = "openai")]
use strands_core::model::StopReason;
use strands_testkit::case::cases;

use crate::case::start;

#[tokio::test]
#[cfg(feature = "openai")]
async fn shared_documents_without_a_reason_are_whole() {
    let files = ["2a_empty_finish_document.json", "2c_null_finish_document.json", "2d_null_finish_document_tool.json"];
    for case in cases("finish-reason-missing", &files).into_iter().flatten() {
        let turn = start(&case).await.turn().await.unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
        let calls: Vec<_> = turn.message.tool_uses().map(|call| call.name.as_str()).collect();
        if case.name.ends_with("_tool.json") {
            assert_eq!((calls, turn.stop_reason), (vec!["f"], StopReason::ToolUse), "{}", case.name);
        } else {
            assert_eq!((turn.message.text().as_str(), turn.stop_reason), ("4", StopReason::EndTurn), "{}", case.name);
        }
    }
}
