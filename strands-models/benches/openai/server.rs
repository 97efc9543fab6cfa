//! The provider's side: a thread for each connection that answers every request at once with bytes that are ready. It
//! reads no more of a request than its length.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::script::Responses;

/// A server on this machine; it lasts as long as the process.
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
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(&connection.unwrap(), &state));
            }
        });
        Self { base_url, state }
    }

    /// Gives these answers from now on, and forgets what it was asked before.
    pub(crate) fn play(&self, responses: &Arc<Responses>) {
        *self.state.lock().unwrap() = State { responses: Arc::clone(responses), ..State::default() };
    }

    /// The bodies of the requests since then.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.state.lock().unwrap().bodies)
    }
}

fn serve(connection: &TcpStream, state: &Mutex<State>) {
    connection.set_nodelay(true).unwrap();
    let mut requests = BufReader::with_capacity(256 * 1024, connection);
    while let Some(length) = read_head(&mut requests) {
        let mut body = vec![0; length];
        requests.read_exact(&mut body).unwrap();
        let (responses, at) = {
            let mut state = state.lock().unwrap();
            state.bodies.push(body);
            state.answered += 1;
            (Arc::clone(&state.responses), state.answered - 1)
        };
        let response = responses.get(at).expect("nobody asks for more than the script has");
        (&*connection).write_all(response).unwrap();
    }
}

/// How long the body of the next request is, or `None` if there is none.
fn read_head(requests: &mut impl BufRead) -> Option<usize> {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if requests.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            None if line == "\r\n" => return Some(length),
            _ => {}
        }
    }
}
