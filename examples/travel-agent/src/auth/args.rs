//! Command line of the issuer.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use strands::serve::Server;

use super::{AUDIENCE, AuthError, CLIENT_ID, Issuer, Settings, Users, router};

/// Options of the issuer.
#[derive(Debug, Args)]
pub struct AuthArgs {
    /// The address to listen on, of this machine.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9000")]
    listen: String,

    /// The folder of the signing key, created on first use. By default a folder in the user's data folder.
    #[arg(long, value_name = "DIR", env = "TRAVEL_AUTH_DATA")]
    data: Option<PathBuf>,

    /// The audience of access tokens: the agent.
    #[arg(long, value_name = "NAME", default_value = AUDIENCE)]
    token_audience: String,

    /// The client that users sign in to: the chat page.
    #[arg(long, value_name = "ID", env = "TRAVEL_CLIENT_ID", default_value = CLIENT_ID)]
    client_id: String,

    /// The lifetime of access tokens, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u32).range(5..=86_400))]
    token_lifetime: u32,

    /// Also has the users alice1 to aliceN, who are travelers, and bob1 to bobN, who are managers: for load tests.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1000))]
    users: u16,
}

impl AuthArgs {
    /// Serves the issuer until the process is told to stop.
    ///
    /// # Errors
    ///
    /// Returns an [`AuthError`] if the address is not of this machine or is in use, or the key can't be read or created.
    pub async fn run(self) -> Result<(), AuthError> {
        let server = Server::bind(self.listen.as_str()).await?.drain_timeout(Duration::from_secs(2));
        let address = server.local_addr();
        if !address.ip().is_loopback() {
            return Err(AuthError::NotLoopback { address });
        }
        let folder = self.data.or_else(|| Some(dirs::data_dir()?.join("strands-travel-agent").join("auth")));
        let folder = folder.ok_or(AuthError::NoDataFolder)?;
        let settings = Settings {
            url: format!("http://{address}"),
            audience: self.token_audience,
            client_id: self.client_id,
            token_lifetime: Duration::from_secs(self.token_lifetime.into()),
        };
        let users = Users::with_load_test(self.users);
        let notice = notice(&settings, &users);
        let issuer = Issuer::new(settings, users, &folder.join("signing-key.der"))?;
        // If stderr can't be written, the issuer works all the same.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), notice.as_bytes());
        server.serve(router(issuer), async |_| ()).await?;
        Ok(())
    }
}

fn notice(settings: &Settings, users: &Users) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "FOR DEVELOPMENT ONLY: its passwords are public, and all who reach it can sign in as any user.\n\
         Issuer: {}\n",
        settings.url
    );
    for user in users.shown() {
        let _ = writeln!(text, "  {} ({}): password {}", user.username, user.role, user.password());
    }
    text
}
