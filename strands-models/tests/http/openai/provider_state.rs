//! State at the provider: stored conversations and the output of server tools. Also responses constrained to a schema.

use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::Agent;
use strands_core::message::{ContentBlock, Message};
use strands_core::models::{Model, ModelRequest, OutputSchema};
use strands_models::ModelBuildError;
use strands_testkit::provider::{Provider, ask, kind, turn, weather_tools};
use strands_testkit::{Response, Server};

use super::{Api, BOTH, chat, responses, sse};

fn stateful(server: &str) -> Arc<dyn Model> {
    Arc::new(responses(server).stateful(true).build().unwrap())
}

/// Returns a response that the provider stores under this id.
fn kept_as(id: &str) -> Response {
    let said = json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "fine."});
    let end = json!({"type": "response.completed", "response": {"id": id, "status": "completed"}});
    Response::sse(sse([&said, &end]))
}

fn forgotten() -> Response {
    let error = json!({"type": "invalid_request_error", "param": "previous_response_id",
        "code": "previous_response_not_found", "message": "Previous response with id 'resp_1' not found."});
    Response::json(400, &json!({ "error": error }))
}

async fn history_of(answers: impl IntoIterator<Item = Response>) -> Vec<Message> {
    let server = Server::sequence(answers).await;
    let mut agent = Agent::builder().model(stateful(&server.url())).build().await.unwrap();
    agent.prompt("one").await.unwrap();
    agent.messages().iter().map(|message| (**message).clone()).collect()
}

fn texts(input: &Value) -> Vec<&str> {
    let items = input.as_array().unwrap().iter();
    items.map(|item| item["content"][0]["text"].as_str().or(item["content"].as_str()).unwrap()).collect()
}

#[tokio::test]
async fn sends_a_stored_conversation_once() {
    let server = Server::sequence([kept_as("resp_1"), kept_as("resp_2"), kept_as("resp_3")]).await;
    let mut agent = Agent::builder().model(stateful(&server.url())).system_prompt("Be kind.").build().await.unwrap();
    for prompt in ["one", "two", "three"] {
        assert_eq!(agent.prompt(prompt).await.unwrap().text(), "fine.");
    }
    let requests: Vec<_> = server.requests().iter().map(strands_testkit::Request::json).collect();
    for (request, (previous, input)) in
        requests.iter().zip([(None, "one"), (Some("resp_1"), "two"), (Some("resp_2"), "three")])
    {
        assert_eq!(request["store"], true);
        assert_eq!(request["instructions"], "Be kind.", "instructions are not kept");
        assert_eq!(request["previous_response_id"].as_str(), previous);
        assert_eq!(texts(&request["input"]), [input]);
    }
}

#[tokio::test]
async fn resends_an_expired_conversation_once() {
    let history = history_of([kept_as("resp_1")]).await;
    let server = Server::sequence([forgotten(), kept_as("resp_9"), forgotten(), forgotten()]).await;
    let model = stateful(&server.url());
    let mut agent = Agent::builder().model(Arc::clone(&model)).messages(history.clone()).build().await.unwrap();
    agent.prompt("two").await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(texts(&requests[0].json()["input"]), ["two"]);
    let again = requests[1].json();
    assert!(again.get("previous_response_id").is_none());
    assert_eq!(texts(&again["input"]), ["one", "fine.", "two"]);

    let mut messages: Vec<_> = history.into_iter().map(Arc::new).collect();
    messages.push(Arc::new(Message::user("two")));
    let error = turn(&*model, ModelRequest::new(&messages)).await.unwrap_err();
    assert_eq!(kind(&error), "invalid request");
    assert_eq!(server.requests().len(), 4, "it is resent once");
}

#[tokio::test]
async fn continues_from_local_history_after_an_overflow() {
    let error = json!({"code": "context_length_exceeded", "message": "too long"});
    let overflow = || Response::json(400, &json!({ "error": error }));
    let mut messages: Vec<_> = history_of([kept_as("resp_1")]).await.into_iter().map(Arc::new).collect();
    messages.push(Arc::new(Message::user("two")));
    // A stream may begin before the provider reports the overflow.
    let failed = Response::sse(sse([
        &json!({"type": "response.created", "response": {"status": "in_progress"}}),
        &json!({"type": "response.failed", "response": {"status": "failed", "error": error}}),
    ]));
    let answers = [overflow(), kept_as("resp_2"), failed, kept_as("resp_3"), overflow(), overflow()];
    let server = Server::sequence(answers).await;
    let model = stateful(&server.url());
    for again in [1, 3] {
        let said = turn(&*model, ModelRequest::new(&messages)).await.unwrap();
        assert_eq!(said.message.text(), "fine.");
        let again = server.requests()[again].json();
        assert!(again.get("previous_response_id").is_none());
        assert_eq!(texts(&again["input"]), ["one", "fine.", "two"]);
    }
    // If the local history does not fit either, the agent has to truncate it.
    let error = turn(&*model, ModelRequest::new(&messages)).await.unwrap_err();
    assert_eq!((kind(&error), server.requests().len()), ("context overflow", 6));
}

