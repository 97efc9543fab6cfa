//! HTTP over loopback: sends prepared bytes, and reads no more of a request than its length.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::Barrier;
use tokio::time::{self, MissedTickBehavior};

use super::scenario::{self, Pace, Response, Scenario};
use super::{BODIES, HANG_UP};
use crate::mcp;

/// Maximum size of the recorded request bodies in bytes.
const RECORDED: usize = 8 * 1024 * 1024;
/// Maximum size of a gathered chunk in bytes.
const GATHERED: usize = 16 * 1024;
/// Head and first event of a response that is sent concurrently with others.
const FIRST_WRITES: usize = 2;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 8_192;

type Bodies = Arc<Mutex<Vec<Vec<u8>>>>;

/// Serves all scenarios, prints a line with name and port for each and an empty line, and ends with its standard input.
pub(crate) fn serve() {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let bodies = Bodies::default();
        for scenario in scenario::all() {
            let listener = listen(&scenario.name);
            tokio::spawn(accept(listener, Arc::new(Script::new(scenario)), Arc::clone(&bodies)));
        }
        tokio::spawn(send_bodies(listen(BODIES), bodies));
        tokio::spawn(hang_up(listen(HANG_UP)));
        tokio::spawn(serve_mcp(listen(mcp::HTTP)));
        println!();
        // Blocks one thread: the parent's end of the pipe closes with the parent.
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await.unwrap().unwrap();
    });
}

fn listen(name: &str) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(BACKLOG).unwrap();
    println!("{name} {}", listener.local_addr().unwrap().port());
    listener
}

/// The encoded responses of a scenario.
struct Script {
    /// For each response, the writes that send it.
    responses: Vec<Vec<Vec<u8>>>,
    pace: Pace,
    barrier: Barrier,
}

impl Script {
    fn new(scenario: Scenario) -> Self {
        let Scenario { responses, pace, .. } = scenario;
        let requests = if let Pace::Concurrent { requests, .. } = pace { requests } else { 1 };
        let responses = responses.iter().map(|response| writes(response, pace)).collect();
        Self { responses, pace, barrier: Barrier::new(requests) }
    }
}

fn writes(response: &Response, pace: Pace) -> Vec<Vec<u8>> {
    let most = if pace == Pace::Gathered { GATHERED } else { 0 };
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    for event in &response.events {
        match chunks.last_mut() {
            Some(chunk) if chunk.len() + event.len() <= most => chunk.extend_from_slice(event),
            _ => chunks.push(event.clone()),
        }
    }
    let mut writes = vec![response.head.as_bytes().to_vec()];
    for chunk in chunks {
        let mut size = String::new();
        write!(size, "{:x}\r\n", chunk.len()).unwrap();
        writes.push([size.as_bytes(), &chunk, b"\r\n"].concat());
    }
    if let Some(last) = writes.last_mut() {
        last.extend_from_slice(b"0\r\n\r\n");
    }
    match pace {
        Pace::Concurrent { .. } => writes,
        Pace::EventByEvent | Pace::Gathered => vec![writes.concat()],
    }
}

async fn accept(listener: TcpListener, script: Arc<Script>, bodies: Bodies) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        tokio::spawn(respond(connection, Arc::clone(&script), Arc::clone(&bodies)));
    }
}

/// Responds to the requests of a connection until the client closes it.
async fn respond(connection: TcpStream, script: Arc<Script>, bodies: Bodies) {
    connection.set_nodelay(true).unwrap();
    let mut connection = BufReader::with_capacity(16 * 1024, connection);
    for writes in script.responses.iter().cycle() {
        let Some(length) = read_head(&mut connection).await else { return };
        let mut body = vec![0; length];
        if connection.read_exact(&mut body).await.is_err() {
            return;
        }
        {
            let mut bodies = bodies.lock().unwrap();
            if bodies.iter().map(Vec::len).sum::<usize>() < RECORDED {
                bodies.push(body);
            }
        }
        if send(&mut connection, writes, &script).await.is_err() {
            return;
        }
    }
}

async fn send(connection: &mut BufReader<TcpStream>, writes: &[Vec<u8>], script: &Script) -> std::io::Result<()> {
    let Pace::Concurrent { interval, .. } = script.pace else {
        return connection.get_mut().write_all(&writes.concat()).await;
    };
    let mut ticks = time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for (at, write) in writes.iter().enumerate() {
        if at == FIRST_WRITES {
            script.barrier.wait().await;
        }
        ticks.tick().await;
        connection.get_mut().write_all(write).await?;
    }
    Ok(())
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
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().ok()?,
            None if line == "\r\n" => return Some(length),
            _ => {}
        }
    }
}

async fn send_bodies(listener: TcpListener, bodies: Bodies) {
    loop {
        let (mut connection, _) = listener.accept().await.unwrap();
        let taken = std::mem::take(&mut *bodies.lock().unwrap());
        connection.write_all(&serde_json::to_vec(&taken).unwrap()).await.unwrap();
    }
}

async fn serve_mcp(listener: TcpListener) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        connection.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let mut connection = BufReader::with_capacity(16 * 1024, connection);
            while let Some(length) = read_head(&mut connection).await {
                let mut body = vec![0; length];
                let read = connection.read_exact(&mut body).await;
                if read.is_err() || connection.get_mut().write_all(&mcp::respond_over_http(&body)).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn hang_up(listener: TcpListener) {
    loop {
        let (mut connection, _) = listener.accept().await.unwrap();
        let read = connection.read(&mut [0; 1024]).await;
        assert!(read.is_ok_and(|length| length > 0), "a client sends first");
    }
}
