//! Bookings: booking, listing and cancelling trips, each in one transaction.

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::{
    Store, directory,
    inventory::{self, Flight},
};
use crate::{
    error::TravelError,
    trip::{
        BookedCar, BookedFlight, BookedHotel, Booking, Cancellation, City, Confirmation, Dates, Traveller, TripOrder,
    },
};

impl Store {
    /// Books all parts of a trip, or none.
    ///
    /// Policy and availability are checked inside the transaction, except for limits of costs: the authorization of the call
    /// decides about those. An order is idempotent: a repeated order of the same
    /// traveller returns the first booking.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::NotCompliant`], [`TravelError::SoldOut`] or [`TravelError::Overlapping`], or another error if
    /// the order is invalid.
    pub fn book(&self, traveller: &Traveller, order: &TripOrder, today: Date) -> Result<Confirmation, TravelError> {
        self.write(|transaction| {
            let trip = Trip::resolve(transaction, order)?;
            if let Some(booking) = trip.existing(transaction, traveller)? {
                return Ok(Confirmation { already_booked: true, booking });
            }
            let violations = inventory::check(transaction, &order.draft(), today)?;
            if violations.iter().any(|violation| !violation.approvable) {
                return Err(TravelError::NotCompliant { violations });
            }
            trip.refuse_overlap(transaction, traveller)?;
            trip.refuse_sold_out(transaction)?;
            let code = trip.insert(transaction, traveller, order, (today, !violations.is_empty()))?;
            let booking = find(transaction, traveller, &code)?;
            Ok(Confirmation { already_booked: false, booking })
        })
    }

    /// Returns the traveller's bookings, in order of departure.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Database`] if they can't be read.
    pub fn bookings(&self, traveller: &Traveller, include_cancelled: bool) -> Result<Vec<Booking>, TravelError> {
        self.read(|connection| {
            let mut query = connection.prepare(&format!(
                "{BOOKING} WHERE b.employee = ?1 AND (?2 OR b.status = 'confirmed') ORDER BY b.departure_date, b.id"
            ))?;
            let bookings =
                query.query_map(params![traveller.id, include_cancelled], booking)?.collect::<Result<_, _>>()?;
            Ok(bookings)
        })
    }

    /// Returns the bookings of all employees, in order of departure.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Database`] if they can't be read.
    pub fn all_bookings(&self, include_cancelled: bool) -> Result<Vec<Booking>, TravelError> {
        self.read(|connection| {
            let mut query = connection
                .prepare(&format!("{BOOKING} WHERE (?1 OR b.status = 'confirmed') ORDER BY b.departure_date, b.id"))?;
            let bookings = query.query_map([include_cancelled], booking)?.collect::<Result<_, _>>()?;
            Ok(bookings)
        })
    }

    /// Cancels one of the traveller's bookings. Cancelling twice succeeds.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::UnknownBooking`] if the traveller has no booking with this code, and
    /// [`TravelError::TooLate`] from the day of departure on.
    pub fn cancel(&self, traveller: &Traveller, code: &str, today: Date) -> Result<Cancellation, TravelError> {
        self.write(|transaction| {
            let code = code.trim().to_uppercase();
            let before = find(transaction, traveller, &code)?;
            if before.status == "cancelled" {
                return Ok(Cancellation { already_cancelled: true, booking: before });
            }
            if before.departure_date <= today {
                return Err(TravelError::TooLate { code, departure_date: before.departure_date });
            }
            transaction.execute("UPDATE bookings SET status = 'cancelled' WHERE code = ?1", [&code])?;
            let booking = find(transaction, traveller, &code)?;
            Ok(Cancellation { already_cancelled: false, booking })
        })
    }
}

/// A valid order with its offers.
struct Trip {
    dates: Dates,
    destination: City,
    outbound: Flight,
    return_: Flight,
    hotel: Option<inventory::Hotel>,
    car: Option<inventory::Car>,
}

impl Trip {
    fn resolve(connection: &Connection, order: &TripOrder) -> Result<Self, TravelError> {
        let trip = Self {
            dates: Dates::new(order.departure_date, order.return_date)?,
            destination: directory::city(connection, &order.destination)?,
            outbound: inventory::flight(connection, &order.outbound_flight)?,
            return_: inventory::flight(connection, &order.return_flight)?,
            hotel: order.hotel.as_deref().map(|id| inventory::hotel(connection, id)).transpose()?,
            car: order.car.as_deref().map(|id| inventory::car(connection, id)).transpose()?,
        };
        match trip.contradiction() {
            Some(reason) => Err(TravelError::Inconsistent { reason }),
            None => Ok(trip),
        }
    }