#[tokio::test]
async fn sends_messages_that_the_provider_did_not_store() {
    let cut = json!({"type": "response.incomplete", "response": {"id": "resp_1", "status": "incomplete",
        "incomplete_details": {"reason": "content_filter"}}});
    let said = json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "fine."});
    let server = Server::repeat(Response::sse(sse([&said, &cut]))).await;
    let answer = turn(&*stateful(&server.url()), ModelRequest::new(&ask("one"))).await.unwrap().message;
    assert!(answer.content.iter().all(|block| !matches!(block, ContentBlock::Provider(_))), "{answer:?}");

    let mut history = history_of([kept_as("resp_1")]).await;
    let ContentBlock::Provider(own) = history[1].content.last_mut().unwrap() else {
        panic!("{history:?}");
    };
    own.provider = "another".to_owned();
    let server = Server::repeat(kept_as("resp_2")).await;
    let mut agent = Agent::builder().model(stateful(&server.url())).messages(history).build().await.unwrap();
    agent.prompt("two").await.unwrap();
    let sent = server.requests()[0].json();
    assert!(sent.get("previous_response_id").is_none());
    assert_eq!(texts(&sent["input"]), ["one", "fine.", "two"]);
}

#[tokio::test]
async fn stateless_models_ignore_response_ids() {
    let history = history_of([kept_as("resp_1")]).await;
    for api in BOTH {
        let server = Server::repeat(api.response(api.fine())).await;
        let mut agent =
            Agent::builder().model(api.plain(&server.url())).messages(history.clone()).build().await.unwrap();
        agent.prompt("two").await.unwrap();
        assert!(!server.requests()[0].json().to_string().contains("resp_1"), "{api:?}");
    }
}

#[tokio::test]
async fn sends_server_tool_items_back_in_order() {
    let search = json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "Oslo"}});
    let newer = json!({"type": "something_newer", "id": "x_1", "data": [1, 2]});
    let done = |at: usize, item: &Value| json!({"type": "response.output_item.done", "output_index": at, "item": item});
    let said = |text: &str| json!({"type": "message", "content": [{"type": "output_text", "text": text}]});
    let answer = Response::sse(sse([
        &done(0, &said("Let me look.")),
        &done(1, &search),
        &done(2, &newer),
        &done(3, &said("It rains.")),
        &json!({"type": "response.completed", "response": {"status": "completed"}}),
    ]));
    let tool = json!({"type": "web_search"});
    let server = Server::sequence([answer, Api::Responses.response(Api::Responses.fine())]).await;
    let model = responses(&server.url()).server_tool(tool.clone()).build().unwrap();
    let mut agent = Agent::builder().model(model).build().await.unwrap();
    assert_eq!(agent.prompt("Weather in Oslo?").await.unwrap().text(), "Let me look.\nIt rains.");
    agent.prompt("Sure?").await.unwrap();
    let history: Vec<_> = agent.messages().iter().map(|message| (**message).clone()).collect();
    let requests = server.requests();
    assert_eq!(requests[0].json()["tools"], json!([tool]));
    let said = |text: &str| json!({"role": "assistant", "content": text});
    assert_eq!(
        requests[1].json()["input"].as_array().unwrap()[1..5],
        [said("Let me look."), search, newer, said("It rains.")]
    );

    let server = Server::repeat(Api::Chat.response(Api::Chat.fine())).await;
    let mut elsewhere = Agent::builder().model(Api::Chat.plain(&server.url())).messages(history).build().await.unwrap();
    elsewhere.prompt("Really?").await.unwrap();
    let sent = server.requests()[0].json();
    assert!(!sent.to_string().contains("ws_1"), "the other protocol has no such items: {sent}");
}

#[test]
fn rejects_functions_as_server_tools() {
    let function = json!({"type": "function", "function": {"name": "f"}});
    for error in [
        chat("http://localhost:1").server_tool(function.clone()).build().err(),
        responses("http://localhost:1").server_tool(function).build().err(),
        responses("http://localhost:1").server_tool(json!("web_search")).build().err(),
    ] {
        assert!(matches!(error, Some(ModelBuildError::InvalidServerTool)), "{error:?}");
    }
    for field in ["store", "previous_response_id"] {
        let error = responses("http://localhost:1").extra(field, true).build().err();
        assert!(matches!(error, Some(ModelBuildError::ReservedField { method: "stateful", .. })), "{error:?}");
    }
}

