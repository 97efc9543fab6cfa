-- Seed data: fictional airlines, hotels and people in real cities, without bookings.

INSERT INTO hotel_caps (tier, nightly_usd) VALUES (1, 340), (2, 260), (3, 210);

INSERT INTO policies (rank, code, amount, rule) VALUES
    (1, 'usa_only', NULL, 'Travel within the United States only.'),
    (2, 'business_only', NULL, 'Business travel only: no personal trips.'),
    (3, 'trip_days', 5, 'A trip lasts at most {} days, counting the day of departure and the day of return.'),
    (4, 'notice_days', 1, 'Book at least {} day ahead: no departures on the day of booking.'),
    (5, 'horizon_days', 330, 'Book at most {} days ahead.'),
    (6, 'fare_cap', 900, 'Round-trip air fare up to ${}, economy class.'),
    (7, 'hotel_cap', NULL, 'Hotels up to the nightly cap of the city.'),
    (8, 'no_luxury_cars', NULL, 'No luxury cars.'),
    (9, 'car_daily_cap', 95, 'Rental cars up to ${} a day.');

INSERT INTO cities (code, name, state, airport, tier, utc_offset) VALUES
    ('NYC', 'New York', 'NY', 'JFK', 1, -5),
    ('BOS', 'Boston', 'MA', 'BOS', 1, -5),
    ('SFO', 'San Francisco', 'CA', 'SFO', 1, -8),
    ('WAS', 'Washington', 'DC', 'DCA', 2, -5),
    ('MIA', 'Miami', 'FL', 'MIA', 2, -5),
    ('CHI', 'Chicago', 'IL', 'ORD', 2, -6),
    ('LAX', 'Los Angeles', 'CA', 'LAX', 2, -8),
    ('SEA', 'Seattle', 'WA', 'SEA', 2, -8),
    ('AUS', 'Austin', 'TX', 'AUS', 2, -6),
    ('DEN', 'Denver', 'CO', 'DEN', 2, -7),
    ('ATL', 'Atlanta', 'GA', 'ATL', 3, -5),
    ('DAL', 'Dallas', 'TX', 'DFW', 3, -6),
    ('PHX', 'Phoenix', 'AZ', 'PHX', 3, -7),
    ('LAS', 'Las Vegas', 'NV', 'LAS', 3, -8);

INSERT INTO city_aliases (alias, city) VALUES
    ('new york city', 'NYC'), ('ny', 'NYC'), ('the big apple', 'NYC'), ('manhattan', 'NYC'), ('lga', 'NYC'), ('ewr', 'NYC'),
    ('washington dc', 'WAS'), ('washington d.c.', 'WAS'), ('dc', 'WAS'), ('d.c.', 'WAS'), ('iad', 'WAS'),
    ('sf', 'SFO'), ('san fran', 'SFO'), ('bay area', 'SFO'),
    ('la', 'LAX'), ('l.a.', 'LAX'),
    ('vegas', 'LAS'),
    ('mdw', 'CHI'),
    ('fort worth', 'DAL');

INSERT INTO foreign_places (name, country) VALUES
    ('toronto', 'Canada'), ('montreal', 'Canada'), ('vancouver', 'Canada'), ('ottawa', 'Canada'), ('calgary', 'Canada'),
    ('cancun', 'Mexico'), ('mexico city', 'Mexico'), ('guadalajara', 'Mexico'), ('monterrey', 'Mexico'),
    ('paris', 'France'), ('lyon', 'France'),
    ('london', 'United Kingdom'), ('edinburgh', 'United Kingdom'),
    ('berlin', 'Germany'), ('munich', 'Germany'), ('frankfurt', 'Germany'), ('hamburg', 'Germany'),
    ('madrid', 'Spain'), ('barcelona', 'Spain'),
    ('lisbon', 'Portugal'), ('porto', 'Portugal'),
    ('rome', 'Italy'), ('milan', 'Italy'), ('venice', 'Italy'),
    ('amsterdam', 'Netherlands'),
    ('brussels', 'Belgium'),
    ('zurich', 'Switzerland'), ('geneva', 'Switzerland'),
    ('vienna', 'Austria'),
    ('dublin', 'Ireland'),
    ('copenhagen', 'Denmark'),
    ('stockholm', 'Sweden'),
    ('oslo', 'Norway'),
    ('tokyo', 'Japan'), ('osaka', 'Japan'),
    ('beijing', 'China'), ('shanghai', 'China'), ('hong kong', 'China'),
    ('seoul', 'South Korea'),
    ('singapore', 'Singapore'),
    ('bangalore', 'India'), ('mumbai', 'India'), ('new delhi', 'India'),
    ('dubai', 'United Arab Emirates'),
    ('tel aviv', 'Israel'),
    ('sydney', 'Australia'), ('melbourne', 'Australia'),
    ('sao paulo', 'Brazil'), ('rio de janeiro', 'Brazil'),
    ('buenos aires', 'Argentina'),
    ('santiago', 'Chile'),
    ('canada', 'Canada'), ('mexico', 'Mexico'), ('france', 'France'), ('england', 'United Kingdom'), ('germany', 'Germany'),
    ('spain', 'Spain'), ('portugal', 'Portugal'), ('italy', 'Italy'), ('japan', 'Japan'), ('china', 'China'),
    ('india', 'India'), ('australia', 'Australia'), ('brazil', 'Brazil');

