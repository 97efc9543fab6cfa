//! Availability of flights, hotels and cars: the catalogue without booked seats, rooms and cars.

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, named_params};

use super::{Store, directory};
use crate::{
    error::TravelError,
    policy::{Facts, Verdict, Violation},
    trip::{CarCategory, CarOffer, City, Dates, FlightOffer, HotelOffer, TripDraft},
};

impl Store {
    /// Returns flights with a free seat, cheapest first.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::SameCity`] if origin and destination are the same, and [`TravelError::Database`] if the search
    /// fails.
    pub fn flights(&self, origin: &City, destination: &City, date: Date) -> Result<Vec<FlightOffer>, TravelError> {
        if origin.code == destination.code {
            return Err(TravelError::SameCity { city: origin.name.clone() });
        }
        self.read(|connection| {
            let mut query = connection.prepare(
                "SELECT number, airline, origin, destination, departs, arrives, fare_usd, seats
                 FROM flights WHERE origin = :origin AND destination = :destination AND instr(weekdays, :weekday) > 0
                 ORDER BY fare_usd, number",
            )?;
            let flights: Vec<FlightOffer> = query
                .query_map(
                    named_params! { ":origin": origin.code, ":destination": destination.code, ":weekday": weekday(date) },
                    |row| {
                        Ok(FlightOffer {
                            number: row.get(0)?,
                            airline: row.get(1)?,
                            origin: row.get(2)?,
                            destination: row.get(3)?,
                            date,
                            departs: row.get(4)?,
                            arrives: row.get(5)?,
                            fare_usd: row.get(6)?,
                            seats_left: row.get(7)?,
                        })
                    },
                )?
                .collect::<Result<_, _>>()?;
            let mut free = Vec::with_capacity(flights.len());
            for mut flight in flights {
                flight.seats_left = flight.seats_left.saturating_sub(seats_taken(connection, &flight.number, date)?);
                if flight.seats_left > 0 {
                    free.push(flight);
                }
            }
            Ok(free)
        })
    }

    /// Returns the cap of the city, and hotels with a room that is free on every night, cheapest first.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Database`] if the search fails.
    pub fn hotels(&self, city: &City, stay: Dates) -> Result<(u32, Vec<HotelOffer>), TravelError> {
        self.read(|connection| {
            let cap = directory::limits(connection, city)?.hotel_nightly_usd;
            let mut query = connection.prepare(
                "SELECT id, name, area, stars, nightly_usd, rooms FROM hotels WHERE city = ?1 ORDER BY nightly_usd, id",
            )?;
            let nights = u32::try_from(stay.nights()).unwrap_or_default();
            let hotels: Vec<HotelOffer> = query
                .query_map([&city.code], |row| {
                    let nightly_usd: u32 = row.get(4)?;
                    Ok(HotelOffer {
                        id: row.get(0)?,
                        name: row.get(1)?,
                        area: row.get(2)?,
                        stars: row.get(3)?,
                        nightly_usd,
                        total_usd: nightly_usd.saturating_mul(nights),
                        rooms_left: row.get(5)?,
                        within_policy: nightly_usd <= cap,
                    })
                })?
                .collect::<Result<_, _>>()?;
            let mut free = Vec::with_capacity(hotels.len());
            for mut hotel in hotels {
                hotel.rooms_left = hotel.rooms_left.saturating_sub(rooms_taken(connection, &hotel.id, stay)?);
                if hotel.rooms_left > 0 {
                    free.push(hotel);
                }
            }
            Ok((cap, free))
        })
    }

