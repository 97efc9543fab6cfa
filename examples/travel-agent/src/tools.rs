//! Tools of the agent: plain functions. Owned arguments come from the model. The traveller, the store and the clock
//! are borrowed from the program, so a prompt can't make the agent act for another person. The policies of
//! [`access`](crate::access) decide who may call which tool.

use jiff::{ToSpan, civil::Date};
use serde::Serialize;
use strands::tool;

use crate::{
    clock::Clock,
    error::TravelError,
    knowledge::{KnowledgeError, Passage},
    location::{ClientAddress, Location, LocationError},
    policy::{TravelPolicies, Verdict},
    services::Services,
    store::Store,
    trip::{
        Booking, Cancellation, CarCategory, CarOffer, Confirmation, Dates, FlightOffer, HotelOffer, Traveller,
        TripDraft, TripOrder,
    },
};

/// Names of the agent's own tools.
pub const OWN_TOOLS: &[&str] = &[
    "todays_date",
    "my_location",
    "get_travel_policies",
    "search_policies",
    "search_flights",
    "get_hotels",
    "get_cars",
    "check_policy",
    "book_trip",
    "my_bookings",
    "all_bookings",
    "cancel_booking",
    #[cfg(feature = "weather")]
    "weather",
];

/// A date with its weekday.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Today {
    /// The day, YYYY-MM-DD.
    pub date: Date,
    /// Its name in English.
    pub weekday: String,
}

/// The result of `search_flights`.
#[derive(Clone, Debug, Serialize)]
pub struct FlightSearch {
    /// City of departure.
    pub origin: String,
    /// City of arrival.
    pub destination: String,
    /// Day of the flights.
    pub date: Date,
    /// Flights with a free seat, cheapest first.
    pub flights: Vec<FlightOffer>,
}

/// The result of `get_hotels`.
#[derive(Clone, Debug, Serialize)]
pub struct HotelSearch {
    /// City of the hotels.
    pub city: String,
    /// First night.
    pub check_in: Date,
    /// Length of the stay.
    pub nights: u8,
    /// Cap of the rate for one night in this city, US dollars.
    pub nightly_cap_usd: u32,
    /// Hotels with a free room, cheapest first.
    pub hotels: Vec<HotelOffer>,
}

/// The result of `get_cars`.
#[derive(Clone, Debug, Serialize)]
pub struct CarSearch {
    /// City of the rental.
    pub city: String,
    /// First day.
    pub pick_up: Date,
    /// Length of the rental.
    pub days: u8,
    /// Free cars, cheapest first.
    pub cars: Vec<CarOffer>,
}

/// The result of `search_policies`.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyPassages {
    /// Passages of the policy documents, best first.
    pub passages: Vec<Passage>,
}

/// Today's date and weekday. Call it before working out a date such as "next Monday".
#[tool(read_only)]
pub fn todays_date(clock: &Clock) -> Today {
    let date = clock.today();
    Today { date, weekday: date.strftime("%A").to_string() }
}

/// The company's travel policy: its rules, and the cap of hotel rates in each city.
#[tool(read_only)]
pub fn get_travel_policies(store: &Store) -> Result<TravelPolicies, TravelError> {
    store.policies()
}

/// The city where the traveller is now, from the network address, or else the traveller's home city.
#[tool(read_only)]
pub async fn my_location(
    address: &ClientAddress,
    traveller: &Traveller,
    services: &Services,
) -> Result<Location, LocationError> {
    services.geo_ip.locate(*address, traveller).await
}

/// Searches the company's travel policy documents, for example for meals, expenses, approvals or safety. Quote the source of
/// each passage that you use.
#[tool(read_only)]
pub async fn search_policies(
    /// The subject, in a few words.
    query: &str,
    /// Maximum number of passages.
    #[arg(default = 3, range = 1..=10)]
    limit: u8,
    services: &Services,
) -> Result<PolicyPassages, KnowledgeError> {
    Ok(PolicyPassages { passages: services.knowledge.search(query, limit).await? })
}

/// The weather forecast for a city of the travel desk, up to 15 days ahead.
#[cfg(feature = "weather")]
#[tool(read_only)]
pub async fn weather(
    /// City, e.g. "New York".
    city: &str,
    /// Day, YYYY-MM-DD; today if left out.
    date: Option<Date>,
    #[inject] store: std::sync::Arc<Store>,
    services: &Services,
    clock: &Clock,
) -> Result<crate::weather::Forecast, crate::weather::WeatherError> {
    let (place, today) = (city.to_owned(), clock.today());
    let city = store.run(move |store| store.city(&place)).await?;
    services.weather.forecast(&city, date.unwrap_or(today), today).await
}

