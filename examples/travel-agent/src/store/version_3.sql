-- From version 2: coordinates of the cities for forecasts, employees, and the audit of bookings.
ALTER TABLE cities ADD COLUMN latitude REAL NOT NULL DEFAULT 0;
ALTER TABLE cities ADD COLUMN longitude REAL NOT NULL DEFAULT 0;
WITH places (city, latitude, longitude) AS (VALUES
    ('NYC', 40.71, -74.01), ('BOS', 42.36, -71.06), ('SFO', 37.77, -122.42), ('WAS', 38.91, -77.04),
    ('MIA', 25.76, -80.19), ('CHI', 41.88, -87.63), ('LAX', 34.05, -118.24), ('SEA', 47.61, -122.33),
    ('AUS', 30.27, -97.74), ('DEN', 39.74, -104.99), ('ATL', 33.75, -84.39), ('DAL', 32.78, -96.80),
    ('PHX', 33.45, -112.07), ('LAS', 36.17, -115.14))
UPDATE cities SET latitude = places.latitude, longitude = places.longitude FROM places WHERE city = code;

INSERT INTO employees (id, username, name, email, department, home_city) VALUES
    ('E1008', 'bob', 'Bob Martin', 'bob.martin@acmecorp.example', 'Marketing', 'DEN'),
    ('E1009', 'carol', 'Carol Diaz', 'carol.diaz@acmecorp.example', 'Audit', 'CHI');

ALTER TABLE bookings ADD COLUMN above_cost_limit INTEGER NOT NULL DEFAULT 0;   -- 1: it needed a manager's approval

-- One record for each change of a booking. Triggers write it in the transaction of the change, whoever makes it.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY,
    recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    username    TEXT NOT NULL,
    action      TEXT NOT NULL CHECK (action IN ('booked', 'cancelled')),
    booking     TEXT NOT NULL REFERENCES bookings (code),
    UNIQUE (booking, action)
) STRICT;
INSERT INTO audit (username, action, booking)
    SELECT username, 'booked', code FROM bookings b JOIN employees e ON e.id = b.employee
    UNION ALL
    SELECT username, 'cancelled', code FROM bookings b JOIN employees e ON e.id = b.employee WHERE status = 'cancelled';
CREATE TRIGGER audit_booked AFTER INSERT ON bookings BEGIN
    INSERT INTO audit (username, action, booking)
    SELECT username, 'booked', new.code FROM employees WHERE id = new.employee;
END;
CREATE TRIGGER audit_cancelled AFTER UPDATE OF status ON bookings WHEN new.status = 'cancelled' BEGIN
    INSERT INTO audit (username, action, booking)
    SELECT username, 'cancelled', new.code FROM employees WHERE id = new.employee;
END;
