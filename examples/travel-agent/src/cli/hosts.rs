//! Hosts of the agent, in a terminal, on HTTP, and on the platforms of AWS; and the MCP server of the travel desk.

#[cfg(feature = "agentcore")]
use strands::serve::agentcore::{AgentCoreHost, default_address};
#[cfg(feature = "serve")]
use strands::serve::http::HttpHost;
#[cfg(feature = "lambda")]
use strands::serve::lambda::LambdaHost;

#[cfg(feature = "serve")]
use super::listen::{ListenArgs, ServeArgs};
#[cfg(feature = "mcp")]
use super::{Args, listen::McpArgs};
use super::{BoxError, Conversation, Outcome, System, Terminal, chat};

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

/// On HTTP.
#[cfg(feature = "serve")]
pub(crate) async fn serve(system: &System, options: &ServeArgs) -> Result<(), BoxError> {
    let service = system.service(system.args.session.store().await?);
    let login = system.login()?;
    let (server, scheme) = options.tls(options.listen.server("127.0.0.1:8080", login.is_open).await?)?;
    system.announce(&format!("on {scheme}"), &server, &login)?;
    let host = HttpHost::new(service.clone(), login);
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
    let host = LambdaHost::from(HttpHost::new(service, system.login()?)).on_invocation_end(move || {
        let telemetry = telemetry.clone();
        async move { telemetry.flush().await }
    });
    host.run().await
}

/// The MCP server of the travel desk.
#[cfg(feature = "mcp")]
pub(crate) async fn mcp(args: &Args, options: &McpArgs) -> Result<(), BoxError> {
    let shutdown = strands::CancellationToken::new();
    let (secret, audit) = (crate::desk::DeskSecret::from_env()?, args.audit()?);
    let database =
        (std::sync::Arc::new(args.store().await?), args.clock(), crate::services::Services::from_env().await?);
    let router = crate::mcp_server::router(database, (secret, audit), Some(&options.hosts), shutdown.clone())?;
    let server = options.listen.server("127.0.0.1:8081", false).await?;
    Terminal::standard().note(&format!("Serving MCP on http://{}/mcp", server.local_addr()))?;
    server.serve(router, |_| async move { shutdown.cancel() }).await?;
    Ok(())
}
