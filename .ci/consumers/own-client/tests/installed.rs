//! A custom HTTP client with an installed crypto provider.

use strands::Agent;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn sends_requests_through_the_client_of_the_program() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    let received = tokio::spawn(async move {
        let (mut stream, _) = proxy.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        let body = r#"{"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}"#;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
        stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let proxy = reqwest::Proxy::http(format!("http://{address}")).unwrap();
    let model = own_client::behind_proxy(proxy, "http://models.example/v1").unwrap();
    let mut agent = Agent::builder().model(model).build().await.unwrap();
    assert_eq!(agent.prompt("hi").await.unwrap().text(), "hello");
    assert!(received.await.unwrap().starts_with("POST http://models.example/v1/chat/completions "));
}
