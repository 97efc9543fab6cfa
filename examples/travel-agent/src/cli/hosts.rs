//! Hosts of the agent, in a terminal, on HTTP, and on the platforms of AWS; and the MCP server of the travel desk.

#[cfg(feature = "mcp")]
use std::{
    io::{Read as _, Write as _},
    sync::Arc,
};

#[cfg(feature = "mcp")]
use strands::CancellationToken;
#[cfg(feature = "agentcore")]
use strands::serve::agentcore::{AgentCoreHost, default_address};
#[cfg(feature = "serve")]
use strands::serve::http::HttpHost;
#[cfg(feature = "lambda")]
use strands::serve::lambda::LambdaHost;

#[cfg(feature = "agentcore")]
use super::listen::ListenArgs;
#[cfg(feature = "serve")]
use super::listen::ServeArgs;
#[cfg(feature = "mcp")]
use super::{Args, listen::McpArgs};
use super::{BoxError, Conversation, Outcome, System, Terminal, chat};
#[cfg(all(feature = "mcp", feature = "lambda"))]
use crate::mcp_server::ServiceTokens;
#[cfg(feature = "mcp")]
use crate::{desk::DeskSecret, mcp_server, services::Services};

/// In the terminal: one reply to a prompt, or a chat.
pub(crate) async fn chat(system: &System) -> Result<Outcome, BoxError> {
    let mut terminal = Terminal::standard();
    let service = system.service(system.args.session.store_of_conversation().await?);
    let traveller = system.agent.desk().traveller(&system.user).await?;
    system.args.greet(&traveller, &mut terminal)?;
    let (identity, session) = (system.user.clone(), system.args.session.choice());
    let conversation = Conversation { service, identity, session, output: system.args.output() };
    match &system.args.prompt {
        Some(prompt) => Ok(conversation.reply(prompt, &mut terminal).await??),
        None => chat::chat(&conversation).await.map(|()| Outcome::Completed),
    }
}

/// On HTTP, with the chat page.
#[cfg(feature = "serve")]
pub(crate) async fn serve(system: &System, options: &ServeArgs) -> Result<(), BoxError> {
    let service = system.service(system.args.session.store().await?);
    let (login, page) = (system.login()?, system.page()?);
    let (server, scheme) = options.tls(options.listen.server("127.0.0.1:8080", login.is_open).await?)?;
    system.announce(&format!("on {scheme}"), &server, &login)?;
    let host = HttpHost::new(service.clone(), login).ui(page);
    server.serve(host.into_router(), |timeout| service.shutdown(timeout)).await?;
    Ok(())
}

/// On Amazon Bedrock AgentCore Runtime.
#[cfg(feature = "agentcore")]
pub(crate) async fn agentcore(system: &System, options: &ListenArgs) -> Result<(), BoxError> {
    let service = system.service(system.args.session.store().await?);
    let login = system.login()?;
    let server = options.server(&default_address().to_string(), login.is_open).await?;
    system.announce("AgentCore Runtime on http", &server, &login)?;
    let host = AgentCoreHost::new(service.clone(), login);
    server.serve(host.into_router(), |timeout| service.shutdown(timeout)).await?;
    Ok(())
}

/// On AWS Lambda.
#[cfg(feature = "lambda")]
pub(crate) async fn lambda(system: &System) -> Result<(), BoxError> {
    let service = system.service(system.args.session.store().await?);
    let telemetry = system.telemetry.clone();
    let host = HttpHost::new(service, system.login()?).ui(system.page()?);
    let host = LambdaHost::from(host).on_invocation_end(move || {
        let telemetry = telemetry.clone();
        async move { telemetry.flush().await }
    });
    host.run().await
}

/// The MCP server of the travel desk, on HTTP or on AWS Lambda.
#[cfg(feature = "mcp")]
pub(crate) async fn mcp(args: &Args, options: &McpArgs) -> Result<(), BoxError> {
    let (secret, audit, shutdown) = (DeskSecret::from_env()?, args.audit()?, CancellationToken::new());
    #[cfg(feature = "lambda")]
    if std::env::var("_HANDLER").is_ok_and(|handler| handler == "authorizer") {
        return mcp_server::authorizer(ServiceTokens::new(secret, audit)).await;
    }
    let database = (Arc::new(args.store().await?), args.clock(), Services::from_env().await?);
    let router = mcp_server::router(database, (secret, audit), &options.hosts, shutdown.clone())?;
    #[cfg(feature = "lambda")]
    if is_on_lambda() {
        return lambda_http::run(router).await;
    }
    let server = options.listen.server("127.0.0.1:8081", false).await?;
    Terminal::standard().note(&format!("Serving MCP on http://{}/mcp", server.local_addr()))?;
    server.serve(router, async move |_| shutdown.cancel()).await?;
    Ok(())
}

/// Checks that a host of this machine responds.
#[cfg(feature = "mcp")]
pub(crate) fn health(address: &str) -> Result<(), BoxError> {
    let mut host = std::net::TcpStream::connect(address)?;
    host.set_read_timeout(Some(std::time::Duration::from_secs(5)))?;
    write!(host, "GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    host.read_exact(&mut status)?;
    if status.ends_with(b" 200") { Ok(()) } else { Err(format!("{address} is not healthy").into()) }
}

/// Returns true on AWS Lambda.
#[cfg(feature = "serve")]
pub(crate) fn is_on_lambda() -> bool {
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}
