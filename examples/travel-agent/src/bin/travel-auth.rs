//! `travel-auth`: the OpenID Connect issuer for development, as a program of its own.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser;
use strands::ErrorChain;
use travel_agent::auth::AuthArgs;

/// OpenID Connect issuer for development. Its passwords are public.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    auth: AuthArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Args::parse().auth.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr can't be written, there is nothing left to do.
            let _ = writeln!(io::stderr(), "error: {}", ErrorChain::new(&error));
            ExitCode::FAILURE
        }
    }
}
