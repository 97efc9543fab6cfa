//! Search in a Bedrock knowledge base, against scripted responses.

use std::time::{Duration, Instant};

use aws_sdk_bedrockagentruntime::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use serde_json::json;
use strands_testkit::{Response, Server};
use travel_agent::knowledge::{BedrockKnowledgeBase, KnowledgeError, Passage, PolicySearch as _};

const SECRET: &str = "s3cret";

fn knowledge_base(server: &Server) -> BedrockKnowledgeBase {
    limited(server, [Duration::from_secs(10), Duration::from_secs(20)])
}

fn limited(server: &Server, timeouts: [Duration; 2]) -> BedrockKnowledgeBase {
    let credentials = Credentials::new("AKEXAMPLE", SECRET, None, None, "test");
    let config = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(server.url())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    BedrockKnowledgeBase::new("KB12345678", &config, timeouts)
}

fn error(status: u16, kind: &str) -> Response {
    Response::json(status, &json!({"message": "no"})).header("x-amzn-errortype", kind)
}

#[tokio::test]
async fn returns_passages_with_their_documents() {
    let server = Server::repeat(Response::json(
        200,
        &json!({"retrievalResults": [
            {"content": {"text": "Luxury cars are never allowed.", "type": "TEXT"}, "score": 0.8,
             "location": {"type": "S3", "s3Location": {"uri": "s3://policies/cars.pdf"}}},
            {"content": {"text": "x".repeat(100_000)}, "location": {"type": "WEB", "webLocation": {"url": "https://intranet.example/p"}}},
            {"content": {"text": " "}},
            {"content": {"text": "no location"}, "score": 0.1},
            {"content": {"text": "beyond the limit"}, "score": 0.1}
        ]}),
    ))
    .await;
    let found = knowledge_base(&server).search("rental cars", 3).await.unwrap();
    let first = Passage {
        source: "s3://policies/cars.pdf".to_owned(),
        text: "Luxury cars are never allowed.".to_owned(),
        score: 0.8,
    };
    assert_eq!((found.len(), &found[0]), (3, &first));
    assert_eq!((found[1].source.as_str(), found[1].text.len()), ("https://intranet.example/p", 2_000));
    assert_eq!(found[2].source, "knowledge base KB12345678");

    let request = &server.requests()[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/knowledgebases/KB12345678/retrieve"));
    let sent = request.json();
    assert_eq!(sent["retrievalQuery"]["text"], "rental cars");
    assert_eq!(sent["retrievalConfiguration"]["vectorSearchConfiguration"]["numberOfResults"], 3);
    knowledge_base(&server).search(&"long ".repeat(10_000), 200).await.unwrap();
    let sent = server.requests()[1].json();
    assert_eq!(sent["retrievalQuery"]["text"].as_str().unwrap().chars().count(), 1_000);
    assert_eq!(sent["retrievalConfiguration"]["vectorSearchConfiguration"]["numberOfResults"], 10);
}

#[tokio::test]
async fn an_empty_result_is_no_error() {
    let server = Server::repeat(Response::json(200, &json!({"retrievalResults": []}))).await;
    assert!(knowledge_base(&server).search("zebras", 3).await.unwrap().is_empty());
    let empty = knowledge_base(&server).search("  ", 3).await;
    assert!(matches!(empty, Err(KnowledgeError::EmptyQuery)));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn failures_have_types_and_hide_secrets() {
    type Expected = fn(&KnowledgeError) -> bool;
    let cases: [(Response, Expected, usize); 7] = [
        (error(429, "ThrottlingException"), |error| matches!(error, KnowledgeError::Throttled(_)), 3),
        (error(403, "AccessDeniedException"), |error| matches!(error, KnowledgeError::Denied(_)), 1),
        (error(404, "ResourceNotFoundException"), |error| matches!(error, KnowledgeError::Denied(_)), 1),
        (error(500, "InternalServerException"), |error| matches!(error, KnowledgeError::Failed(_)), 3),
        (
            Response::json(200, &json!({"retrievalResults": "none"})),
            |error| matches!(error, KnowledgeError::Failed(_)),
            1,
        ),
        (Response::new(200).body("<html>"), |error| matches!(error, KnowledgeError::Failed(_)), 1),
        (Response::garbage("nonsense\r\n\r\n"), |error| matches!(error, KnowledgeError::Failed(_)), 0),
    ];
    for (response, is_expected, requests) in cases {
        let server = Server::repeat(response).await;
        let error = knowledge_base(&server).search("cars", 3).await.unwrap_err();
        assert!(is_expected(&error), "{error:?}");
        assert!(requests == 0 || server.requests().len() == requests, "{error}: {}", server.requests().len());
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[tokio::test]
async fn waits_for_a_slow_response_no_longer_than_its_limit() {
    let server = Server::repeat(Response::new(200).stall_head()).await;
    let began = Instant::now();
    let limits = [Duration::from_millis(300), Duration::from_secs(2)];
    let error = limited(&server, limits).search("cars", 3).await.unwrap_err();
    assert!(matches!(error, KnowledgeError::TimedOut(_)), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}
