//! Identity options: the user of the agent, by name and role, or by a token.

use std::error::Error;
#[cfg(feature = "serve")]
use std::sync::Arc;

use clap::Args;
use strands::identity::Audit;
#[cfg(feature = "jwt")]
use strands::identity::{JwtSetupError, JwtVerifier};
#[cfg(feature = "serve")]
use strands::{
    identity::Identity,
    serve::http::{Authenticate, DevelopmentIdentity},
};
use travel_agent::{
    access::{Role, User},
    error::TravelError,
    store::Store,
};

/// The default user if `--user` is not given and the login name is not an employee's.
const DEMO_USER: &str = "ana";

#[derive(Debug, Args)]
pub(crate) struct IdentityArgs {
    /// The user: the user name of an employee. By default the login name, or ana if that is not an employee's.
    #[arg(long, global = true, value_name = "NAME", env = "TRAVEL_USER")]
    user: Option<String>,

    /// The user's role: traveler, manager or auditor. Without a token, it is taken on trust.
    #[arg(long, global = true, value_name = "ROLE", default_value_t = Role::Traveler)]
    role: Role,

    #[cfg(feature = "jwt")]
    #[command(flatten)]
    token: TokenArgs,
}

/// The user from a JSON Web Token.
#[cfg(feature = "jwt")]
#[derive(Debug, Args)]
struct TokenArgs {
    /// A JSON Web Token: the user is its claim `username`, and the roles are its claim `roles`.
    #[arg(long, global = true, value_name = "JWT", env = "TRAVEL_TOKEN", hide_env_values = true, conflicts_with_all = ["user", "role"], requires_all = ["jwks", "issuer", "audience"])]
    token: Option<String>,

    /// The URL of the keys that may have signed the token.
    #[arg(long, global = true, value_name = "URL", env = "TRAVEL_JWKS", requires_all = ["issuer", "audience"])]
    jwks: Option<String>,

    /// The issuer of the token.
    #[arg(long, global = true, value_name = "URL", env = "TRAVEL_ISSUER", requires = "jwks")]
    issuer: Option<String>,

    /// The audience of the token.
    #[arg(long, global = true, value_name = "NAME", env = "TRAVEL_AUDIENCE", requires = "jwks")]
    audience: Option<String>,
}

impl IdentityArgs {
    /// Returns the user, and true if it is the default.
    #[cfg_attr(
        not(feature = "jwt"),
        expect(clippy::unused_async, reason = "a token is verified with keys from a server")
    )]
    pub(crate) async fn user(&self, store: &Store, audit: &Audit) -> Result<(User, bool), Box<dyn Error>> {
        #[cfg(feature = "jwt")]
        if let Some(token) = &self.token.token {
            let identity = self.token.verifier(audit)?.verify(token).await?;
            return Ok((User::identified(store, identity)?, false));
        }
        #[cfg(not(feature = "jwt"))]
        let _ = audit;
        if let Some(user) = &self.user {
            return Ok((User::employee(store, user, self.role)?, false));
        }
        let login = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
        match login.map(|login| User::employee(store, &login, self.role)) {
            Some(Ok(user)) => Ok((user, false)),
            None | Some(Err(TravelError::UnknownUser { .. })) => {
                Ok((User::employee(store, DEMO_USER, self.role)?, true))
            }
            Some(Err(error)) => Err(error.into()),
        }
    }
}

#[cfg(feature = "serve")]
impl IdentityArgs {
    /// Returns the authentication of a host's requests: by tokens, if there are options for them. Otherwise each request has the
    /// identity of the user, and the second value is true.
    pub(crate) fn authenticate(
        &self,
        user: &Identity,
        audit: &Audit,
    ) -> Result<(Arc<dyn Authenticate>, bool), Box<dyn Error>> {
        #[cfg(feature = "jwt")]
        if self.token.jwks.is_some() {
            return Ok((Arc::new(self.token.verifier(audit)?), false));
        }
        #[cfg(not(feature = "jwt"))]
        let _ = audit;
        Ok((Arc::new(DevelopmentIdentity::new(user.clone())), true))
    }
}

#[cfg(feature = "jwt")]
impl TokenArgs {
    /// Returns the verifier of the token. The keys come over TLS, or from this machine.
    fn verifier(&self, audit: &Audit) -> Result<JwtVerifier, JwtSetupError> {
        let jwks = self.jwks.as_deref().unwrap_or_default();
        let is_local =
            ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"].iter().any(|local| jwks.starts_with(local));
        JwtVerifier::builder()
            .jwks_url(jwks)
            .issuer(self.issuer.as_deref().unwrap_or_default())
            .audience(self.audience.as_deref().unwrap_or_default())
            .name_claim("username")
            .roles_claim("roles")
            .allow_http(is_local)
            .audit(audit.clone())
            .build()
    }
}