INSERT INTO employees (id, username, name, email, department, home_city) VALUES
    ('E1001', 'ana', 'Ana Silva', 'ana.silva@acmecorp.example', 'Sales', 'SEA'),
    ('E1002', 'marcus', 'Marcus Webb', 'marcus.webb@acmecorp.example', 'Engineering', 'SFO'),
    ('E1003', 'priya', 'Priya Raman', 'priya.raman@acmecorp.example', 'Finance', 'CHI'),
    ('E1004', 'jonas', 'Jonas Keller', 'jonas.keller@acmecorp.example', 'Support', 'AUS'),
    ('E1005', 'mei', 'Mei Lin', 'mei.lin@acmecorp.example', 'Research', 'BOS'),
    ('E1006', 'olivia', 'Olivia Grant', 'olivia.grant@acmecorp.example', 'Legal', 'NYC'),
    ('E1007', 'alice', 'Alice Novak', 'alice.novak@acmecorp.example', 'Marketing', 'DEN');

INSERT INTO hotels (id, name, city, area, stars, nightly_usd, rooms) VALUES
    ('NYC-H1', 'Herald Court', 'NYC', 'Midtown South', 3, 241, 4),
    ('NYC-H2', 'The Ferryman', 'NYC', 'Financial District', 4, 309, 6),
    ('NYC-H3', 'Park Row Grand', 'NYC', 'Central Park South', 5, 451, 3),
    ('BOS-H1', 'Fenway Lodge', 'BOS', 'Fenway', 3, 234, 4),
    ('BOS-H2', 'Harbor House', 'BOS', 'Seaport', 4, 321, 6),
    ('BOS-H3', 'The Beacon Hill', 'BOS', 'Beacon Hill', 5, 442, 3),
    ('SFO-H1', 'Mission Bay Inn', 'SFO', 'Mission Bay', 3, 246, 4),
    ('SFO-H2', 'The Telegraph', 'SFO', 'Financial District', 4, 312, 6),
    ('SFO-H3', 'Nob Hill Palace', 'SFO', 'Nob Hill', 5, 448, 3),
    ('WAS-H1', 'Dupont Rooms', 'WAS', 'Dupont Circle', 3, 182, 4),
    ('WAS-H2', 'Capitol Yards', 'WAS', 'Navy Yard', 4, 245, 6),
    ('WAS-H3', 'The Potomac Grand', 'WAS', 'Georgetown', 5, 336, 3),
    ('MIA-H1', 'Brickell Central', 'MIA', 'Brickell', 3, 188, 4),
    ('MIA-H2', 'Biscayne House', 'MIA', 'Downtown', 4, 237, 6),
    ('MIA-H3', 'The Collins', 'MIA', 'South Beach', 5, 341, 3),
    ('CHI-H1', 'Loop Station', 'CHI', 'The Loop', 3, 180, 4),
    ('CHI-H2', 'Riverwalk House', 'CHI', 'River North', 4, 242, 6),
    ('CHI-H3', 'The Lakefront Grand', 'CHI', 'Gold Coast', 5, 342, 3),
    ('LAX-H1', 'Culver Yard', 'LAX', 'Culver City', 3, 185, 4),
    ('LAX-H2', 'Figueroa House', 'LAX', 'Downtown', 4, 243, 6),
    ('LAX-H3', 'The Wilshire Crest', 'LAX', 'Beverly Hills', 5, 335, 3),
    ('SEA-H1', 'Union Lake Inn', 'SEA', 'South Lake Union', 3, 186, 4),
    ('SEA-H2', 'Pike House', 'SEA', 'Downtown', 4, 236, 6),
    ('SEA-H3', 'The Elliott Bay', 'SEA', 'Waterfront', 5, 347, 3),
    ('AUS-H1', 'East Sixth Rooms', 'AUS', 'East Austin', 3, 179, 4),
    ('AUS-H2', 'Congress House', 'AUS', 'Downtown', 4, 248, 6),
    ('AUS-H3', 'The Lady Bird', 'AUS', 'Rainey Street', 5, 338, 3),
    ('DEN-H1', 'Platte Yard', 'DEN', 'RiNo', 3, 191, 4),
    ('DEN-H2', 'Larimer House', 'DEN', 'Downtown', 4, 239, 6),
    ('DEN-H3', 'The Front Range', 'DEN', 'Cherry Creek', 5, 344, 3),
    ('ATL-H1', 'Beltline Inn', 'ATL', 'Old Fourth Ward', 3, 147, 4),
    ('ATL-H2', 'Peachtree House', 'ATL', 'Midtown', 4, 199, 6),
    ('ATL-H3', 'The Magnolia Grand', 'ATL', 'Buckhead', 5, 271, 3),
    ('DAL-H1', 'Deep Ellum Rooms', 'DAL', 'Deep Ellum', 3, 153, 4),
    ('DAL-H2', 'Trinity House', 'DAL', 'Downtown', 4, 191, 6),
    ('DAL-H3', 'The Turtle Creek', 'DAL', 'Uptown', 5, 276, 3),
    ('PHX-H1', 'Roosevelt Inn', 'PHX', 'Roosevelt Row', 3, 145, 4),
    ('PHX-H2', 'Copper House', 'PHX', 'Downtown', 4, 196, 6),
    ('PHX-H3', 'The Camelback', 'PHX', 'Biltmore', 5, 277, 3),
    ('LAS-H1', 'Fremont Yard', 'LAS', 'Downtown', 3, 150, 4),
    ('LAS-H2', 'Convention House', 'LAS', 'Convention Center', 4, 197, 6),
    ('LAS-H3', 'The Mirador Grand', 'LAS', 'The Strip', 5, 270, 3);

