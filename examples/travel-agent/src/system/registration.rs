//! Registration of the durable agent with the Restate server, which asks it for its handlers.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use strands_http::HttpOptions;
use tokio::time::{Instant, sleep};

use super::SystemError;

/// Time of one attempt, and of all.
const ATTEMPT: Duration = Duration::from_secs(10);
const ALL_ATTEMPTS: Duration = Duration::from_secs(30);

const INTERVAL: Duration = Duration::from_millis(200);

/// Longest text of a response that an error shows, in characters.
const MOST_SHOWN: usize = 500;

/// Tells a server where the agent is. One of an earlier run is replaced.
pub(super) async fn register(admin: SocketAddr, agent: SocketAddr) -> Result<(), SystemError> {
    let failed = |reason| SystemError::Registration { reason };
    let builder = HttpOptions::plain_http().builder().map_err(|error| failed(error.to_string()))?;
    let client = builder.no_proxy().timeout(ATTEMPT).build().map_err(|error| failed(error.to_string()))?;
    let url = format!("http://{admin}/deployments");
    let body = json!({"uri": format!("http://{agent}"), "force": true, "breaking": true}).to_string();
    let started = Instant::now();
    loop {
        let request = client.post(&url).header("content-type", "application/json").body(body.clone());
        // Either process may just be restarted.
        let reason = match request.send().await {
            Ok(response) if response.status().is_success() => return Ok(()),
            Ok(response) => {
                let status = response.status();
                let text = response.text().await.unwrap_or_default();
                format!("status {status}, {}", text.chars().take(MOST_SHOWN).collect::<String>())
            }
            Err(error) => error.to_string(),
        };
        if started.elapsed() >= ALL_ATTEMPTS {
            return Err(failed(reason));
        }
        sleep(INTERVAL).await;
    }
}
