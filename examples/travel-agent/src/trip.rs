//! Types of the travel desk: travellers, offers, orders and bookings.

use std::fmt;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TravelError;

/// The employee for whom the agent acts. The program injects it; no tool takes it as an argument.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Traveller {
    /// Personnel number.
    pub id: String,
    /// Name at the identity provider.
    pub username: String,
    /// Full name.
    pub name: String,
    /// Department that pays.
    pub department: String,
    /// The default origin of trips.
    pub home: City,
}

impl Traveller {
    /// Returns a traveller of whom the names alone are known, while the travel desk does not respond.
    #[cfg(feature = "mcp")]
    pub(crate) fn without_profile(username: &str, name: &str) -> Self {
        let mut traveller = Self { username: username.to_owned(), name: name.to_owned(), ..Self::default() };
        traveller.home.name = "an unknown city".to_owned();
        traveller
    }
}

impl fmt::Display for Traveller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, department, home, .. } = self;
        if department.is_empty() { f.write_str(name) } else { write!(f, "{name}, {department}, based in {home}") }
    }
}

/// A city that the travel desk serves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct City {
    /// Metropolitan code, e.g. `NYC`.
    pub code: String,
    /// Full name.
    pub name: String,
    /// Two-letter state.
    pub state: String,
    /// Price tier, 1 is the most expensive.
    #[serde(skip)]
    pub tier: u8,
    /// Degrees to the north.
    #[serde(skip)]
    pub latitude: f64,
    /// Degrees to the east.
    #[serde(skip)]
    pub longitude: f64,
}

impl fmt::Display for City {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.name, self.state)
    }
}

/// Classes of rental cars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CarCategory {
    /// Small.
    Compact,
    /// Mid-size.
    Sedan,
    /// Large.
    Suv,
    /// Never within policy.
    Luxury,
}

impl CarCategory {
    /// Returns the name in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Sedan => "sedan",
            Self::Suv => "suv",
            Self::Luxury => "luxury",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Compact, Self::Sedan, Self::Suv, Self::Luxury].into_iter().find(|category| category.as_str() == word)
    }
}

/// The purpose of a trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Customers, partners, other offices.
    Business,
    /// A conference or a trade fair.
    Conference,
    /// A course or workshop.
    Training,
    /// Holidays, family, anything private.
    Personal,
}

impl Purpose {
    /// Returns the name in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Business => "business",
            Self::Conference => "conference",
            Self::Training => "training",
            Self::Personal => "personal",
        }
    }
}

/// A trip as far as it is decided, for a check against the policy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TripDraft {
    /// City to travel to.
    pub destination: String,
    /// Day of departure, YYYY-MM-DD.
    pub departure_date: Date,
    /// Day of return, YYYY-MM-DD.
    pub return_date: Date,
    /// Purpose of the trip, as the traveller states it.
    pub purpose: Purpose,
    /// Flight number of the way there.
    pub outbound_flight: Option<String>,
    /// Flight number of the way back.
    pub return_flight: Option<String>,
    /// Id of the hotel.
    pub hotel: Option<String>,
    /// Id of the car.
    pub car: Option<String>,
    /// Requested category of car, if no car is chosen yet.
    pub car_category: Option<CarCategory>,
}

/// A complete trip, ready to be booked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TripOrder {
    /// City to travel to.
    pub destination: String,
    /// Day of departure, YYYY-MM-DD.
    pub departure_date: Date,
    /// Day of return, YYYY-MM-DD.
    pub return_date: Date,
    /// Purpose of the trip, as the traveller states it.
    pub purpose: Purpose,
    /// Flight number of the way there, from `search_flights`.
    pub outbound_flight: String,
    /// Flight number of the way back, from `search_flights`.
    pub return_flight: String,
    /// Id of the hotel, from `get_hotels`; leave out if none is needed.
    pub hotel: Option<String>,
    /// Id of the car, from `get_cars`; leave out if none is needed.
    pub car: Option<String>,
}

impl TripOrder {
    /// Returns the trip as a draft, for the policy check.
    pub fn draft(&self) -> TripDraft {
        TripDraft {
            destination: self.destination.clone(),
            departure_date: self.departure_date,
            return_date: self.return_date,
            purpose: self.purpose,
            outbound_flight: Some(self.outbound_flight.clone()),
            return_flight: Some(self.return_flight.clone()),
            hotel: self.hotel.clone(),
            car: self.car.clone(),
            car_category: None,
        }
    }
}

/// The first and the last day of a trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// Day of departure.
    pub departure: Date,
    /// Day of return; never before the departure.
    pub return_: Date,
}