-- Every model is available in every city; expensive cities charge more.
WITH models (slot, model, category, daily_usd, fleet) AS (VALUES
    (1, 'Toyota Corolla', 'compact', 49, 4),
    (2, 'Honda Accord', 'sedan', 61, 4),
    (3, 'Ford Explorer', 'suv', 83, 3),
    (4, 'BMW 740i', 'luxury', 189, 2))
INSERT INTO cars (id, model, category, city, daily_usd, fleet)
SELECT code || '-C' || slot, model, category, code, daily_usd + CASE tier WHEN 1 THEN 9 WHEN 2 THEN 4 ELSE 0 END, fleet
FROM cities, models ORDER BY code, slot;

-- Nonstop routes: block time in minutes and the one-way fare. Each is flown both ways, three times a day.
CREATE TEMP TABLE routes (a TEXT, b TEXT, minutes INTEGER, fare_usd INTEGER);
INSERT INTO routes (a, b, minutes, fare_usd) VALUES
    ('NYC', 'BOS', 60, 94), ('NYC', 'SFO', 365, 294), ('NYC', 'WAS', 65, 98), ('NYC', 'MIA', 175, 168),
    ('NYC', 'CHI', 130, 143), ('NYC', 'LAX', 350, 286), ('NYC', 'SEA', 345, 287), ('NYC', 'AUS', 230, 207),
    ('NYC', 'DEN', 245, 211), ('NYC', 'ATL', 135, 143), ('NYC', 'DAL', 215, 193), ('NYC', 'PHX', 310, 262),
    ('NYC', 'LAS', 320, 266), ('BOS', 'SFO', 380, 311), ('BOS', 'WAS', 90, 111), ('BOS', 'MIA', 200, 181),
    ('BOS', 'CHI', 145, 152), ('BOS', 'LAX', 370, 296), ('BOS', 'SEA', 355, 291), ('BOS', 'AUS', 255, 220),
    ('BOS', 'DEN', 260, 229), ('BOS', 'ATL', 160, 157), ('BOS', 'DAL', 235, 214), ('BOS', 'PHX', 330, 273),
    ('BOS', 'LAS', 340, 275), ('SFO', 'WAS', 345, 283), ('SFO', 'MIA', 365, 300), ('SFO', 'CHI', 270, 233),
    ('SFO', 'LAX', 80, 110), ('SFO', 'SEA', 125, 135), ('SFO', 'AUS', 230, 201), ('SFO', 'DEN', 160, 161),
    ('SFO', 'ATL', 310, 256), ('SFO', 'DAL', 225, 204), ('SFO', 'PHX', 120, 131), ('SFO', 'LAS', 90, 116),
    ('WAS', 'MIA', 155, 157), ('WAS', 'CHI', 115, 126), ('WAS', 'LAX', 330, 276), ('WAS', 'SEA', 330, 273),
    ('WAS', 'AUS', 205, 192), ('WAS', 'DEN', 225, 202), ('WAS', 'ATL', 105, 128), ('WAS', 'DAL', 190, 179),
    ('WAS', 'PHX', 290, 241), ('WAS', 'LAS', 300, 256), ('MIA', 'CHI', 190, 183), ('MIA', 'LAX', 335, 276),
    ('MIA', 'SEA', 385, 305), ('MIA', 'AUS', 175, 172), ('MIA', 'DEN', 255, 220), ('MIA', 'ATL', 115, 130),
    ('MIA', 'DAL', 180, 171), ('MIA', 'PHX', 285, 248), ('MIA', 'LAS', 315, 261), ('CHI', 'LAX', 260, 224),
    ('CHI', 'SEA', 255, 226), ('CHI', 'AUS', 160, 160), ('CHI', 'DEN', 150, 157), ('CHI', 'ATL', 115, 129),
    ('CHI', 'DAL', 140, 142), ('CHI', 'PHX', 220, 201), ('CHI', 'LAS', 230, 203), ('LAX', 'SEA', 160, 160),
    ('LAX', 'AUS', 195, 180), ('LAX', 'DEN', 145, 153), ('LAX', 'ATL', 285, 241), ('LAX', 'DAL', 195, 185),
    ('LAX', 'PHX', 85, 108), ('LAX', 'LAS', 70, 102), ('SEA', 'AUS', 260, 232), ('SEA', 'DEN', 165, 164),
    ('SEA', 'ATL', 315, 259), ('SEA', 'DAL', 250, 219), ('SEA', 'PHX', 180, 169), ('SEA', 'LAS', 150, 153),
    ('AUS', 'DEN', 135, 141), ('AUS', 'ATL', 140, 149), ('AUS', 'DAL', 60, 93), ('AUS', 'PHX', 150, 155),
    ('AUS', 'LAS', 175, 170), ('DEN', 'ATL', 190, 180), ('DEN', 'DAL', 120, 129), ('DEN', 'PHX', 115, 131),
    ('DEN', 'LAS', 115, 129), ('ATL', 'DAL', 130, 144), ('ATL', 'PHX', 240, 212), ('ATL', 'LAS', 260, 222),
    ('DAL', 'PHX', 150, 149), ('DAL', 'LAS', 170, 170), ('PHX', 'LAS', 70, 100);