    fn contradiction(&self) -> Option<String> {
        let Self { dates, destination, outbound, return_, hotel, car } = self;
        for (flight, date) in [(outbound, dates.departure), (return_, dates.return_)] {
            if !flight.weekdays.contains(&inventory::weekday(date)) {
                return Some(format!("flight {} does not fly on {date}", flight.number));
            }
        }
        if outbound.destination != destination.code {
            return Some(format!("flight {} goes to {}, not to {destination}", outbound.number, outbound.destination));
        }
        if return_.origin != outbound.destination || return_.destination != outbound.origin {
            let (there, back) = (&outbound.number, &return_.number);
            return Some(format!(
                "flight {back} ({} to {}) is not the way back of {there}",
                return_.origin, return_.destination
            ));
        }
        // Times have the format HH:MM and compare as text.
        if dates.nights() == 0 && return_.departs <= outbound.arrives {
            let (there, back) = (&outbound.number, &return_.number);
            return Some(format!(
                "flight {back} leaves at {}, before {there} arrives at {}",
                return_.departs, outbound.arrives
            ));
        }
        if let Some(hotel) = hotel.as_ref().filter(|hotel| hotel.city != destination.code) {
            return Some(format!("hotel {} is in {}, not in {destination}", hotel.id, hotel.city));
        }
        if hotel.is_some() && dates.nights() == 0 {
            return Some("a day trip needs no hotel".to_owned());
        }
        let car = car.as_ref().filter(|car| car.city != destination.code)?;
        Some(format!("car {} is in {}, not in {destination}", car.id, car.city))
    }

    fn existing(&self, connection: &Connection, traveller: &Traveller) -> Result<Option<Booking>, TravelError> {
        let mut query = connection.prepare(&format!(
            "{BOOKING} WHERE b.status = 'confirmed' AND b.employee = :employee
               AND b.departure_date = :departure AND b.return_date = :return
               AND b.outbound_flight = :outbound AND b.return_flight = :inbound
               AND b.hotel IS :hotel AND b.car IS :car"
        ))?;
        let found = query.query_row(
            named_params! {
                ":employee": traveller.id,
                ":departure": self.dates.departure,
                ":return": self.dates.return_,
                ":outbound": self.outbound.number,
                ":inbound": self.return_.number,
                ":hotel": self.hotel.as_ref().map(|hotel| &hotel.id),
                ":car": self.car.as_ref().map(|car| &car.id),
            },
            booking,
        );
        Ok(found.optional()?)
    }

    fn refuse_overlap(&self, connection: &Connection, traveller: &Traveller) -> Result<(), TravelError> {
        let other = connection
            .query_row(
                "SELECT code, departure_date, return_date FROM bookings
                 WHERE employee = ?1 AND status = 'confirmed' AND departure_date <= ?3 AND return_date >= ?2
                 ORDER BY departure_date LIMIT 1",
                params![traveller.id, self.dates.departure, self.dates.return_],
                |row| {
                    Ok(TravelError::Overlapping {
                        code: row.get(0)?,
                        departure_date: row.get(1)?,
                        return_date: row.get(2)?,
                    })
                },
            )
            .optional()?;
        other.map_or(Ok(()), Err)
    }

    fn refuse_sold_out(&self, connection: &Connection) -> Result<(), TravelError> {
        let Dates { departure, return_ } = self.dates;
        for (flight, date) in [(&self.outbound, departure), (&self.return_, return_)] {
            if inventory::seats_taken(connection, &flight.number, date)? >= flight.seats {
                return Err(TravelError::SoldOut { what: format!("flight {}", flight.number), date });
            }
        }
        if let Some(hotel) = &self.hotel
            && inventory::rooms_taken(connection, &hotel.id, self.dates)? >= hotel.rooms
        {
            return Err(TravelError::SoldOut { what: hotel.name.clone(), date: departure });
        }
        if let Some(car) = &self.car
            && inventory::cars_taken(connection, &car.id, self.dates)? >= car.fleet
        {
            return Err(TravelError::SoldOut { what: car.model.clone(), date: departure });
        }
        Ok(())
    }

