//! Session options: storage of a conversation between runs of the program.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use strands::session::{FileSessionManager, SessionError, SessionManager};

use super::args::data_file;

#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    /// Store the conversation under this id, and continue it next time.
    #[arg(long, value_name = "ID")]
    session: Option<String>,

    /// The folder of the sessions. By default one in the user's data folder.
    #[arg(long, value_name = "DIR", requires = "session")]
    session_dir: Option<PathBuf>,

    /// Store the sessions in this S3 bucket instead of a folder.
    #[cfg(feature = "s3")]
    #[arg(long, value_name = "BUCKET", requires = "session", conflicts_with = "session_dir")]
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
    /// Returns the session manager, if a session was requested.
    pub(crate) async fn open(&self) -> Result<Option<Arc<dyn SessionManager>>, SessionError> {
        let Some(id) = &self.session else { return Ok(None) };
        #[cfg(feature = "s3")]
        if let Some(bucket) = &self.s3_bucket {
            let mut builder = strands::session::S3SessionManager::builder(id, bucket).prefix(&self.s3_prefix);
            if let Some(endpoint) = &self.s3_endpoint {
                builder = builder.endpoint(endpoint);
            }
            return Ok(Some(Arc::new(builder.build().await?)));
        }
        let mut builder = FileSessionManager::builder(id);
        if let Some(dir) = self.session_dir.clone().or_else(|| data_file("sessions")) {
            builder = builder.dir(dir);
        }
        Ok(Some(Arc::new(builder.build().await?)))
    }
}
