//! Identity options: the user of the command line, by name and role or by a token, and the users of the hosts.

#[cfg(feature = "serve")]
use std::net::{IpAddr, SocketAddr};

use clap::Args;
#[cfg(feature = "jwt")]
use strands::identity::JwtVerifier;
use strands::identity::{Audit, Identity};
#[cfg(all(feature = "jwt", feature = "serve"))]
use strands::serve::ui::OidcSignIn;
#[cfg(feature = "serve")]
use strands::{
    async_trait,
    serve::{
        Server,
        axum::{extract::ConnectInfo, http::request::Parts},
        http::{Authenticate, AuthenticationError, DevelopmentIdentity},
        ui::{Attachments, SignIn, TokenPrices, UiSettings},
    },
};

use super::BoxError;
#[cfg(feature = "serve")]
use super::{System, Terminal};
use crate::access::{self, Role};
#[cfg(feature = "serve")]
use crate::location::ClientAddress;

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

    /// Take the address of a client from the last value of X-Forwarded-For, which a proxy in front has set. On Lambda it is so.
    #[cfg(feature = "serve")]
    #[arg(long, global = true, env = "TRAVEL_TRUSTED_PROXY", value_parser = clap::builder::FalseyValueParser::new())]
    trusted_proxy: bool,

    #[cfg(feature = "jwt")]
    #[command(flatten)]
    token: TokenArgs,
}

/// Error of a verification without a required option.
#[cfg(feature = "jwt")]
const INCOMPLETE: &str = "the verification of tokens needs --jwks, --issuer and --audience";

/// The client of the page, if no option names one.
#[cfg(all(feature = "jwt", feature = "serve"))]
const PAGE_CLIENT: &str = "travel-page";

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

    /// The audience of tokens. Without it, tokens need the client id, as those of Amazon Cognito have it.
    #[arg(long, global = true, value_name = "NAME", env = "TRAVEL_AUDIENCE")]
    audience: Option<String>,

    /// The client id of the page at the issuer.
    #[arg(long, global = true, value_name = "ID", env = "TRAVEL_CLIENT_ID")]
    client_id: Option<String>,

    /// The origin of the issuer's token endpoint, if it is another one: with Amazon Cognito, that of the sign-in domain.
    #[cfg(feature = "serve")]
    #[arg(long, global = true, value_name = "URL", env = "TRAVEL_SIGN_IN_ORIGIN")]
    sign_in_origin: Option<String>,

    /// The claim with the roles.
    #[arg(long, global = true, value_name = "NAME", env = "TRAVEL_ROLES_CLAIM", default_value = "roles")]
    roles_claim: String,
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

/// The authentication of a host's requests. Identities get the address of the client, for the tool `my_location`.
#[cfg(feature = "serve")]
pub(crate) struct Login {
    authenticate: Box<dyn Authenticate>,
    /// True if requests need no token: clients must be on this machine.
    pub(crate) is_open: bool,
    has_proxy: bool,
}

#[cfg(feature = "serve")]
#[async_trait]
impl Authenticate for Login {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        let mut user = self.authenticate.authenticate(request).await?;
        user.claims.shift_remove(ClientAddress::CLAIM);
        Ok(match client_address(request, self.has_proxy) {
            Some(address) => user.with_claim(ClientAddress::CLAIM, address.to_string()),
            None => user,
        })
    }
}

/// Returns the address of a client: that of the connection, or the one that a trusted proxy has added. Earlier values of the header are
/// the client's own.
#[cfg(feature = "serve")]
fn client_address(request: &Parts, has_proxy: bool) -> Option<IpAddr> {
    if !has_proxy {
        return request.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(client)| client.ip());
    }
    let forwarded = request.headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    forwarded.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(feature = "serve")]
impl System {
    /// Returns the authentication by tokens, if there are options for them. Otherwise each request is one of the user of the
    /// command line.
    pub(crate) fn login(&self) -> Result<Login, BoxError> {
        let identity = &self.args.identity;
        let has_proxy = identity.trusted_proxy || super::hosts::is_on_lambda();
        #[cfg(feature = "jwt")]
        if identity.token.is_chosen() {
            let authenticate = Box::new(identity.token.verifier(&self.audit)?);
            return Ok(Login { authenticate, is_open: false, has_proxy });
        }
        Ok(Login { authenticate: Box::new(DevelopmentIdentity::new(self.user.clone())), is_open: true, has_proxy })
    }

