//! Identity options: the user of the command line, by name and role or by a token, and the users of the hosts.

use clap::Args;
#[cfg(feature = "jwt")]
use strands::identity::JwtVerifier;
use strands::identity::{Audit, Identity};
#[cfg(feature = "serve")]
use strands::{
    async_trait,
    serve::{
        Server,
        axum::http::request::Parts,
        http::{Authenticate, AuthenticationError, DevelopmentIdentity},
    },
};

use super::BoxError;
#[cfg(feature = "serve")]
use super::{System, Terminal};
use crate::access::{self, Role};

/// The user if no option names one.
const DEMO_USER: &str = "ana";

#[derive(Debug, Args)]
pub(crate) struct IdentityArgs {
    /// The user: the user name of an employee. By default ana.
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
    #[arg(long, global = true, value_name = "JWT", env = "TRAVEL_TOKEN", hide_env_values = true, conflicts_with_all = ["user", "role"])]
    token: Option<String>,

    /// The URL of the keys that may have signed tokens.
    #[arg(long, global = true, value_name = "URL", env = "TRAVEL_JWKS")]
    jwks: Option<String>,

    /// The issuer of tokens.
    #[arg(long, global = true, value_name = "URL", env = "TRAVEL_ISSUER")]
    issuer: Option<String>,

    /// The audience of tokens.
    #[arg(long, global = true, value_name = "NAME", env = "TRAVEL_AUDIENCE")]
    audience: Option<String>,
}

impl IdentityArgs {
    /// Returns true if no option names the user.
    pub(crate) fn is_default(&self) -> bool {
        #[cfg(feature = "jwt")]
        if self.token.token.is_some() {
            return false;
        }
        self.user.is_none()
    }

    /// Returns the user of the command line.
    #[cfg_attr(
        not(feature = "jwt"),
        expect(clippy::unused_async, reason = "a token is verified with keys from a server")
    )]
    pub(crate) async fn user(&self, audit: &Audit) -> Result<Identity, BoxError> {
        #[cfg(feature = "jwt")]
        if let Some(token) = &self.token.token {
            return Ok(self.token.verifier(audit)?.verify(token).await?);
        }
        let _ = audit;
        Ok(access::trusted(&self.user.as_deref().unwrap_or(DEMO_USER).to_lowercase(), self.role))
    }
}

/// The authentication of a host's requests.
#[cfg(feature = "serve")]
pub(crate) struct Login {
    authenticate: Box<dyn Authenticate>,
    /// True if requests need no token: clients must be on this machine.
    pub(crate) is_open: bool,
}

#[cfg(feature = "serve")]
#[async_trait]
impl Authenticate for Login {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        self.authenticate.authenticate(request).await
    }
}

#[cfg(feature = "serve")]
impl System {
    /// Returns the authentication by tokens, if there are options for them. Otherwise each request is one of the user of the
    /// command line.
    pub(crate) fn login(&self) -> Result<Login, BoxError> {
        #[cfg(feature = "jwt")]
        if self.args.identity.token.is_chosen() {
            return Ok(Login {
                authenticate: Box::new(self.args.identity.token.verifier(&self.audit)?),
                is_open: false,
            });
        }
        Ok(Login { authenticate: Box::new(DevelopmentIdentity::new(self.user.clone())), is_open: true })
    }

    /// Says where a host is, and for whom. Returns an error for options that it does not have.
    pub(crate) fn announce(&self, host: &str, server: &Server, login: &Login) -> Result<(), BoxError> {
        let output = self.args.output();
        if output.events || output.metrics || output.is_stored {
            return Err("--session, --events and --metrics are of conversations on the terminal: leave them out".into());
        }
        let mut terminal = Terminal::standard();
        terminal.note(&format!("Serving {host}://{}", server.local_addr()))?;
        if login.is_open {
            terminal.note(&format!(
                "DEVELOPMENT MODE: requests are not authenticated; every client on this machine acts as {}",
                self.user.subject
            ))?;
        }
        Ok(())
    }
}

#[cfg(feature = "jwt")]
impl TokenArgs {
    /// Returns true if there is an option about the verification of tokens: an incomplete one is no development mode.
    #[cfg(feature = "serve")]
    fn is_chosen(&self) -> bool {
        [&self.jwks, &self.issuer, &self.audience].into_iter().any(Option::is_some)
    }

    /// Returns the verifier of tokens. The keys come over TLS, or from this machine.
    fn verifier(&self, audit: &Audit) -> Result<JwtVerifier, BoxError> {
        let (Some(jwks), Some(issuer), Some(audience)) = (&self.jwks, &self.issuer, &self.audience) else {
            return Err("the verification of tokens needs --jwks, --issuer and --audience".into());
        };
        let is_local =
            ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"].iter().any(|local| jwks.starts_with(local));
        let verifier = JwtVerifier::builder()
            .jwks_url(jwks)
            .issuer(issuer)
            .audience(audience)
            .name_claim("username")
            .roles_claim("roles")
            .allow_http(is_local)
            .audit(audit.clone());
        Ok(verifier.build()?)
    }
}