    fn total_usd(&self) -> u32 {
        let nights = u32::try_from(self.dates.nights()).unwrap_or_default();
        let hotel = self.hotel.as_ref().map_or(0, |hotel| hotel.nightly_usd * nights);
        let car = self.car.as_ref().map_or(0, |car| car.daily_usd * (nights + 1));
        self.outbound.fare_usd + self.return_.fare_usd + hotel + car
    }

    fn insert(
        &self,
        connection: &Connection,
        traveller: &Traveller,
        order: &TripOrder,
        (today, above_cost_limit): (Date, bool),
    ) -> Result<String, TravelError> {
        let code = free_code(connection)?;
        connection.execute(
            "INSERT INTO bookings (code, employee, destination, departure_date, return_date, purpose,
                                   outbound_flight, return_flight, hotel, car, total_usd, booked_on,
                                   above_cost_limit)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                code,
                traveller.id,
                self.destination.code,
                self.dates.departure,
                self.dates.return_,
                order.purpose.as_str(),
                self.outbound.number,
                self.return_.number,
                self.hotel.as_ref().map(|hotel| &hotel.id),
                self.car.as_ref().map(|car| &car.id),
                self.total_usd(),
                today,
                above_cost_limit,
            ],
        )?;
        Ok(code)
    }
}

/// Returns an unused confirmation code: eight characters that are hard to confuse on the phone.
fn free_code(connection: &Connection) -> Result<String, TravelError> {
    const ALPHABET: &[u8] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";
    let mut taken = connection.prepare("SELECT 1 FROM bookings WHERE code = ?1")?;
    loop {
        let random = (0..6).filter_map(|_| fastrand::choice(ALPHABET)).map(|byte| char::from(*byte));
        let code: String = "AC".chars().chain(random).collect();
        if !taken.exists([&code])? {
            return Ok(code);
        }
    }
}

const BOOKING: &str = "
    SELECT b.code, e.name, b.status, c.name || ', ' || c.state, b.departure_date, b.return_date, b.purpose,
           o.number, o.airline, o.origin, o.destination, o.departs, o.arrives,
           r.number, r.airline, r.origin, r.destination, r.departs, r.arrives,
           h.name, h.area, k.model, k.category, b.total_usd, b.booked_on
    FROM bookings b
    JOIN employees e ON e.id = b.employee
    JOIN cities c ON c.code = b.destination
    JOIN flights o ON o.number = b.outbound_flight
    JOIN flights r ON r.number = b.return_flight
    LEFT JOIN hotels h ON h.id = b.hotel
    LEFT JOIN cars k ON k.id = b.car";

/// Returns a booking of the traveller. The code of another traveller's booking is unknown.
fn find(connection: &Connection, traveller: &Traveller, code: &str) -> Result<Booking, TravelError> {
    connection
        .prepare(&format!("{BOOKING} WHERE b.employee = ?1 AND b.code = ?2"))?
        .query_row([&traveller.id, code], booking)
        .optional()?
        .ok_or_else(|| TravelError::UnknownBooking { code: code.to_owned() })
}

fn booking(row: &Row<'_>) -> Result<Booking, rusqlite::Error> {
    let dates = Dates { departure: row.get(4)?, return_: row.get(5)? };
    let hotel: Option<String> = row.get(19)?;
    let car: Option<String> = row.get(21)?;
    Ok(Booking {
        confirmation_code: row.get(0)?,
        traveller: row.get(1)?,
        status: row.get(2)?,
        destination: row.get(3)?,
        departure_date: dates.departure,
        return_date: dates.return_,
        purpose: row.get(6)?,
        outbound: booked_flight(row, 7, dates.departure)?,
        return_: booked_flight(row, 13, dates.return_)?,
        hotel: match hotel {
            Some(name) => Some(BookedHotel { name, area: row.get(20)?, nights: dates.nights() }),
            None => None,
        },
        car: match car {
            Some(model) => Some(BookedCar { model, category: row.get(22)?, days: dates.days() }),
            None => None,
        },
        total_usd: row.get(23)?,
        booked_on: row.get(24)?,
    })
}

/// Reads a flight from six columns, starting at `first`.
fn booked_flight(row: &Row<'_>, first: usize, date: Date) -> Result<BookedFlight, rusqlite::Error> {
    Ok(BookedFlight {
        number: row.get(first)?,
        airline: row.get(first + 1)?,
        origin: row.get(first + 2)?,
        destination: row.get(first + 3)?,
        date,
        departs: row.get(first + 4)?,
        arrives: row.get(first + 5)?,
    })
}
