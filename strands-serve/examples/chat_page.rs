//! The chat page with an agent that follows rules, so that it runs without a key.
//!
//! ```sh
//! cargo run -p strands-serve --example chat_page --features jwt,ui -- 127.0.0.1:8080
//! ```
//!
//! Open the address, and try the suggestions: one needs an approval, which you can give yourself. The argument is the address; the
//! default is a free port of 127.0.0.1. The first line of the output is `listening on http://127.0.0.1:8080`. Environment variables:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `CHAT_SESSIONS` | folder of the sessions | sessions in memory |
//! | `CHAT_DELAY_MS` | time before each word | 30 |
//! | `CHAT_JWT_SECRET` | key of tokens (HS256), with the issuer and the audience `chat`, for users who paste one; only another user with the role `manager` approves then | one user without tokens |

use std::error::Error;
use std::io::Write as _;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::StreamExt as _;
use strands::identity::{ApprovalHook, Identity, JwtVerifier};
use strands::models::offline::{OfflineModel, OfflineStep, OfflineTurn};
use strands::models::{Model, ModelError, ModelRequest, ModelStream};
use strands::serde_json::json;
use strands::serve::http::{Authenticate, DevelopmentIdentity, HttpHost};
use strands::serve::ui::{Attachments, SignIn, TokenPrices, UiSettings};
use strands::serve::{AgentService, Server};
use strands::session::SessionStore;
use strands::session::object_store::memory::InMemory;
use strands::{Agent, ToolContext, ToolError, async_trait, tool, tools};

const SUGGESTIONS: [&str; 3] =
    ["What is the weather in Oslo and in Rome?", "Book a hotel in Oslo for 3 nights.", "Show me what markdown can do."];

const MARKDOWN: &str = "## Markdown\n\nText is **bold**, *emphasized*, or `code`, with [links](https://example.com).\n\n\
    - lists\n- of items\n\n| city | weather |\n|---|---:|\n| Oslo | 4 °C |\n| Rome | 16 °C |\n\n\
    ```rust\nfn main() {\n    println!(\"Hello!\");\n}\n```\n\n> And a quotation.\n\n1. That\n2. is\n3. all.\n";

/// Returns the weather in a city.
#[tool]
async fn weather(
    /// Name of the city.
    city: String,
    context: &ToolContext,
) -> Result<String, ToolError> {
    for step in ["Looking for a station", "Reading its sensors"] {
        context.progress(json!({"message": step})).await?;
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    Ok(format!("{city}: sunny, {} degrees", 4 + city.len() * 3 % 17))
}

/// Books a hotel.
#[tool]
fn book_hotel(
    /// Name of the city.
    city: String,
    /// Number of nights.
    nights: u32,
) -> String {
    format!("A hotel in {city} is booked for {nights} nights.")
}

/// Returns the next step of the agent.
fn plan(turn: &OfflineTurn<'_>) -> Option<OfflineStep> {
    let text = turn.user_text();
    let results: Vec<String> = turn.new_results().iter().map(|result| result.text()).collect();
    Some(match text.split_once(' ') {
        _ if !results.is_empty() => {
            OfflineStep::respond(format!("Here is what I found.\n\n- {}", results.join("\n- ")))
        }
        _ if text.contains("weather") => {
            let cities = ["Oslo", "Rome"].map(|city| ("weather", json!({"city": city})));
            OfflineStep::calls(cities).with_text("Let me look at the weather.")
        }
        _ if text.starts_with("Book") => {
            OfflineStep::call("book_hotel", json!({"city": "Oslo", "nights": 3})).with_text("I am booking the hotel.")
        }
        _ if text.contains("markdown") => OfflineStep::respond(MARKDOWN),
        Some(("count", number)) => {
            let words: Vec<String> = (1..=number.parse().unwrap_or(10)).map(|number: u32| number.to_string()).collect();
            OfflineStep::respond(words.join(" "))
        }
        _ => OfflineStep::respond(format!("You said: {text}")),
    })
}

/// Takes time for each word, as a language model does.
struct Paced {
    model: OfflineModel,
    delay: Duration,
}

#[async_trait]
impl Model for Paced {
    fn model_id(&self) -> &str {
        "offline/paced"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let delay = self.delay;
        let events = self.model.stream(request).await?.then(move |event| async move {
            tokio::time::sleep(delay).await;
            event
        });
        Ok(events.boxed())
    }
}

/// Returns the value of an environment variable, if it is set.
fn variable<T: FromStr<Err: Error + 'static>>(name: &str) -> Result<Option<T>, Box<dyn Error>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text.parse().map_err(|error| format!("{name}: {error}"))?)),
        Err(_) => Ok(None),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let delay = Duration::from_millis(variable("CHAT_DELAY_MS")?.unwrap_or(30));
    let secret = std::env::var("CHAT_JWT_SECRET").ok();
    let approval = ApprovalHook::builder().tools(["book_hotel"]);
    let approval = if secret.is_some() { approval.by_role("manager").by_another() } else { approval };
    let model = Paced { model: OfflineModel::builder().planner(plan).build(), delay };
    let template = Agent::builder().model(model).tools(tools![Weather, BookHotel]).hook(approval.build());
    let store = match std::env::var_os("CHAT_SESSIONS") {
        Some(folder) => SessionStore::files(folder),
        None => SessionStore::objects(Arc::new(InMemory::new()), "")?,
    };
    let service = AgentService::builder(template, store).build();

    let (authenticate, sign_in): (Arc<dyn Authenticate>, _) = match secret {
        Some(secret) => {
            let verifier = JwtVerifier::builder().hs256_secret(secret).issuer("chat").audience("chat").build()?;
            (Arc::new(verifier), SignIn::Token)
        }
        None => {
            writeln!(std::io::stderr(), "requests are NOT authenticated: clients on this machine act as `developer`")?;
            (Arc::new(DevelopmentIdentity::new(Identity::new("developer"))), SignIn::None)
        }
    };
    let page = UiSettings::new("Hotel desk")
        .sign_in(sign_in)
        .suggestions(SUGGESTIONS)
        .attachments([Attachments::Images, Attachments::Pdf])
        .prices(TokenPrices::per_million(1.0, 5.0));
    let router = HttpHost::new(service.clone(), authenticate).ui(page).into_router();
    let server = Server::bind(std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned())).await?;
    writeln!(std::io::stdout(), "listening on http://{}", server.local_addr())?;
    server.serve(router, |timeout| service.shutdown(timeout)).await?;
    Ok(())
}