WITH legs AS (
    SELECT a AS origin, b AS destination, minutes, fare_usd FROM routes
    UNION ALL SELECT b, a, minutes, fare_usd FROM routes
), departures (slot, prefix, airline, departs, weekdays, extra_usd, seats) AS (VALUES
    (0, 'LB', 'Liberty Airways', 7 * 60 + 15, '1234567', 38, 6),
    (1, 'CD', 'Cascadia Air', 11 * 60 + 40, '12345', 0, 4),
    (2, 'PJ', 'Prairie Jet', 14 * 60 + 30, '1234567', 19, 5)
), numbered AS (
    SELECT *, 99 + row_number() OVER (ORDER BY origin, destination) AS leg FROM legs
)
INSERT INTO flights (number, airline, origin, destination, weekdays, departs, arrives, minutes, fare_usd, seats)
SELECT prefix || leg, airline, origin, destination, weekdays,
       printf('%02d:%02d', departs / 60, departs % 60),
       printf('%02d:%02d', arrival / 60 % 24, arrival % 60),
       minutes, fare_usd + extra_usd, seats
FROM (
    SELECT *, departs + minutes + 60 * (d.utc_offset - o.utc_offset) AS arrival
    FROM numbered, departures
    JOIN cities o ON o.code = origin JOIN cities d ON d.code = destination
);
DROP TABLE temp.routes;
