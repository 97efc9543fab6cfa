//! Session options: storage of a conversation between runs of the program.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use strands::{
    serve::SessionChoice,
    session::{FileSessionManager, SessionError, SessionStore, object_store::memory::InMemory},
};

use super::args::data_file;

#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    /// Store the conversation under this name, and continue it next time. Each user has names of their own.
    #[arg(long, value_name = "NAME")]
    session: Option<String>,

    /// The folder of the sessions. By default one in the user's data folder.
    #[arg(long, global = true, value_name = "DIR", env = "TRAVEL_SESSION_DIR")]
    session_dir: Option<PathBuf>,

    /// Store the sessions in this S3 bucket instead of a folder.
    #[cfg(feature = "s3")]
    #[arg(long, global = true, value_name = "BUCKET", env = "TRAVEL_S3_BUCKET", conflicts_with = "session_dir")]
    s3_bucket: Option<String>,

    /// The prefix of the keys in the bucket.
    #[cfg(feature = "s3")]
    #[arg(long, global = true, value_name = "PREFIX", env = "TRAVEL_S3_PREFIX", default_value = "agent_sessions")]
    s3_prefix: String,

    /// The endpoint of a server that is compatible with S3, for sessions and the database.
    #[cfg(feature = "s3")]
    #[arg(long, global = true, value_name = "URL", env = "TRAVEL_S3_ENDPOINT")]
    s3_endpoint: Option<String>,
}

impl SessionArgs {
    /// Returns the endpoint of S3.
    pub(crate) fn s3_endpoint(&self) -> Option<&str> {
        #[cfg(feature = "s3")]
        return self.s3_endpoint.as_deref();
        #[cfg(not(feature = "s3"))]
        None
    }

    /// Returns true if the conversation is stored.
    pub(crate) fn is_chosen(&self) -> bool {
        self.session.is_some()
    }

    /// Returns the user's session.
    pub(crate) fn choice(&self) -> SessionChoice {
        self.session.clone().map_or(SessionChoice::Default, SessionChoice::Named)
    }

    /// Returns the store of the conversation: in memory, unless it has a name.
    pub(crate) async fn store_of_conversation(&self) -> Result<SessionStore, SessionError> {
        if self.is_chosen() { self.store().await } else { SessionStore::objects(Arc::new(InMemory::new()), "") }
    }

    /// Returns the store of all sessions.
    pub(crate) async fn store(&self) -> Result<SessionStore, SessionError> {
        // A manager gives access to its store, and does not write before its first message.
        const ANY: &str = "any";
        #[cfg(feature = "s3")]
        if let Some(bucket) = &self.s3_bucket {
            let mut builder = strands::session::S3SessionManager::builder(ANY, bucket).prefix(&self.s3_prefix);
            if let Some(endpoint) = &self.s3_endpoint {
                builder = builder.endpoint(endpoint);
            }
            return Ok(builder.build().await?.store().clone());
        }
        let mut builder = FileSessionManager::builder(ANY);
        if let Some(dir) = self.session_dir.clone().or_else(|| data_file("sessions")) {
            builder = builder.dir(dir);
        }
        Ok(builder.build().await?.store().clone())
    }
}
