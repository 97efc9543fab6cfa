use strands::tool;

#[tool]
struct Weather;

#[tool]
impl Weather {}

trait Forecast {
    #[tool]
    fn forecast(&self) -> String;
}

fn main() {}