    /// Returns cars that are free on every day, cheapest first.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Database`] if the search fails.
    pub fn cars(
        &self,
        city: &City,
        rental: Dates,
        category: Option<CarCategory>,
    ) -> Result<Vec<CarOffer>, TravelError> {
        self.read(|connection| {
            let limits = directory::limits(connection, city)?;
            let mut query = connection.prepare(
                "SELECT id, model, category, daily_usd, fleet FROM cars
                 WHERE city = :city AND category = ifnull(:category, category) ORDER BY daily_usd, id",
            )?;
            let days = u32::try_from(rental.days()).unwrap_or_default();
            let cars: Vec<CarOffer> = query
                .query_map(
                    named_params! { ":city": city.code, ":category": category.map(CarCategory::as_str) },
                    |row| {
                        let category = car_category(&row.get::<_, String>(2)?);
                        let daily_usd: u32 = row.get(3)?;
                        Ok(CarOffer {
                            id: row.get(0)?,
                            model: row.get(1)?,
                            category,
                            daily_usd,
                            total_usd: daily_usd.saturating_mul(days),
                            cars_left: row.get(4)?,
                            within_policy: limits.allows_car(category, daily_usd),
                        })
                    },
                )?
                .collect::<Result<_, _>>()?;
            let mut free = Vec::with_capacity(cars.len());
            for mut car in cars {
                car.cars_left = car.cars_left.saturating_sub(cars_taken(connection, &car.id, rental)?);
                if car.cars_left > 0 {
                    free.push(car);
                }
            }
            Ok(free)
        })
    }

    /// Checks a trip, as far as it is decided, against the policy. Violations are in the verdict.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::UnknownCity`], [`TravelError::UnknownOffer`] or [`TravelError::Inconsistent`] if the draft is
    /// invalid.
    pub fn check(&self, draft: &TripDraft, today: Date) -> Result<Verdict, TravelError> {
        self.read(|connection| Ok(check(connection, draft, today)?.into()))
    }
}

pub(super) fn check(connection: &Connection, draft: &TripDraft, today: Date) -> Result<Vec<Violation>, TravelError> {
    let dates = Dates::new(draft.departure_date, draft.return_date)?;
    let destination = match directory::city(connection, &draft.destination) {
        Ok(city) => city,
        Err(error @ TravelError::OutsideUsa { .. }) => {
            return Ok(vec![Violation { rule: "usa_only".to_owned(), reason: error.to_string(), approvable: false }]);
        }
        Err(error) => return Err(error),
    };
    let flights = [&draft.outbound_flight, &draft.return_flight];
    let mut fare_usd = None;
    for number in flights.into_iter().flatten() {
        *fare_usd.get_or_insert(0) += flight(connection, number)?.fare_usd;
    }
    let hotel = draft.hotel.as_deref().map(|id| hotel(connection, id)).transpose()?;
    let car = draft.car.as_deref().map(|id| car(connection, id)).transpose()?;
    let facts = Facts {
        dates,
        purpose: draft.purpose,
        fare_usd,
        hotel: hotel.map(|hotel| (hotel.name, hotel.nightly_usd)),
        car_category: car.as_ref().map(|car| car.category).or(draft.car_category),
        car: car.map(|car| (car.model, car.daily_usd)),
    };
    Ok(directory::limits(connection, &destination)?.violations(&facts, today))
}

/// A flight of the timetable.
pub(super) struct Flight {
    pub(super) number: String,
    pub(super) origin: String,
    pub(super) destination: String,
    pub(super) weekdays: String,
    pub(super) departs: String,
    pub(super) arrives: String,
    pub(super) fare_usd: u32,
    pub(super) seats: u32,
}

pub(super) fn flight(connection: &Connection, number: &str) -> Result<Flight, TravelError> {
    connection
        .prepare("SELECT number, origin, destination, weekdays, departs, arrives, fare_usd, seats FROM flights WHERE number = upper(?1)")?
        .query_row([number], |row| {
            Ok(Flight {
                number: row.get(0)?,
                origin: row.get(1)?,
                destination: row.get(2)?,
                weekdays: row.get(3)?,
                departs: row.get(4)?,
                arrives: row.get(5)?,
                fare_usd: row.get(6)?,
                seats: row.get(7)?,
            })
        })
        .optional()?
        .ok_or_else(|| TravelError::UnknownOffer { kind: "flight", id: number.to_owned() })
}