impl Dates {
    /// Creates the dates of a trip.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Inconsistent`] if the return is before the departure.
    pub fn new(departure: Date, return_: Date) -> Result<Self, TravelError> {
        if return_ < departure {
            let reason = format!("the return on {return_} is before the departure on {departure}");
            return Err(TravelError::Inconsistent { reason });
        }
        Ok(Self { departure, return_ })
    }

    /// Returns the nights between the two days.
    pub fn nights(self) -> i32 {
        (self.return_ - self.departure).get_days()
    }

    /// Returns the number of days, including both ends.
    pub fn days(self) -> i32 {
        self.nights() + 1
    }
}

/// A flight with free seats on a day.
#[derive(Clone, Debug, Serialize)]
pub struct FlightOffer {
    /// Flight number.
    pub number: String,
    /// Airline.
    pub airline: String,
    /// Code of the city of departure.
    pub origin: String,
    /// Code of the city of arrival.
    pub destination: String,
    /// Day of the flight.
    pub date: Date,
    /// Local time of departure, HH:MM.
    pub departs: String,
    /// Local time of arrival, HH:MM.
    pub arrives: String,
    /// One-way fare, US dollars.
    pub fare_usd: u32,
    /// Seats that are free.
    pub seats_left: u32,
}

/// A hotel with free rooms for a whole stay.
#[derive(Clone, Debug, Serialize)]
pub struct HotelOffer {
    /// Id to book it with.
    pub id: String,
    /// Name.
    pub name: String,
    /// Part of the city.
    pub area: String,
    /// Stars, 1 to 5.
    pub stars: u8,
    /// Rate for one night, US dollars.
    pub nightly_usd: u32,
    /// Rate for the stay, US dollars.
    pub total_usd: u32,
    /// Rooms free in every night of the stay.
    pub rooms_left: u32,
    /// True if the nightly rate is within the cap of the city.
    pub within_policy: bool,
}

/// A car that is free for a whole rental.
#[derive(Clone, Debug, Serialize)]
pub struct CarOffer {
    /// Id to book it with.
    pub id: String,
    /// Model.
    pub model: String,
    /// Category of the model.
    pub category: CarCategory,
    /// Rate for one day, US dollars.
    pub daily_usd: u32,
    /// Rate for the rental, US dollars.
    pub total_usd: u32,
    /// Cars free on every day of the rental.
    pub cars_left: u32,
    /// True if category and rate are within policy.
    pub within_policy: bool,
}

/// One flight of a booked trip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BookedFlight {
    /// Flight number.
    pub number: String,
    /// Airline.
    pub airline: String,
    /// Code of the city of departure.
    pub origin: String,
    /// Code of the city of arrival.
    pub destination: String,
    /// Day of the flight.
    pub date: Date,
    /// Local time of departure, HH:MM.
    pub departs: String,
    /// Local time of arrival, HH:MM.
    pub arrives: String,
}

/// The hotel of a booked trip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BookedHotel {
    /// Name.
    pub name: String,
    /// Part of the city.
    pub area: String,
    /// Length of the stay.
    pub nights: i32,
}

/// The car of a booked trip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BookedCar {
    /// Model.
    pub model: String,
    /// Category of the model.
    pub category: String,
    /// Length of the rental.
    pub days: i32,
}

/// A booked trip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Booking {
    /// Confirmation code.
    pub confirmation_code: String,
    /// Name of the traveller.
    pub traveller: String,
    /// `confirmed` or `cancelled`.
    pub status: String,
    /// City of destination.
    pub destination: String,
    /// Day of departure.
    pub departure_date: Date,
    /// Day of return.
    pub return_date: Date,
    /// Purpose of the trip.
    pub purpose: String,
    /// The way there.
    pub outbound: BookedFlight,
    /// The way back.
    #[serde(rename = "return")]
    pub return_: BookedFlight,
    /// The hotel, if one is booked.
    pub hotel: Option<BookedHotel>,
    /// The car, if one is booked.
    pub car: Option<BookedCar>,
    /// Total price at the time of booking, US dollars.
    pub total_usd: u32,
    /// Day of the booking.
    pub booked_on: Date,
}

/// The result of `book_trip`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confirmation {
    /// True if the same trip was booked before and this is that booking.
    pub already_booked: bool,
    /// The booking.
    #[serde(flatten)]
    pub booking: Booking,
}

/// The result of `cancel_booking`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cancellation {
    /// True if the booking was cancelled before.
    pub already_cancelled: bool,
    /// The cancelled booking.
    #[serde(flatten)]
    pub booking: Booking,
}