#[tokio::test]
async fn sends_the_output_schema() {
    let map = json!({"type": "object", "properties": {"city": {"type": "object", "additionalProperties": {"type": "string"}}}});
    let closed = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false});
    let (messages, tools) = (ask("hi"), weather_tools());
    for (schema, strict) in [(map, None), (closed, Some(true))] {
        let output = OutputSchema::new("city", schema.clone()).with_description("A city.");
        let request = ModelRequest::new(&messages).with_tools(&tools).with_output_schema(&output);
        for api in BOTH {
            let server = Server::repeat(api.response(api.fine())).await;
            let model: Arc<dyn Model> = match api {
                Api::Chat => api.plain(&server.url()),
                Api::Responses => {
                    Arc::new(responses(&server.url()).extra("text", json!({"verbosity": "low"})).build().unwrap())
                }
            };
            turn(&*model, request).await.unwrap();
            let sent = server.requests()[0].json();
            assert!(sent.get("tools").is_none(), "tools are left out");
            let described = match api {
                Api::Chat => {
                    assert_eq!(sent["response_format"]["type"], "json_schema");
                    &sent["response_format"]["json_schema"]
                }
                Api::Responses => {
                    assert_eq!(sent["text"]["verbosity"], "low");
                    assert_eq!(sent["text"]["format"]["type"], "json_schema");
                    &sent["text"]["format"]
                }
            };
            assert_eq!((&described["name"], &described["description"]), (&json!("city"), &json!("A city.")));
            assert_eq!((&described["schema"], described["strict"].as_bool()), (&schema, strict));
        }
    }
}

#[tokio::test]
async fn runs_server_tools_before_structured_output() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Weather {
        rain: bool,
    }
    for api in BOTH {
        let said = |text: &str| {
            let said = match api {
                Api::Chat => {
                    sse([&json!({"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]})])
                        + "data: [DONE]\n\n"
                }
                Api::Responses => sse([
                    &json!({"type": "response.output_text.delta", "delta": text}),
                    &json!({"type": "response.completed", "response": {"status": "completed"}}),
                ]),
            };
            Response::sse(said)
        };
        let server = Server::sequence([said("It rains."), said(r#"{"rain": true}"#)]).await;
        let (url, tool) = (server.url(), json!({"type": "web_search"}));
        let model: Arc<dyn Model> = match api {
            Api::Chat => Arc::new(chat(&url).structured_output(true).server_tool(tool.clone()).build().unwrap()),
            Api::Responses => {
                Arc::new(responses(&url).structured_output(true).server_tool(tool.clone()).build().unwrap())
            }
        };
        let mut agent = Agent::builder().model(model).build().await.unwrap();
        let weather = agent.prompt("Weather in Oslo?").output::<Weather>().await.unwrap().into_output().unwrap();
        assert!(weather.rain);
        let requests: Vec<_> = server.requests().iter().map(strands_testkit::Request::json).collect();
        let held = |request: &Value| request.get("response_format").or(request.get("text")).is_some();
        assert_eq!((&requests[0]["tools"], held(&requests[0])), (&json!([tool]), false), "{api:?}");
        assert!(held(&requests[1]), "{api:?}");
    }
}

#[tokio::test]
async fn sends_one_response_format() {
    let (messages, output) = (ask("hi"), OutputSchema::new("city", json!({"type": "object"})));
    let server = Server::repeat(Api::Chat.response(Api::Chat.fine())).await;
    let model = chat(&server.url()).extra("response_format", json!({"type": "json_object"})).build().unwrap();
    turn(&model, ModelRequest::new(&messages)).await.unwrap();
    turn(&model, ModelRequest::new(&messages).with_output_schema(&output)).await.unwrap();
    let forms: Vec<_> =
        server.requests().iter().map(|request| request.json()["response_format"]["type"].clone()).collect();
    assert_eq!(forms, ["json_object", "json_schema"], "the format of the request overrides that of the model");
}

#[test]
fn reports_support_for_structured_output() {
    let openai = |id: &str| strands_models::OpenAiModel::builder().api_key("k").model_id(id);
    let able = |model: &dyn Model| model.capabilities().structured_output;
    // `OPENAI_BASE_URL` may name another server, whose capabilities are unknown.
    if std::env::var_os("OPENAI_BASE_URL").is_none() {
        assert!(able(&openai("gpt-5.4").build().unwrap()));
        assert!(!able(&openai("gpt-4-turbo").build().unwrap()));
    }
    assert!(!able(&chat("http://localhost:1").model_id("gpt-5.4").build().unwrap()), "another server");
    assert!(able(&chat("http://localhost:1").structured_output(true).build().unwrap()));
    assert!(able(&responses("http://localhost:1").structured_output(true).build().unwrap()));
}
