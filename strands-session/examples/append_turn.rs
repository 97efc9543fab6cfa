//! Adds a question and its answer to a session, without an agent: for programs that move conversations over, and to
//! check with another implementation what this one writes.
//!
//! ```text
//! cargo run -p strands-session --features s3 --example append_turn -- ./sessions user-42 main "Hello?" "Hello!"
//! cargo run -p strands-session --features s3 --example append_turn -- s3://bucket/prefix user-42 main "Hello?" "Hello!"
//! ```

use anyhow::Context as _;
use strands_core::message::Message;
use strands_core::session::SessionManager;
use strands_session::{FileSessionManager, S3SessionManager};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: [String; 5] = std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| {
        anyhow::anyhow!("usage: append_turn <folder or s3://bucket/prefix> <session> <agent> <question> <answer>")
    })?;
    let [place, session_id, agent_id, question, answer] = arguments;
    let manager: Box<dyn SessionManager> = match place.strip_prefix("s3://") {
        Some(address) => {
            let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
            Box::new(S3SessionManager::builder(session_id, bucket).prefix(prefix).build().await?)
        }
        None => Box::new(FileSessionManager::builder(session_id).dir(place).build().await?),
    };
    let mut opened = manager.open(&agent_id).await?;
    opened.session.append(&Message::user(question)).await.context("adding the question")?;
    opened.session.append(&Message::assistant(answer)).await.context("adding the answer")?;
    Ok(())
}
