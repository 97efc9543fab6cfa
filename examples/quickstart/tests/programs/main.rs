//! Tests of the programs: their output, the two servers, and an agent as a library.

mod output;
mod servers;
mod weather_agent;
