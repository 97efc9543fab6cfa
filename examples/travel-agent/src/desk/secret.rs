//! Secret of the service tokens, which the agent and the MCP server share: from the environment or from AWS Secrets Manager.

use std::{error::Error, fmt};

use strands::identity::secrecy::SecretString;

/// Variable with the secret, at least 32 bytes. It is no option: the arguments of a process are public.
const VARIABLE: &str = "TRAVEL_DESK_SECRET";
/// Variable with the path of a file that has the secret, as containers get it.
const FILE_VARIABLE: &str = "TRAVEL_DESK_SECRET_FILE";
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
        match (variable(VARIABLE), variable(FILE_VARIABLE), variable(ARN_VARIABLE)) {
            (Some(secret), None, None) => Ok(Self::Value(secret.into())),
            (None, Some(file), None) => match std::fs::read_to_string(&file) {
                Ok(secret) => Ok(Self::Value(secret.trim_end_matches(['\r', '\n']).into())),
                Err(error) => Err(format!("cannot read {FILE_VARIABLE}, {file}: {error}")),
            },
            (None, None, Some(arn)) if cfg!(feature = "aws") => Ok(Self::Arn(arn)),
            (None, None, Some(_)) => Err(format!("{ARN_VARIABLE} needs a program with the feature `aws`")),
            _ => Err(format!("set one of {VARIABLE} (at least 32 bytes), {FILE_VARIABLE} and {ARN_VARIABLE}")),
        }
    }

    /// Reads the secret.
    #[cfg_attr(not(feature = "aws"), expect(clippy::unused_async, reason = "only the AWS SDK waits"))]
    pub(crate) async fn read(&self) -> Result<SecretString, Box<dyn Error + Send + Sync>> {
        match self {
            Self::Value(secret) => Ok(secret.clone()),
            #[cfg(feature = "aws")]
            Self::Arn(arn) => {
                let client = aws_sdk_secretsmanager::Client::new(&Box::pin(crate::services::aws_config()).await);
                // The SDK's future is deep: within the futures of a host it exceeds the compiler's limit.
                let found = Box::pin(client.get_secret_value().secret_id(arn).send()).await?;
                Ok(found.secret_string().ok_or("the secret in AWS Secrets Manager is no text")?.into())
            }
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
