use strands::{Agent, tool, tools};

struct Book;

/// The weather.
#[tool]
fn get_weather() {}

fn main() {
    let _ = Agent::builder().tools(Book);
    let _ = Agent::builder().tool(Book);
    let _ = Agent::builder().tools(tools![get_weather]);
    let _ = Agent::builder().tools(GetWeather);
}
