//! Failures that end an execution, and those that do not.

use strands::durable::lambda::sdk::test_util::LocalRunner;
use strands::durable::lambda::sdk::{Options, lambda_runtime::LambdaEvent};
use strands::durable::lambda::{DurableAgent, ExecutionRequest, sdk};
use strands::durable::{FailureKind, TurnFailure, TurnInfo};
use strands::models::{ErrorDetails, ModelError};
use strands::serde::Deserialize;
use strands::serde_json::{self, Value, json};
use strands::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentBuilder};

use crate::support::{World, done, execute, failure_of, names, response_of, succeeded};

#[tokio::test]
async fn a_permanent_error_of_the_model_is_final_and_quotes_nothing() {
    let world = World::default();
    let model = world.model(|_, _| {
        let details =
            ErrorDetails::new().with_status(400).with_body(r#"{"message": "invalid: my secret plan"}"#).boxed();
        ScriptedTurn::error(ModelError::InvalidRequest { details })
    });
    let result = execute(LocalRunner::new(), DurableAgent::new(Agent::builder().model(model)), "my secret plan").await;
    let (kind, message) = failure_of(&result);
    assert_eq!((kind.as_str(), result.invocation_count()), ("turn.model", 1));
    assert!(!message.contains("secret"), "{message}");
    assert_eq!(world.count("model"), 1);
}

#[tokio::test]
async fn invalid_events_are_final() {
    let snapshot = json!({"scope": "multi_agent", "schema_version": "1.0", "created_at": "", "data": {}});
    for event in [
        json!({"prompt": ""}),
        json!({"prompt": []}),
        json!({"prompt": "hi", "prmpt": "typo"}),
        json!({"prompt": "hi", "metadata": "typo"}),
        json!({"prompt": [{"toolResult": {"toolUseId": "1", "content": [], "status": "success"}}]}),
        json!({"prompt": "hi", "snapshot": snapshot}),
        json!({"prompt": "hi", "responses": [{"interruptId": "typo", "response": true}]}),
        json!({"prompt": "hi", "answers": {"responses": [{"interruptId": "unknown", "response": true}]}}),
        json!("hi"),
        json!({}),
        Value::Null,
    ] {
        let template = Agent::builder().model(ScriptedModel::responding("hi"));
        let result = execute(LocalRunner::new(), DurableAgent::new(template), event.clone()).await;
        let (kind, message) = failure_of(&result);
        assert!(kind.ends_with(".invalid_request"), "{event}: {kind} {message}");
        assert!(!message.contains("typo") && result.invocation_count() == 1, "{message}");
    }
}

#[tokio::test]
async fn an_agent_that_cannot_be_built_is_final() {
    let template = Agent::builder();
    let result = execute(LocalRunner::new(), DurableAgent::new(template), "go").await;
    assert_eq!(result.error_type(), Some("strands.configuration"));
    assert!(result.error_message().unwrap().contains("no model"), "{:?}", result.error_message());

    let template = Agent::builder().model(ScriptedModel::responding("hi"));
    let template = template.session_manager(InMemorySessionManager::new("s"));
    let result = execute(LocalRunner::new(), DurableAgent::new(template), "go").await;
    let (kind, message) = failure_of(&result);
    assert_eq!(kind, "turn.configuration");
    assert!(message.contains("session manager"), "{message}");
}

/// Passes an invocation to the function as the Lambda runtime does.
async fn invoke(agent: DurableAgent) -> Result<Value, sdk::BoxError> {
    let input = serde_json::to_string(&ExecutionRequest::new("go")).unwrap();
    let operations =
        json!([{"Id": "e", "Type": "Execution", "Status": "Started", "ExecutionDetails": {"InputPayload": input}}]);
    let envelope = json!({"DurableExecutionArn": "arn", "CheckpointToken": "t", "InitialExecutionState": {"Operations": operations}});
    let payload = sdk::InvocationPayload::deserialize(envelope).unwrap();
    let event = LambdaEvent::new(payload, sdk::LambdaContext::default());
    let config = sdk::SdkConfig::builder().build();
    let options = Options::builder().lambda_client(sdk::LambdaClient::new(&config)).build().unwrap();
    let response = agent.into_service(options)(event).await?;
    Ok(serde_json::to_value(response).unwrap())
}

#[tokio::test]
async fn lambda_repeats_an_invocation_whose_template_fails() {
    let template = async |_: TurnInfo| Err::<AgentBuilder, _>("the secrets are not available");
    let template = move |turn| template(turn);
    let error = invoke(DurableAgent::new(template)).await.unwrap_err();
    assert!(error.to_string().contains("not available"), "{error}");

    let refusing = |_: TurnInfo| async {
        Err::<AgentBuilder, _>(TurnFailure::new(FailureKind::InvalidRequest, "the metadata has no user"))
    };
    let response = invoke(DurableAgent::new(refusing)).await.unwrap();
    assert_eq!(response["Error"]["ErrorType"], "strands.invalid_request");

    let response = invoke(DurableAgent::new(Agent::builder())).await.unwrap();
    assert_eq!(response["Status"], "FAILED", "a failure for good");

    let result = execute(LocalRunner::new(), DurableAgent::new(template), "go").await;
    assert_eq!(result.error_type(), Some("strands.unavailable"), "in a handler of its own");
}

#[tokio::test]
async fn a_checkpoint_that_the_service_refuses_ends_the_execution() {
    let world = World::default();
    let template = Agent::builder().model(world.model(|_, number| done(number)));
    let runner = LocalRunner::new().fail_checkpoints_after(3, 1);
    let result = execute(runner, DurableAgent::new(template), "go").await;
    assert!(result.is_failure());
    assert_eq!((world.count("model"), result.invocation_count()), (1, 1));
}

#[tokio::test]
async fn a_conversation_continues_with_the_snapshot() {
    let world = World::default();
    let template =
        Agent::builder().model(world.model(|request, _| ScriptedTurn::text(request.messages.len().to_string())));
    let first = execute(LocalRunner::new(), DurableAgent::new(template.clone()), "one").await;
    let mut request = ExecutionRequest::new("two");
    request.snapshot = Some(succeeded(&first).snapshot.clone());
    request.session_id = Some("s1".to_owned());
    let second = execute(LocalRunner::new(), DurableAgent::new(template), request).await;
    let output = succeeded(&second);
    assert_eq!((response_of(output).text.as_str(), response_of(output).session_id.as_str()), ("3", "s1"));
    assert_eq!(names(&second), ["start", "model/1/1"]);
}
