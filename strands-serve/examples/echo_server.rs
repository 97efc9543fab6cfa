//! A server whose agent repeats the prompt, word by word: for tests of hosts, benchmarks, and clients.
//!
//! ```sh
//! cargo run -p strands-serve --example echo_server -- 127.0.0.1:8080
//! curl -N http://127.0.0.1:8080/prompt/stream -H 'content-type: application/json' -d '{"prompt": "Hello to you"}'
//! ```
//!
//! The argument is the address; the default is a free port of 127.0.0.1. The first line of the output is
//! `listening on http://127.0.0.1:8080`, with the port, and the last one is `stopped: Drained`. Environment variables:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `ECHO_SESSIONS` | folder of the sessions | sessions in memory |
//! | `ECHO_DELAY_MS` | time before each word | 0 |
//! | `ECHO_JWT_SECRET` | key of tokens (HS256), with the issuer and the audience `echo`; at least 32 bytes | one user without tokens |
//! | `ECHO_TLS` | folder with `tls.crt` and `tls.key`, which are compared 10 times per second | plain HTTP |
//! | `ECHO_TURNS`, `ECHO_TURNS_PER_USER` | limits of concurrent turns | those of the service |
//! | `ECHO_CONNECTIONS` | limit of connections | that of the server |
//! | `ECHO_DRAIN_MS` | time for running turns after a signal | that of the server |
//! | `ECHO_HEADER_MS`, `ECHO_BODY_MS`, `ECHO_IDLE_MS`, `ECHO_WRITE_MS` | timeouts | those of the server |

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{StreamExt as _, iter};
use strands::identity::{Identity, JwtVerifier};
use strands::models::{Model, ModelError, ModelRequest, ModelStream, StopReason, StreamEvent};
use strands::serve::http::{Authenticate, DevelopmentIdentity, HttpHost};
use strands::serve::tls::TlsFiles;
use strands::serve::{AgentService, Server, ServiceLimits};
use strands::session::SessionStore;
use strands::session::object_store::memory::InMemory;
use strands::{Agent, async_trait};

/// Repeats the newest message, word by word.
struct Echo {
    delay: Duration,
}

#[async_trait]
impl Model for Echo {
    fn model_id(&self) -> &str {
        "echo"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let text = request.messages.last().map(|message| message.text()).unwrap_or_default();
        let words: Vec<_> = text.split_inclusive(' ').map(str::to_owned).collect();
        let delay = self.delay;
        let words = iter(words).then(move |word| async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            StreamEvent::text(0, word)
        });
        let end = [StreamEvent::block_stop(0), StreamEvent::stop(StopReason::EndTurn)];
        Ok(iter([StreamEvent::start()]).chain(words).chain(iter(end)).map(Ok).boxed())
    }
}

/// Returns the value of an environment variable, if it is set.
fn variable<T: FromStr<Err: Error + 'static>>(name: &str) -> Result<Option<T>, Box<dyn Error>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text.parse().map_err(|error| format!("{name}: {error}"))?)),
        Err(_) => Ok(None),
    }
}

fn milliseconds(name: &str) -> Result<Option<Duration>, Box<dyn Error>> {
    Ok(variable(name)?.map(Duration::from_millis))
}

fn authentication() -> Result<Arc<dyn Authenticate>, Box<dyn Error>> {
    Ok(match std::env::var("ECHO_JWT_SECRET") {
        Ok(secret) => Arc::new(JwtVerifier::builder().hs256_secret(secret).issuer("echo").audience("echo").build()?),
        Err(_) => {
            writeln!(std::io::stderr(), "requests are NOT authenticated: clients on this machine act as `developer`")?;
            Arc::new(DevelopmentIdentity::new(Identity::new("developer")))
        }
    })
}

fn service() -> Result<AgentService, Box<dyn Error>> {
    let template = Agent::builder().model(Echo { delay: milliseconds("ECHO_DELAY_MS")?.unwrap_or_default() });
    let store = match std::env::var_os("ECHO_SESSIONS") {
        Some(folder) => SessionStore::files(folder),
        None => SessionStore::objects(Arc::new(InMemory::new()), "")?,
    };
    let mut limits = ServiceLimits::new();
    if let Some(turns) = variable("ECHO_TURNS")? {
        limits = limits.turns(turns);
    }
    if let Some(turns) = variable("ECHO_TURNS_PER_USER")? {
        limits = limits.turns_per_user(turns);
    }
    Ok(AgentService::builder(template, store).limits(limits).build())
}

/// Sets a timeout of the server.
type ServerTimeout = fn(Server, Duration) -> Server;

async fn server() -> Result<Server, Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let mut server = Server::bind(address).await?;
    if let Some(folder) = std::env::var_os("ECHO_TLS") {
        let files = TlsFiles::load(Path::new(&folder).join("tls.crt"), Path::new(&folder).join("tls.key"))?;
        server = server.tls(files.check_interval(Duration::from_millis(100)));
    }
    if let Some(connections) = variable("ECHO_CONNECTIONS")? {
        server = server.max_connections(connections);
    }
    let settings: [(&str, ServerTimeout); 5] = [
        ("ECHO_DRAIN_MS", Server::drain_timeout),
        ("ECHO_HEADER_MS", Server::header_timeout),
        ("ECHO_BODY_MS", Server::body_timeout),
        ("ECHO_IDLE_MS", Server::idle_timeout),
        ("ECHO_WRITE_MS", Server::write_timeout),
    ];
    for (name, set) in settings {
        if let Some(time) = milliseconds(name)? {
            server = set(server, time);
        }
    }
    Ok(server)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = service()?;
    let router = HttpHost::new(service.clone(), authentication()?).into_router();
    let server = server().await?;
    let scheme = if std::env::var_os("ECHO_TLS").is_some() { "https" } else { "http" };
    writeln!(std::io::stdout(), "listening on {scheme}://{}", server.local_addr())?;
    let end = server.serve(router, |timeout| service.shutdown(timeout)).await?;
    writeln!(std::io::stdout(), "stopped: {end:?}")?;
    Ok(())
}
