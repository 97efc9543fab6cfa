//! A graph of agents and functions: two agents find prices concurrently, a function adds them up, and a loop looks for a
//! cheaper hotel while the trip is too expensive.
//!
//! ```text
//! $ cargo run -p quickstart --bin graph
//! [flight]
//! [hotel]
//! [total after flight, hotel]
//! [hotel after total]
//! [total after flight, hotel]
//! [book after total]
//! booked for 760 euros: flight 220, hotel 540
//! ```

use serde::{Deserialize, Serialize};
use strands::multiagent::{Graph, Node, NodeContext, NodeInput, function};
use strands::{Agent, AgentEvent, JsonSchema, Promptable, StreamExt, tool, tools};

/// The state that the nodes share: prices in euros.
#[derive(Clone, Serialize, Deserialize)]
struct Trip {
    flight: u32,
    hotel: u32,
}

/// The structured output of the agents.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "strands::schemars")]
struct Price {
    euros: u32,
}

/// Finds a flight.
#[tool]
fn find_flight(city: String) -> Price {
    Price { euros: if city == "Oslo" { 220 } else { 350 } }
}

/// Finds the best hotel below a price.
#[tool]
fn find_hotel(city: String, below: u32) -> Result<Price, String> {
    let best = [720, 540, 360].into_iter().find(|euros| *euros < below);
    best.map(|euros| Price { euros }).ok_or_else(|| format!("no hotel in {city} is below {below} euros"))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let model = quickstart::model().await?;
    let flight = Agent::builder().model(model.clone()).system_prompt("Find the flight.").tools(tools![FindFlight]);
    let hotel = Agent::builder().model(model).system_prompt("Find the hotel.").tools(tools![FindHotel]);
    // The first hotel must be below 1000 euros, and each other one below the price of the last.
    let hotel = Node::new(hotel)
        .input(|trip: &Trip, input| format!("{} The hotel must be below {} euros.", input.task.text(), trip.hotel));
    let total = function(|ctx: NodeContext<Trip>, _: NodeInput| async move {
        let Trip { flight, hotel } = ctx.state();
        format!("{} euros: flight {flight}, hotel {hotel}", flight + hotel)
    });

    let graph = Graph::with_state("trip", Trip { flight: 0, hotel: 1_000 })
        .node("flight", Node::new(flight).output_into(|trip: &mut Trip, price: Price| trip.flight = price.euros))
        .node("hotel", hotel.output_into(|trip, price: Price| trip.hotel = price.euros))
        .node("total", total)
        .node("book", function(|_, input: NodeInput| async move { format!("booked for {}", input.text()) }))
        .edge("flight", "total")
        .edge("hotel", "total")
        .loop_if("total", "hotel", 3, |trip| trip.flight + trip.hotel > 800)
        .edge("total", "book")
        .build()?;

    let mut events = graph.stream("Find a flight and a hotel in Oslo.".into());
    while let Some(event) = events.next().await {
        match event? {
            AgentEvent::NodeStart { node, from, .. } if from.is_empty() => println!("[{node}]"),
            AgentEvent::NodeStart { node, from, .. } => println!("[{node} after {}]", from.join(", ")),
            AgentEvent::Result { response } => println!("{}", response.text()),
            _ => {}
        }
    }
    Ok(())
}