/// Nonstop flights with free seats on a day. Search once for the way there and once for the way back.
#[tool(read_only)]
pub fn search_flights(
    /// Day of the flight, YYYY-MM-DD.
    date: Date,
    /// City of departure, e.g. "New York"; the traveller's home city if left out.
    origin: Option<String>,
    /// City of arrival, e.g. "New York"; the traveller's home city if left out.
    destination: Option<String>,
    traveller: &Traveller,
    store: &Store,
) -> Result<FlightSearch, TravelError> {
    let or_home = |place: Option<String>| match place {
        Some(place) => store.city(&place),
        None => Ok(traveller.home.clone()),
    };
    let origin = or_home(origin)?;
    let destination = or_home(destination)?;
    let flights = store.flights(&origin, &destination, date)?;
    Ok(FlightSearch { origin: origin.to_string(), destination: destination.to_string(), date, flights })
}

/// Hotels with a room that is free in every night of a stay.
#[tool(read_only)]
pub fn get_hotels(
    /// City, e.g. "New York".
    city: &str,
    /// First night, YYYY-MM-DD.
    check_in: Date,
    /// Length of the stay.
    #[arg(range = 1..=30)]
    nights: u8,
    store: &Store,
) -> Result<HotelSearch, TravelError> {
    let city = store.city(city)?;
    let stay = dates(check_in, nights)?;
    let (nightly_cap_usd, hotels) = store.hotels(&city, stay)?;
    Ok(HotelSearch { city: city.to_string(), check_in, nights, nightly_cap_usd, hotels })
}

/// Rental cars that are free on every day of a rental.
#[tool(read_only)]
pub fn get_cars(
    /// City, e.g. "New York".
    city: &str,
    /// First day, YYYY-MM-DD.
    pick_up: Date,
    /// Length of the rental, counting the day of return.
    #[arg(range = 1..=30)]
    days: u8,
    /// Only cars of this category.
    category: Option<CarCategory>,
    store: &Store,
) -> Result<CarSearch, TravelError> {
    let city = store.city(city)?;
    let rental = dates(pick_up, days.saturating_sub(1))?;
    let cars = store.cars(&city, rental, category)?;
    Ok(CarSearch { city: city.to_string(), pick_up, days, cars })
}

/// Checks whether a trip, as far as it is decided, complies with company policy, and returns the reasons if it does not.
#[tool(read_only)]
pub fn check_policy(#[args] draft: TripDraft, store: &Store, clock: &Clock) -> Result<Verdict, TravelError> {
    store.check(&draft, clock.today())
}

/// Books flights, hotel and car of one trip for the traveller, all or nothing. Policy and availability are checked
/// again. A trip above a cost limit is booked after a manager has approved it. Repeating an order returns the booking that exists.
#[tool(exclusive, idempotent)]
pub fn book_trip(
    #[args] order: TripOrder,
    traveller: &Traveller,
    store: &Store,
    clock: &Clock,
) -> Result<Confirmation, TravelError> {
    store.book(traveller, &order, clock.today())
}

/// The traveller's own bookings, in order of departure.
#[tool(read_only)]
pub fn my_bookings(
    /// Also list cancelled bookings.
    #[arg(default)]
    include_cancelled: bool,
    traveller: &Traveller,
    store: &Store,
) -> Result<Vec<Booking>, TravelError> {
    store.bookings(traveller, include_cancelled)
}

/// The bookings of all employees, in order of departure.
#[tool(read_only)]
pub fn all_bookings(
    /// Also list cancelled bookings.
    #[arg(default)]
    include_cancelled: bool,
    store: &Store,
) -> Result<Vec<Booking>, TravelError> {
    store.all_bookings(include_cancelled)
}

/// Cancels one of the traveller's own bookings, until the day before departure.
#[tool(exclusive, destructive, idempotent)]
pub fn cancel_booking(
    /// The code, e.g. "AC7K2M9Q".
    confirmation_code: &str,
    traveller: &Traveller,
    store: &Store,
    clock: &Clock,
) -> Result<Cancellation, TravelError> {
    store.cancel(traveller, confirmation_code, clock.today())
}

/// Returns the dates from a day to this number of nights after it.
fn dates(first: Date, nights: u8) -> Result<Dates, TravelError> {
    let last = first.checked_add(i32::from(nights).days());
    let last =
        last.map_err(|_| TravelError::Inconsistent { reason: format!("no calendar goes {nights} days past {first}") })?;
    Dates::new(first, last)
}
