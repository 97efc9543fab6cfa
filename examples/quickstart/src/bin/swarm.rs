//! A swarm: agents hand a task over to each other. The service desk decides who gets a request, and that agent completes it.
//!
//! ```text
//! $ cargo run -p quickstart --bin swarm
//! > A request for billing: "Refund invoice 4711"
//! [desk to billing: Refund invoice 4711]
//! refund_invoice: invoice 4711 is refunded
//!
//! > A problem with the network: "Restart router 7"
//! [desk to network: Restart router 7]
//! restart_router: router 7 is restarting
//! ```

use strands::multiagent::Swarm;
use strands::{Agent, AgentEvent, Promptable, StreamExt, tool, tools};

/// Refunds an invoice.
#[tool]
fn refund_invoice(number: u32) -> String {
    format!("invoice {number} is refunded")
}

/// Restarts a router.
#[tool]
fn restart_router(number: u32) -> String {
    format!("router {number} is restarting")
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let model = quickstart::model().await?;
    let desk = Agent::builder().model(model.clone()).name("desk").system_prompt("Hand each request over.");
    let billing = Agent::builder()
        .model(model.clone())
        .name("billing")
        .description("Knows invoices, and refunds them.")
        .tools(tools![RefundInvoice]);
    let network = Agent::builder()
        .model(model)
        .name("network")
        .description("Knows routers, and restarts them.")
        .tools(tools![RestartRouter]);

    let swarm = Swarm::builder("support")
        .member(desk)
        .member(billing)
        .member(network)
        // By default, each member may hand over to all others.
        .handoffs("desk", ["billing", "network"])
        .handoffs("billing", Vec::<&str>::new())
        .handoffs("network", Vec::<&str>::new())
        .build()?;

    for request in
        [r#"A request for billing: "Refund invoice 4711""#, r#"A problem with the network: "Restart router 7""#]
    {
        println!("> {request}");
        let mut events = swarm.stream(request.into());
        while let Some(event) = events.next().await {
            match event? {
                AgentEvent::Handoff { from, to, message } => println!("[{from} to {to}: {message}]"),
                AgentEvent::Result { response } => println!("{}\n", response.text()),
                // The events of the members are here, too, as `AgentEvent::Node`.
                _ => {}
            }
        }
    }
    Ok(())
}