    /// Returns the settings of the chat page.
    pub(crate) fn page(&self) -> Result<UiSettings, BoxError> {
        let page = UiSettings::new("AcmeCorp Travel").suggestions([
            "Book me a trip to New York next Monday",
            "What does the policy say about rental cars?",
            "What did you book for me?",
        ]);
        let attachments: &[Attachments] = match self.args.provider() {
            "anthropic" | "bedrock" | "gemini" | "openai" => &[Attachments::Images, Attachments::Pdf],
            "ollama" => &[Attachments::Images],
            _ => &[],
        };
        let page = page.attachments(attachments.iter().copied());
        let page = match self.args.price.as_slice() {
            [input, output] => page.prices(TokenPrices::per_million(*input, *output)),
            [] => page,
            _ => return Err("--price has two numbers: those of input and output tokens, such as 1,5".into()),
        };
        #[cfg(feature = "jwt")]
        if let Some(issuer) = &self.args.identity.token.issuer {
            let client = self.args.identity.token.client_id.as_deref().unwrap_or(PAGE_CLIENT);
            let sign_in = OidcSignIn::new(issuer, client)?;
            return Ok(page.sign_in(match &self.args.identity.token.sign_in_origin {
                Some(origin) => sign_in.endpoint_origin(origin)?,
                None => sign_in,
            }));
        }
        Ok(page.sign_in(SignIn::None))
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
        let required = match (&self.audience, &self.client_id) {
            (Some(audience), _) => JwtVerifier::builder().audience(audience),
            (None, Some(id)) => JwtVerifier::builder().any_audience().require_claim_value("client_id", id.as_str()),
            (None, None) => return Err(INCOMPLETE.into()),
        };
        let (Some(jwks), Some(issuer)) = (&self.jwks, &self.issuer) else { return Err(INCOMPLETE.into()) };
        let is_local =
            ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"].iter().any(|local| jwks.starts_with(local));
        let verifier = required.jwks_url(jwks).issuer(issuer).allow_http(is_local).audit(audit.clone());
        Ok(verifier.name_claim("username").roles_claim(self.roles_claim.as_str()).build()?)
    }
}

#[cfg(feature = "serve")]
#[cfg(test)]
mod tests {
    use strands::serve::axum::http::Request;

    use super::*;

    /// An authentication whose token has an address of its own.
    struct Forged;

    #[async_trait]
    impl Authenticate for Forged {
        async fn authenticate(&self, _: &Parts) -> Result<Identity, AuthenticationError> {
            Ok(Identity::new("alice").with_claim(ClientAddress::CLAIM, "198.51.100.1"))
        }
    }

    async fn address(forwarded: &[&str], has_proxy: bool) -> Option<String> {
        let login = Login { authenticate: Box::new(Forged), is_open: false, has_proxy };
        let mut request = Request::builder();
        for value in forwarded {
            request = request.header("x-forwarded-for", *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 7], 4711))));
        let user = login.authenticate(&parts).await.unwrap();
        ClientAddress::of(&user).0.map(|address| address.to_string())
    }

    #[tokio::test]
    async fn a_client_cannot_choose_its_address() {
        let forged = ["192.0.2.1, 192.0.2.2", "192.0.2.3"];
        assert_eq!(address(&forged, false).await.as_deref(), Some("203.0.113.7"));
        assert_eq!(address(&[], false).await.as_deref(), Some("203.0.113.7"));
        assert_eq!(address(&forged, true).await.as_deref(), Some("192.0.2.3"));
        assert_eq!(address(&["192.0.2.1, 2001:db8::1"], true).await.as_deref(), Some("2001:db8::1"));
        for unusable in [&[][..], &["unknown"], &["192.0.2.1, "]] {
            assert_eq!(address(unusable, true).await, None, "{unusable:?}");
        }
    }
}
