//! The provider's side: one thread that sends prepared responses immediately. It reads no more of a request than its
//! length. Both sides of a comparison connect to the same thread, because the result depends on the processor on which
//! it runs.

use std::sync::{Arc, Mutex};
use std::thread;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

use crate::script::Responses;

/// A server on this machine that lives as long as the process.
pub(crate) struct Server {
    pub(crate) base_url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    responses: Arc<Responses>,
    answered: usize,
    bodies: Vec<Vec<u8>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let accept = async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(connection, Arc::clone(&shared)));
            }
        };
        thread::spawn(|| Builder::new_current_thread().enable_io().build().unwrap().block_on(accept));
        Self { base_url, state }
    }

    /// Sends these responses from now on, and clears the recorded requests.
    pub(crate) fn play(&self, responses: &Arc<Responses>) {
        *self.state.lock().unwrap() = State { responses: Arc::clone(responses), ..State::default() };
    }

    /// Returns the bodies of the requests since the last call of [`play`](Self::play).
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.state.lock().unwrap().bodies)
    }
}

async fn serve(connection: TcpStream, state: Arc<Mutex<State>>) {
    connection.set_nodelay(true).unwrap();
    let mut connection = BufReader::with_capacity(256 * 1024, connection);
    while let Some(length) = read_head(&mut connection).await {
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await.unwrap();
        let (responses, at) = {
            let mut state = state.lock().unwrap();
            state.bodies.push(body);
            state.answered += 1;
            (Arc::clone(&state.responses), state.answered - 1)
        };
        let response = responses.get(at).expect("nobody asks for more than the script has");
        connection.get_mut().write_all(response).await.unwrap();
    }
}

/// Returns the length of the next request's body, or `None` if there is no request.
async fn read_head(connection: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if connection.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            None if line == "\r\n" => return Some(length),
            _ => {}
        }
    }
}
