//! Responses to approval requests, as the service gets them.

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use strands::InterruptResponse;
use strands::durable::Answers;
use strands::durable::lambda::{respond, sdk};
use strands::serde_json::{self, Value, json};
use strands_testkit::{Response, Server};

fn client(server: &Server) -> sdk::LambdaClient {
    let credentials = Credentials::new("AKTEST", "secret-of-tests", None, None, "tests");
    let config = sdk::SdkConfig::builder()
        .endpoint_url(server.url())
        .region(Region::new("eu-north-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    sdk::LambdaClient::new(&config)
}

#[tokio::test]
async fn sends_the_responses_to_the_callback() {
    let server = Server::repeat(Response::json(200, &json!({}))).await;
    respond(&client(&server), "Y2FsbGJhY2s+Lw==", &Answers::new([InterruptResponse::new("i1", true)])).await.unwrap();
    let requests = server.requests();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/2025-12-01/durable-execution-callbacks/Y2FsbGJhY2s%2BLw%3D%3D/succeed");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, json!({"responses": [{"interruptId": "i1", "response": true}]}));
}

#[tokio::test]
async fn an_error_of_the_service_says_why() {
    let error = json!({"Type": "User", "Message": "The callback has timed out."});
    let response = Response::json(400, &error).header("x-amzn-errortype", "CallbackTimeoutException");
    let server = Server::repeat(response).await;
    let error =
        respond(&client(&server), "abc", &Answers::new([InterruptResponse::new("i1", true)])).await.unwrap_err();
    assert!(error.to_string().contains("could not be sent"), "{error}");
    assert!(format!("{error:?}").contains("CallbackTimeoutException"), "{error:?}");
}
