-- The travel desk's database. Dates are ISO text (they sort and compare as dates), money is whole US dollars.
-- `user_version` is the schema's version: the program refuses a file written by a newer one.

CREATE TABLE cities (
    code        TEXT PRIMARY KEY,           -- metropolitan area, e.g. NYC
    name        TEXT NOT NULL UNIQUE,
    state       TEXT NOT NULL,
    airport     TEXT NOT NULL,              -- IATA code of the airport that we fly to
    tier        INTEGER NOT NULL REFERENCES hotel_caps (tier),
    utc_offset  INTEGER NOT NULL            -- hours, standard time: turns block times into local arrivals
) STRICT;

-- Other words for a city, in lower case.
CREATE TABLE city_aliases (
    alias TEXT PRIMARY KEY,
    city  TEXT NOT NULL REFERENCES cities (code)
) STRICT, WITHOUT ROWID;

-- Known places outside of the USA, so that the error can name the country.
CREATE TABLE foreign_places (
    name    TEXT PRIMARY KEY,               -- lower case
    country TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The rules of the policy. `amount` is used by both the text and the checks, so that they always agree.
CREATE TABLE policies (
    code   TEXT PRIMARY KEY,
    rule   TEXT NOT NULL,                   -- `{}` stands for the amount
    amount INTEGER,
    rank   INTEGER NOT NULL UNIQUE          -- order of presentation
) STRICT;

CREATE TABLE hotel_caps (
    tier        INTEGER PRIMARY KEY,
    nightly_usd INTEGER NOT NULL CHECK (nightly_usd > 0)
) STRICT;

CREATE TABLE employees (
    id         TEXT PRIMARY KEY,
    username   TEXT NOT NULL UNIQUE,        -- what the identity provider calls the user
    name       TEXT NOT NULL,
    email      TEXT NOT NULL UNIQUE,
    department TEXT NOT NULL,
    home_city  TEXT NOT NULL REFERENCES cities (code)
) STRICT;

CREATE TABLE flights (
    number      TEXT PRIMARY KEY,
    airline     TEXT NOT NULL,
    origin      TEXT NOT NULL REFERENCES cities (code),
    destination TEXT NOT NULL REFERENCES cities (code),
    weekdays    TEXT NOT NULL,              -- ISO weekdays on which it flies: '1' is Monday
    departs     TEXT NOT NULL,              -- local times, HH:MM
    arrives     TEXT NOT NULL,
    minutes     INTEGER NOT NULL,
    fare_usd    INTEGER NOT NULL CHECK (fare_usd > 0),
    seats       INTEGER NOT NULL CHECK (seats >= 0)   -- the company's allotment per departure
) STRICT;
CREATE INDEX flights_by_route ON flights (origin, destination);

CREATE TABLE hotels (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    city        TEXT NOT NULL REFERENCES cities (code),
    area        TEXT NOT NULL,
    stars       INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5),
    nightly_usd INTEGER NOT NULL CHECK (nightly_usd > 0),
    rooms       INTEGER NOT NULL CHECK (rooms >= 0)
) STRICT;
CREATE INDEX hotels_by_city ON hotels (city);

CREATE TABLE cars (
    id        TEXT PRIMARY KEY,
    model     TEXT NOT NULL,
    category  TEXT NOT NULL CHECK (category IN ('compact', 'sedan', 'suv', 'luxury')),
    city      TEXT NOT NULL REFERENCES cities (code),
    daily_usd INTEGER NOT NULL CHECK (daily_usd > 0),
    fleet     INTEGER NOT NULL CHECK (fleet >= 0)
) STRICT;
CREATE INDEX cars_by_city ON cars (city);

CREATE TABLE bookings (
    id              INTEGER PRIMARY KEY,
    code            TEXT NOT NULL UNIQUE,   -- what the traveller quotes
    employee        TEXT NOT NULL REFERENCES employees (id),
    destination     TEXT NOT NULL REFERENCES cities (code),
    departure_date  TEXT NOT NULL,
    return_date     TEXT NOT NULL,
    purpose         TEXT NOT NULL,
    outbound_flight TEXT NOT NULL REFERENCES flights (number),
    return_flight   TEXT NOT NULL REFERENCES flights (number),
    hotel           TEXT REFERENCES hotels (id),
    car             TEXT REFERENCES cars (id),
    total_usd       INTEGER NOT NULL,       -- as agreed: later price changes do not touch it
    status          TEXT NOT NULL DEFAULT 'confirmed' CHECK (status IN ('confirmed', 'cancelled')),
    booked_on       TEXT NOT NULL,
    CHECK (return_date >= departure_date)
) STRICT;
CREATE INDEX bookings_by_employee ON bookings (employee, departure_date);
-- A repeated order is booked once, also by concurrent processes.
CREATE UNIQUE INDEX bookings_once ON bookings
    (employee, departure_date, return_date, outbound_flight, return_flight, ifnull(hotel, ''), ifnull(car, ''))
    WHERE status = 'confirmed';
CREATE INDEX bookings_by_outbound ON bookings (outbound_flight, departure_date) WHERE status = 'confirmed';
CREATE INDEX bookings_by_return ON bookings (return_flight, return_date) WHERE status = 'confirmed';
CREATE INDEX bookings_by_hotel ON bookings (hotel, departure_date) WHERE status = 'confirmed';
CREATE INDEX bookings_by_car ON bookings (car, departure_date) WHERE status = 'confirmed';