/// A hotel of the catalogue.
pub(super) struct Hotel {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) city: String,
    pub(super) nightly_usd: u32,
    pub(super) rooms: u32,
}

pub(super) fn hotel(connection: &Connection, id: &str) -> Result<Hotel, TravelError> {
    connection
        .prepare("SELECT id, name, city, nightly_usd, rooms FROM hotels WHERE id = upper(?1)")?
        .query_row([id], |row| {
            Ok(Hotel {
                id: row.get(0)?,
                name: row.get(1)?,
                city: row.get(2)?,
                nightly_usd: row.get(3)?,
                rooms: row.get(4)?,
            })
        })
        .optional()?
        .ok_or_else(|| TravelError::UnknownOffer { kind: "hotel", id: id.to_owned() })
}

/// A car of the catalogue.
pub(super) struct Car {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) category: CarCategory,
    pub(super) city: String,
    pub(super) daily_usd: u32,
    pub(super) fleet: u32,
}

pub(super) fn car(connection: &Connection, id: &str) -> Result<Car, TravelError> {
    connection
        .prepare("SELECT id, model, category, city, daily_usd, fleet FROM cars WHERE id = upper(?1)")?
        .query_row([id], |row| {
            Ok(Car {
                id: row.get(0)?,
                model: row.get(1)?,
                category: car_category(&row.get::<_, String>(2)?),
                city: row.get(3)?,
                daily_usd: row.get(4)?,
                fleet: row.get(5)?,
            })
        })
        .optional()?
        .ok_or_else(|| TravelError::UnknownOffer { kind: "car", id: id.to_owned() })
}

pub(super) fn seats_taken(connection: &Connection, number: &str, date: Date) -> Result<u32, rusqlite::Error> {
    connection
        .prepare(
            "SELECT count(*) FROM bookings WHERE status = 'confirmed'
               AND ((outbound_flight = :number AND departure_date = :date) OR (return_flight = :number AND return_date = :date))",
        )?
        .query_row(named_params! { ":number": number, ":date": date }, |row| row.get(0))
}

/// Returns the number of booked rooms on the fullest night of a stay.
pub(super) fn rooms_taken(connection: &Connection, id: &str, stay: Dates) -> Result<u32, rusqlite::Error> {
    connection
        .prepare(
            "WITH RECURSIVE nights (day) AS
                 (SELECT :first UNION ALL SELECT date(day, '+1 day') FROM nights WHERE date(day, '+1 day') < :last)
             SELECT ifnull(max(taken), 0) FROM (
                 SELECT (SELECT count(*) FROM bookings WHERE status = 'confirmed' AND hotel = :id
                         AND departure_date <= day AND return_date > day) AS taken
                 FROM nights)",
        )?
        .query_row(named_params! { ":id": id, ":first": stay.departure, ":last": stay.return_ }, |row| row.get(0))
}

/// Returns the number of booked cars on the busiest day of a rental, including the day of return.
pub(super) fn cars_taken(connection: &Connection, id: &str, rental: Dates) -> Result<u32, rusqlite::Error> {
    connection
        .prepare(
            "WITH RECURSIVE days (day) AS
                 (SELECT :first UNION ALL SELECT date(day, '+1 day') FROM days WHERE day < :last)
             SELECT ifnull(max(taken), 0) FROM (
                 SELECT (SELECT count(*) FROM bookings WHERE status = 'confirmed' AND car = :id
                         AND departure_date <= day AND return_date >= day) AS taken
                 FROM days)",
        )?
        .query_row(named_params! { ":id": id, ":first": rental.departure, ":last": rental.return_ }, |row| row.get(0))
}

/// Returns the ISO number of the weekday, as in the timetable.
pub(super) fn weekday(date: Date) -> String {
    date.weekday().to_monday_one_offset().to_string()
}

fn car_category(word: &str) -> CarCategory {
    // The table's CHECK allows no other words. The strictest category is the safe default.
    CarCategory::parse(word).unwrap_or(CarCategory::Luxury)
}
