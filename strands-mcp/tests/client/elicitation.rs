//! Elicitation: interrupts with a response in another process, callbacks, and refusals.

use strands_core::Prompt;
use strands_core::models::StopReason;
use strands_core::serde_json::{Value, json};
use strands_core::testing::InMemorySessionManager;
use strands_mcp::{ElicitationKind, ElicitationResponse, McpClient, McpError};

use crate::server::{AGES, Age, Server};
use crate::{agent, calling, client, text};

#[tokio::test]
async fn an_interrupt_is_answered_by_another_agent_and_client() {
    let mut server = Server::start(Age::Stateless).await;
    let sessions = InMemorySessionManager::new("s1");
    let model = calling(&["ask"]);
    let mut first = agent(&client(&server), &model).session_manager(sessions.clone()).build().await.unwrap();
    let response = first.prompt("go").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    let [interrupt] = &response.interrupts[..] else { panic!("{response:?}") };
    assert_eq!(interrupt.reason["message"], "Your name?");
    assert_eq!((&interrupt.reason["server"], &interrupt.reason["tool"]), (&json!("test"), &json!("ask")));
    assert!(!interrupt.reason.to_string().contains("first"), "the request state stays with the agent");
    let response_1 = interrupt.respond(json!({"action": "accept", "content": {"answer": "Ada"}}));
    drop(first);
    server.restart().await;

    let mut second = agent(&client(&server), &model).session_manager(sessions.clone()).build().await.unwrap();
    let response = second.prompt(Prompt::none()).resume([response_1]).await.unwrap();
    let [interrupt] = &response.interrupts[..] else { panic!("{response:?}") };
    assert_eq!(interrupt.reason["message"], "Your seat?");
    let response_2 = interrupt.respond(json!({"answer": "12A"}));
    drop(second);

    let mut third = agent(&client(&server), &model).session_manager(sessions).build().await.unwrap();
    let response = third.prompt(Prompt::none()).resume([response_2]).await.unwrap();
    assert_eq!(response.text(), "done");
    let result = third.messages().iter().flat_map(|message| message.tool_results()).next().cloned().unwrap();
    assert!(format!("{:?}", result.content).contains("name=Ada seat=12A"), "{result:?}");
    assert!(third.state().to_json().is_empty(), "{:?}", third.state());
}

#[tokio::test]
async fn a_callback_answers_in_both_ages() {
    for (age, tool) in [(Age::Stateless, "ask"), (Age::Sessions, "ask_at_once")] {
        let server = Server::start(age).await;
        let client = McpClient::http(server.url()).elicitation(|elicitation| async move {
            assert!(matches!(elicitation.kind, ElicitationKind::Form { .. }), "{elicitation:?}");
            ElicitationResponse::Accept(json!({"answer": "Eve"}))
        });
        let output = client.build().unwrap().call_tool(tool, json!({})).await.unwrap();
        assert!(text(&output).contains("Eve"), "{output:?}");
    }
}

#[tokio::test]
async fn an_elicitation_that_nobody_can_answer_is_refused() {
    let server = Server::start(Age::Stateless).await;
    let error = client(&server).call_tool("ask", json!({})).await.unwrap_err();
    assert!(matches!(&error, McpError::InputRequired { reason, .. } if reason.contains("Your name?")), "{error:?}");

    let server = Server::start(Age::Sessions).await;
    let output = client(&server).call_tool("ask_at_once", json!({})).await.unwrap();
    assert!(text(&output).contains("no callback for elicitations"), "{output:?}");
}

/// Interrupts an agent with a call of a tool, resumes it with another agent, and returns the result.
async fn answered(server: &Server, tool: &'static str, expected: &Value, response: Value) -> String {
    let (sessions, model) = (InMemorySessionManager::new("s1"), calling(&[tool]));
    let mut first = agent(&client(server), &model).session_manager(sessions.clone()).build().await.unwrap();
    let interrupted = first.prompt("go").await.unwrap();
    let [interrupt] = &interrupted.interrupts[..] else { panic!("{interrupted:?}") };
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&interrupt.reason[name], value, "{interrupt:?}");
    }
    drop(first);
    let mut second = agent(&client(server), &model).session_manager(sessions).build().await.unwrap();
    second.prompt(Prompt::none()).resume([interrupt.respond(response)]).await.unwrap();
    let result = second.messages().iter().flat_map(|message| message.tool_results()).next().cloned().unwrap();
    assert!(second.state().to_json().is_empty());
    format!("{result:?}")
}

#[tokio::test]
async fn a_question_of_a_task_is_answered_by_another_agent() {
    let server = Server::start(Age::Stateless).await;
    let expected = json!({"message": "Your colour?", "mode": "form"});
    let result = answered(&server, "work_with_question", &expected, json!({"answer": "red"})).await;
    assert!(result.contains("colour=red"), "{result}");
}

#[tokio::test]
async fn a_visit_of_a_page_is_confirmed_by_another_agent() {
    let expected = json!({"message": "Sign in.", "mode": "url", "url": "https://example.com/in"});
    for age in AGES {
        let server = Server::start(age).await;
        let result = answered(&server, "visit", &expected, json!(true)).await;
        assert!(result.contains("signed in"), "{age:?} {result}");

        let server = Server::start(age).await;
        let result = answered(&server, "visit", &expected, json!(false)).await;
        assert!(result.contains("Error") && result.contains("declined"), "{age:?} {result}");
    }
}
