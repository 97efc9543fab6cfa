//! Tools where the dependency is called `agents`, under every lint that programs turn on.
#![forbid(unsafe_code)]
#![deny(missing_docs, unused_qualifications, unreachable_pub, clippy::all, clippy::pedantic)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

pub use agents;

use std::sync::Arc;

use agents::{Deserialize, JsonSchema, Serialize, ToolContext, tool, toolset};

/// A destination.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(crate = "agents::serde")]
#[schemars(crate = "agents::schemars")]
pub struct Place {
    /// Its name.
    pub city: String,
}

/// Seed of a random choice, which the program injects.
#[derive(Debug)]
pub struct Seed(pub u8);

/// Finds the way.
///
/// # Errors
///
/// Returns an error if there is no way.
#[tool(crate = agents, output, read_only)]
pub async fn find_way(
    from: &str,
    to: Place,
    #[arg(default = 1, range = 1..=9, example = 2)] people: u8,
    #[arg(default = "car", pattern = "^[a-z]+$")] by: String,
    seed: &Seed,
    ctx: &ToolContext,
    #[inject] shared: Arc<u64>,
) -> Result<Place, std::fmt::Error> {
    if from == to.city && ctx.tool_name() == by && u64::from(people) > u64::from(seed.0) + *shared {
        return Err(std::fmt::Error);
    }
    std::future::ready(Ok(to)).await
}

/// Adds.
#[must_use]
#[tool(crate = agents)]
pub fn add(a: i64, names: Vec<String>, seed: &Seed) -> i64 {
    a.saturating_add(i64::from(seed.0)).saturating_add(i64::from(names.is_empty()))
}

/// The places of a map.
#[derive(Debug)]
pub struct Map {
    places: Vec<Place>,
}

#[toolset(crate = agents, prefix = "map_")]
impl Map {
    /// Lists the places.
    #[tool]
    #[must_use]
    pub fn places(&self, except: Place, seed: &Seed) -> Vec<Place> {
        let places = self.places.iter().filter(|place| place.city != except.city);
        places.skip(usize::from(seed.0)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Add, FindWay, Map};
    use agents::{Tool, Toolset};

    #[test]
    fn the_renamed_dependency_is_found() {
        assert_eq!(FindWay.spec().name, "find_way");
        assert_eq!(FindWay.requires().len(), 3);
        assert_eq!(Add.spec().description, "Adds.");
        let names: Vec<_> =
            Map { places: Vec::new() }.into_tools().iter().map(|tool| tool.spec().name.clone()).collect();
        assert_eq!(names, ["map_places"]);
    }
}
