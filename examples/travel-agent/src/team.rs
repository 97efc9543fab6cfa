//! Team: a planner with two agents as tools, of which one knows the policies and the other one books.

use strands::{AgentBuilder, identity::Identity, tools};

use crate::{
    agent::TravelAgent,
    error::TravelError,
    tools::{MyLocation, TodaysDate},
    trip::Traveller,
};

/// Names of the agents, which are those of the planner's tools.
pub(crate) const POLICIES: &str = "policies";
pub(crate) const BOOKINGS: &str = "bookings";

/// Tools of the travel desk that the policy agent has. The booking agent has all others.
const POLICY_TOOLS: [&str; 2] = ["get_travel_policies", "search_policies"];

/// Returns the planner.
///
/// The agents have the injected values of the planner, so that their tools act for the same user. Each has the checks of the
/// planner itself: a call is authorized where it is made.
pub(crate) fn planner(
    travel: &TravelAgent,
    user: &Identity,
    traveller: &Traveller,
) -> Result<AgentBuilder, TravelError> {
    let is_policy = |tool: &str| POLICY_TOOLS.contains(&tool);
    let desk = travel.desk();

    let policies = travel.agent_of(traveller, include_str!("prompts/policies.md")).name(POLICIES).description(
        "Knows AcmeCorp's travel policies and documents. It remembers nothing: ask one complete question at a time.",
    );
    let policies = desk.equip(policies, user, is_policy)?;

    let bookings = travel.agent_of(traveller, include_str!("prompts/bookings.md")).name(BOOKINGS).description(
        "Searches and books flights, hotels and cars for the traveller, lists and cancels bookings, and knows dates, places and \
         the weather. It remembers your earlier calls: pass on what the traveller says.",
    );
    let bookings = desk.equip(bookings.tools(tools![TodaysDate, MyLocation]), user, |tool| !is_policy(tool))?;

    let planner = travel.agent_of(traveller, include_str!("prompts/planner.md"));
    Ok(planner.tools(tools![policies, bookings.as_tool().keeps_context(true)]))
}
