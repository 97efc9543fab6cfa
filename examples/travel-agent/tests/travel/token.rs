//! The user from a token. Its private key was thrown away.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use super::home::{Home, failure};

const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"c9iyUcNNvAZq-Z16GruhE8D3f7l3cE_e0Rzq8W4uXME","y":"v6-BpeU9BH2WGpZoPPTTZVUgFwnwCJTPQMbfbO1NrBs","kid":"test","alg":"ES256","use":"sig"}]}"#;

/// Header, claims and signature of a token of Alice as an auditor, which expires in the year 2100.
const TOKEN: [&str; 3] = [
    "eyJhbGciOiJFUzI1NiIsImtpZCI6InRlc3QiLCJ0eXAiOiJKV1QifQ",
    "eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJ0cmF2ZWwiLCJzdWIiOiJlbXBsb3llZS0xNyIsImV4cCI6NDEwMjQ0NDgwMCwidXNlcm5hbWUiOiJhbGljZSIsInJvbGVzIjpbImF1ZGl0b3IiXX0",
    "9m5TJgPrOrmmQGJ12ojDYreR0vupXh9rFZTnK8Q0BRLeOho4jRlbPhct9MgKA5soXEnImvckOVgF8W0BuIoqeA",
];

/// Serves the keys on a free port. Returns their URL.
fn serve_keys() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{KEYS}", KEYS.len()).unwrap();
        }
    });
    url
}

#[test]
fn user_and_roles_are_those_of_the_token() {
    let home = Home::new("token");
    let keys = serve_keys();
    let with = |audience, token: &str, prompt| {
        let options = ["--jwks", &keys, "--issuer", "https://id.example", "--audience", audience, prompt];
        home.command(&options).env("TRAVEL_TOKEN", token).output().unwrap()
    };
    let token = TOKEN.join(".");
    let refused = String::from_utf8(with("travel", &token, "Book me a trip to Boston next Monday").stdout).unwrap();
    assert!(refused.contains("Alice: your role does not allow you to book trips"), "{refused}");

    let unsigned = TOKEN[..2].join(".") + ".";
    for (audience, token) in [("another", &*token), ("travel", &*unsigned)] {
        assert_eq!(failure(with(audience, token, "hello")), "error: invalid token\n");
    }
    let both = home.command(&["--token", &token, "--user", "mei", "hello"]).output().unwrap();
    assert!(failure(both).contains("cannot be used with"));
}
