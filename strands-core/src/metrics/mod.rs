//! What an agent's work costs.

mod usage;

pub use usage::{ModelMetrics, Usage};
