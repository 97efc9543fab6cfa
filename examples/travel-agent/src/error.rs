//! Error of the travel desk. Its message goes to the model as a tool error, and from there to the traveller.

use std::error::Error;

use jiff::civil::Date;

use crate::policy::Violation;

/// An error of the travel desk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TravelError {
    /// A known place outside of the United States.
    #[error("{place} is in {country}, and company policy allows travel within the United States only")]
    OutsideUsa {
        /// The place as requested.
        place: String,
        /// The country it is in.
        country: String,
    },
    /// A place that the travel desk does not know.
    #[error("no city called `{place}`: we fly to {served}")]
    UnknownCity {
        /// The place as requested.
        place: String,
        /// The cities to choose from.
        served: String,
    },
    /// Origin and destination are the same.
    #[error("origin and destination are both {city}: name another one")]
    SameCity {
        /// The city.
        city: String,
    },
    /// An id that no search has returned.
    #[error("no {kind} `{id}`: take an id from a search result")]
    UnknownOffer {
        /// `flight`, `hotel` or `car`.
        kind: &'static str,
        /// The id as given.
        id: String,
    },
    /// The parts of an order contradict each other.
    #[error("these parts do not make one trip: {reason}")]
    Inconsistent {
        /// The contradiction.
        reason: String,
    },
    /// No seat, room or car is left.
    #[error("{what} is sold out on {date}: search again and choose another")]
    SoldOut {
        /// The flight, hotel or car.
        what: String,
        /// The first day without a free place.
        date: Date,
    },
    /// The order violates company policy.
    #[error("company policy does not allow this trip: {}", reasons(violations))]
    NotCompliant {
        /// All violations.
        violations: Vec<Violation>,
    },
    /// The traveller has another trip on these days.
    #[error(
        "you are travelling from {departure_date} to {return_date} already (booking {code}): cancel that trip first, or change the dates"
    )]
    Overlapping {
        /// Confirmation code of the other trip.
        code: String,
        /// Its first day.
        departure_date: Date,
        /// Its last day.
        return_date: Date,
    },
    /// The traveller has no such booking. Codes of other travellers are unknown, too.
    #[error("you have no booking `{code}`: the codes are those that my_bookings lists")]
    UnknownBooking {
        /// The code as given.
        code: String,
    },
    /// The trip has started.
    #[error("booking {code} began on {departure_date}: a trip can be cancelled until the day before")]
    TooLate {
        /// Its confirmation code.
        code: String,
        /// The day of departure.
        departure_date: Date,
    },
    /// No employee has this user name.
    #[error("`{user}` is not an employee: use one of the users in the README of the travel agent, such as `ana`")]
    UnknownUser {
        /// The user name as given.
        user: String,
    },
    /// The database cannot be used.
    #[error("cannot open the travel database {location}: {reason}")]
    Open {
        /// The file, or the URL of the object.
        location: String,
        /// The reason, and the action to take.
        reason: String,
    },
    /// The MCP server of the travel desk can't be used.
    #[cfg(feature = "mcp")]
    #[error("the travel desk can't be used")]
    Desk(#[source] Box<dyn Error + Send + Sync>),
    /// The database in S3 can't be read, or refuses the change.
    #[error("the travel database {location} is unavailable; nothing was changed: try again later")]
    Unavailable {
        /// The URL of the object.
        location: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Other processes have changed the database in S3 each time.
    #[error("the travel database {location} is busy; nothing was changed in {attempts} attempts: try again")]
    Contended {
        /// The URL of the object.
        location: String,
        /// Number of attempts.
        attempts: u32,
    },
    /// The database in S3 has not confirmed a change, and can't be read to find out.
    #[error("the travel database {location} has not confirmed the change: look up the bookings before repeating it")]
    OutcomeUnknown {
        /// The URL of the object.
        location: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// SQLite failed in the middle of something.
    #[error("the travel database failed; nothing was changed")]
    Database(#[from] rusqlite::Error),
}

impl TravelError {
    #[cfg(feature = "mcp")]
    pub(crate) fn desk(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Desk(source.into())
    }

    /// Returns true for a failure of the database, and false for a request that it refuses.
    pub(crate) fn is_of_the_database(&self) -> bool {
        matches!(
            self,
            Self::Database(_)
                | Self::Open { .. }
                | Self::Unavailable { .. }
                | Self::Contended { .. }
                | Self::OutcomeUnknown { .. }
        )
    }
}

fn reasons(violations: &[Violation]) -> String {
    let reasons: Vec<&str> = violations.iter().map(|v| v.reason.as_str()).collect();
    reasons.join("; ")
}
