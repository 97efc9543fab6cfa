//! Secret of the service tokens, which the agent and the MCP server share: from the environment or from AWS Secrets Manager.

use std::{error::Error, fmt};

use strands::identity::secrecy::SecretString;

/// Variable with the secret, at least 32 bytes. It is no option: the arguments of a process are public.
const VARIABLE: &str = "TRAVEL_DESK_SECRET";
/// Variable with the ARN of the secret in AWS Secrets Manager.
const ARN_VARIABLE: &str = "TRAVEL_DESK_SECRET_ARN";

/// The secret, or the place where it is.
#[derive(Clone)]
pub enum DeskSecret {
    /// The secret.
    Value(SecretString),
    /// The ARN of the secret in AWS Secrets Manager.
    Arn(String),
}

impl DeskSecret {
    /// Returns the secret that the environment names.
    ///
    /// # Errors
    ///
    /// Returns an error if there is none.
    pub fn from_env() -> Result<Self, String> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        match (variable(VARIABLE), variable(ARN_VARIABLE)) {
            (Some(secret), None) => Ok(Self::Value(secret.into())),
            (None, Some(arn)) if cfg!(feature = "aws") => Ok(Self::Arn(arn)),
            (None, Some(_)) => Err(format!("{ARN_VARIABLE} needs a program with the feature `aws`")),
            _ => Err(format!("set {VARIABLE}, at least 32 bytes, or {ARN_VARIABLE} for the MCP server and its agents")),
        }
    }

    /// Reads the secret.
    pub(crate) async fn read(&self) -> Result<SecretString, Box<dyn Error + Send + Sync>> {
        match self {
            Self::Value(secret) => Ok(secret.clone()),
            #[cfg(feature = "aws")]
            Self::Arn(arn) => crate::aws::secret(arn).await,
            #[cfg(not(feature = "aws"))]
            Self::Arn(_) => Err("the program has no feature `aws`".into()),
        }
    }
}

impl fmt::Debug for DeskSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeskSecret")
    }
}
