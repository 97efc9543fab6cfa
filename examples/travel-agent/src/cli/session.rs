//! Session options: storage of a conversation between runs of the program.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use strands::{
    identity::{Identity, session_id_for},
    session::{FileSessionManager, SessionError, SessionManager, SessionStore},
};

use super::args::data_file;

#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    /// Store the conversation under this name, and continue it next time. Each user has names of their own.
    #[arg(long, value_name = "NAME")]
    session: Option<String>,

    /// The folder of the sessions. By default one in the user's data folder.
    #[arg(long, value_name = "DIR")]
    session_dir: Option<PathBuf>,

    /// Store the sessions in this S3 bucket instead of a folder.
    #[cfg(feature = "s3")]
    #[arg(long, value_name = "BUCKET", conflicts_with = "session_dir")]
    s3_bucket: Option<String>,

    /// The prefix of the keys in the bucket.
    #[cfg(feature = "s3")]
    #[arg(long, value_name = "PREFIX", requires = "s3_bucket", default_value = "agent_sessions")]
    s3_prefix: String,

    /// The endpoint of a server that is compatible with S3.
    #[cfg(feature = "s3")]
    #[arg(long, value_name = "URL", requires = "s3_bucket")]
    s3_endpoint: Option<String>,
}

impl SessionArgs {
    /// Returns true if the conversation is stored.
    pub(crate) fn is_chosen(&self) -> bool {
        self.session.is_some()
    }

    /// Returns the session manager of a user's session, if one was requested.
    pub(crate) async fn open(&self, user: &Identity) -> Result<Option<Arc<dyn SessionManager>>, SessionError> {
        match &self.session {
            // No two users share a session: the part before the full stop is different for each user, and has none itself.
            Some(name) => Ok(Some(self.manager(&format!("{}.{name}", session_id_for(user))).await?.0)),
            None => Ok(None),
        }
    }

    /// Returns the manager of a session, and the store of all sessions.
    pub(crate) async fn manager(&self, id: &str) -> Result<(Arc<dyn SessionManager>, SessionStore), SessionError> {
        #[cfg(feature = "s3")]
        if let Some(bucket) = &self.s3_bucket {
            let mut builder = strands::session::S3SessionManager::builder(id, bucket).prefix(&self.s3_prefix);
            if let Some(endpoint) = &self.s3_endpoint {
                builder = builder.endpoint(endpoint);
            }
            let manager = builder.build().await?;
            let store = manager.store().clone();
            return Ok((Arc::new(manager), store));
        }
        let mut builder = FileSessionManager::builder(id);
        if let Some(dir) = self.session_dir.clone().or_else(|| data_file("sessions")) {
            builder = builder.dir(dir);
        }
        let manager = builder.build().await?;
        let store = manager.store().clone();
        Ok((Arc::new(manager), store))
    }

    /// Returns the store of all sessions.
    pub(crate) async fn store(&self) -> Result<SessionStore, SessionError> {
        // A manager does not write before its first message.
        Ok(self.manager("approvals").await?.1)
    }
}
