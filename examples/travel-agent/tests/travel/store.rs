//! The store: bookings are persistent, idempotent, within policy, and take seats and rooms.

use std::{path::PathBuf, thread};

use jiff::civil::{Date, date};
use travel_agent::{
    error::TravelError,
    store::Store,
    trip::{CarCategory, Dates, Purpose, Traveller, TripOrder},
};

/// A Sunday.
const TODAY: Date = date(2026, 11, 22);
const MONDAY: Date = date(2026, 11, 23);
const WEDNESDAY: Date = date(2026, 11, 25);

/// A database file for one test, deleted when the test ends.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("store-{name}-{}", std::process::id()));
        Self(path.join("nested").join("travel.sqlite3"))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if let Some(root) = self.0.parent().and_then(|nested| nested.parent()) {
            let _ = std::fs::remove_dir_all(root);
        }
    }
}

fn order() -> TripOrder {
    TripOrder {
        destination: "New York".to_owned(),
        departure_date: MONDAY,
        return_date: WEDNESDAY,
        purpose: Purpose::Business,
        outbound_flight: "CD252".to_owned(),
        return_flight: "CD227".to_owned(),
        hotel: Some("NYC-H1".to_owned()),
        car: None,
    }
}

fn seats(store: &Store, traveller: &Traveller, number: &str) -> u32 {
    let city = store.city("New York").unwrap();
    let offers = store.flights(&traveller.home, &city, MONDAY).unwrap();
    offers.iter().find(|offer| offer.number == number).map_or(0, |offer| offer.seats_left)
}

fn rooms(store: &Store, first: Date, last: Date) -> u32 {
    let city = store.city("NYC").unwrap();
    let (_, offers) = store.hotels(&city, Dates::new(first, last).unwrap()).unwrap();
    offers.iter().find(|offer| offer.id == "NYC-H1").map_or(0, |offer| offer.rooms_left)
}

#[test]
fn persists_a_booking() {
    let file = File::new("tomorrow");
    let code = {
        let store = Store::open(&file.0).unwrap();
        let ana = store.traveller("ana").unwrap();
        store.book(&ana, &order(), TODAY).unwrap().booking.confirmation_code
    };
    let store = Store::open(&file.0).unwrap();
    let ana = store.traveller("Ana").unwrap();
    let bookings = store.bookings(&ana, false).unwrap();
    assert_eq!(bookings.len(), 1);
    let booking = &bookings[0];
    assert_eq!(booking.confirmation_code, code);
    assert_eq!(booking.destination, "New York, NY");
    assert_eq!((booking.outbound.date, booking.return_.date), (MONDAY, WEDNESDAY));
    assert_eq!(booking.hotel.as_ref().map(|hotel| hotel.nights), Some(2));
    assert_eq!(booking.total_usd, 287 + 287 + 2 * 241);
    assert_eq!(booking.booked_on, TODAY);
}

#[test]
fn books_a_repeated_order_once() {
    let store = Store::in_memory().unwrap();
    let ana = store.traveller("ana").unwrap();
    let first = store.book(&ana, &order(), TODAY).unwrap();
    let again = store.book(&ana, &order(), TODAY).unwrap();
    assert!(!first.already_booked);
    assert!(again.already_booked);
    assert_eq!(first.booking, again.booking);
    assert_eq!(store.bookings(&ana, true).unwrap().len(), 1);
    assert_eq!(seats(&store, &ana, "CD252"), 3);
}

#[test]
fn books_a_repeated_order_of_concurrent_processes_once() {
    let file = File::new("race");
    let path = &file.0;
    let codes: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(move || {
                    // Each opens the file, and the first creates it.
                    let store = Store::open(path).unwrap();
                    let ana = store.traveller("ana").unwrap();
                    store.book(&ana, &order(), TODAY).unwrap().booking.confirmation_code
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert!(codes.iter().all(|code| *code == codes[0]), "{codes:?}");
}

#[test]
fn takes_seats_and_rooms_until_a_booking_is_cancelled() {
    let store = Store::in_memory().unwrap();
    let ana = store.traveller("ana").unwrap();
    assert_eq!((seats(&store, &ana, "CD252"), rooms(&store, MONDAY, WEDNESDAY)), (4, 4));
    let booking = store.book(&ana, &order(), TODAY).unwrap().booking;
    assert_eq!((seats(&store, &ana, "CD252"), rooms(&store, MONDAY, WEDNESDAY)), (3, 3));
    // The room is free again on the night after.
    assert_eq!(rooms(&store, WEDNESDAY, date(2026, 11, 26)), 4);
    assert_eq!(rooms(&store, date(2026, 11, 24), date(2026, 11, 27)), 3);

    let cancelled = store.cancel(&ana, &booking.confirmation_code.to_lowercase(), TODAY).unwrap();
    assert!(!cancelled.already_cancelled);
    assert_eq!((seats(&store, &ana, "CD252"), rooms(&store, MONDAY, WEDNESDAY)), (4, 4));
    assert!(store.cancel(&ana, &booking.confirmation_code, TODAY).unwrap().already_cancelled);
    assert!(store.bookings(&ana, false).unwrap().is_empty());
    assert_eq!(store.bookings(&ana, true).unwrap()[0].status, "cancelled");
    // A cancelled trip can be booked again.
    assert!(!store.book(&ana, &order(), TODAY).unwrap().already_booked);
}

#[test]
fn sells_the_last_seat_once_and_changes_nothing_on_errors() {
    let store = Store::in_memory().unwrap();
    let with_car = |car: &str| TripOrder { car: Some(car.to_owned()), ..order() };
    // New York has three SUVs; the flight has four seats.
    for user in ["ana", "marcus", "priya"] {
        let traveller = store.traveller(user).unwrap();
        store.book(&traveller, &with_car("NYC-C3"), TODAY).unwrap();
    }
    let jonas = store.traveller("jonas").unwrap();
    let refused = store.book(&jonas, &with_car("NYC-C3"), TODAY).unwrap_err();
    assert!(matches!(&refused, TravelError::SoldOut { what, .. } if what == "Ford Explorer"), "{refused}");
    assert!(store.bookings(&jonas, true).unwrap().is_empty());
    let ana = store.traveller("ana").unwrap();
    assert_eq!(seats(&store, &ana, "CD252"), 1);

    store.book(&jonas, &order(), TODAY).unwrap();
    assert_eq!(seats(&store, &ana, "CD252"), 0);
    let refused = store.book(&store.traveller("mei").unwrap(), &order(), TODAY).unwrap_err();
    assert_eq!(refused.to_string(), "flight CD252 is sold out on 2026-11-23: search again and choose another");
}

#[test]
fn rejects_overlapping_trips() {
    let store = Store::in_memory().unwrap();
    let ana = store.traveller("ana").unwrap();
    let first = store.book(&ana, &order(), TODAY).unwrap().booking;
    let other_hotel = TripOrder { hotel: Some("NYC-H2".to_owned()), ..order() };
    match store.book(&ana, &other_hotel, TODAY).unwrap_err() {
        TravelError::Overlapping { code, .. } => assert_eq!(code, first.confirmation_code),
        other => panic!("{other}"),
    }
}

#[test]
fn checks_the_policy_when_booking() {
    let store = Store::in_memory().unwrap();
    let ana = store.traveller("ana").unwrap();
    let rules = |order: TripOrder| match store.book(&ana, &order, TODAY).unwrap_err() {
        TravelError::NotCompliant { violations } => {
            violations.into_iter().map(|violation| violation.rule).collect::<Vec<_>>()
        }
        other => panic!("{other}"),
    };
    assert_eq!(rules(TripOrder { purpose: Purpose::Personal, ..order() }), ["business_only"]);
    let above_a_limit = TripOrder { hotel: Some("NYC-H3".to_owned()), ..order() };
    let verdict = store.check(&above_a_limit.draft(), TODAY).unwrap();
    assert!(!verdict.compliant && verdict.needs_approval, "{verdict:?}");
    assert_eq!(rules(TripOrder { purpose: Purpose::Personal, ..above_a_limit }), ["business_only", "hotel_cap"]);
    assert_eq!(rules(TripOrder { car: Some("NYC-C4".to_owned()), ..order() }), ["no_luxury_cars", "car_daily_cap"]);
    assert_eq!(rules(TripOrder { return_date: date(2026, 12, 2), ..order() }), ["trip_days"]);
    assert_eq!(
        rules(TripOrder { departure_date: date(2026, 11, 20), return_date: MONDAY, ..order() }),
        ["notice_days"]
    );
    assert!(store.bookings(&ana, true).unwrap().is_empty());
    // Five days are allowed, the sixth is not.
    store.book(&ana, &TripOrder { return_date: date(2026, 11, 27), ..order() }, TODAY).unwrap();
}

#[test]
fn rejects_inconsistent_orders() {
    let store = Store::in_memory().unwrap();
    let ana = store.traveller("ana").unwrap();
    let refusal = |order: TripOrder| store.book(&ana, &order, TODAY).unwrap_err().to_string();
    for (order, part) in [
        (TripOrder { return_date: TODAY, ..order() }, "is before the departure"),
        (TripOrder { outbound_flight: "CD227".to_owned(), ..order() }, "goes to SEA, not to New York, NY"),
        (TripOrder { return_flight: "CD252".to_owned(), ..order() }, "is not the way back"),
        (TripOrder { hotel: Some("BOS-H1".to_owned()), ..order() }, "is in BOS, not in New York, NY"),
        (TripOrder { car: Some("BOS-C1".to_owned()), ..order() }, "is in BOS, not in New York, NY"),
        (TripOrder { hotel: Some("NYC-H9".to_owned()), ..order() }, "no hotel `NYC-H9`"),
        (TripOrder { outbound_flight: "XX1".to_owned(), ..order() }, "no flight `XX1`"),
        (
            TripOrder { departure_date: date(2026, 11, 28), return_date: date(2026, 11, 30), ..order() },
            "does not fly on 2026-11-28",
        ),
        (TripOrder { return_date: MONDAY, ..order() }, "flight CD227 leaves at 11:40, before CD252 arrives at 20:25"),
        (
            TripOrder { destination: "Gotham".to_owned(), ..order() },
            "no city called `Gotham`: we fly to Atlanta, Austin",
        ),
    ] {
        let error = refusal(order);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn books_a_day_trip_without_a_hotel() {
    let store = Store::in_memory().unwrap();
    let ana = store.traveller("ana").unwrap();
    let flights = |from: &str, to: &str| {
        let (from, to) = (store.city(from).unwrap(), store.city(to).unwrap());
        store.flights(&from, &to, MONDAY).unwrap()
    };
    let out = flights("Boston", "New York").into_iter().find(|flight| flight.departs == "07:15").unwrap();
    let back = flights("New York", "Boston").into_iter().find(|flight| flight.departs == "14:30").unwrap();
    let day_trip =
        TripOrder { return_date: MONDAY, outbound_flight: out.number, return_flight: back.number, ..order() };
    let refused = store.book(&ana, &day_trip, TODAY).unwrap_err().to_string();
    assert!(refused.contains("a day trip needs no hotel"), "{refused}");
    let booking = store.book(&ana, &TripOrder { hotel: None, ..day_trip }, TODAY).unwrap().booking;
    assert_eq!(booking.hotel, None);
}

#[test]
fn hides_bookings_of_other_travellers() {
    let store = Store::in_memory().unwrap();
    let ana = store.traveller("ana").unwrap();
    let marcus = store.traveller("marcus").unwrap();
    let code = store.book(&ana, &order(), TODAY).unwrap().booking.confirmation_code;
    assert!(store.bookings(&marcus, true).unwrap().is_empty());
    let foreign = store.cancel(&marcus, &code, TODAY).unwrap_err().to_string();
    let missing = store.cancel(&marcus, "AC000000", TODAY).unwrap_err().to_string();
    assert_eq!(foreign.replace(&code, "AC000000"), missing);
    assert_eq!(store.bookings(&ana, false).unwrap().len(), 1);
}

#[test]
fn rejects_cancelling_a_trip_that_has_started() {
    let store = Store::in_memory().unwrap();
    let ana = store.traveller("ana").unwrap();
    let code = store.book(&ana, &order(), TODAY).unwrap().booking.confirmation_code;
    assert!(matches!(store.cancel(&ana, &code, MONDAY), Err(TravelError::TooLate { .. })));
    assert_eq!(store.bookings(&ana, false).unwrap().len(), 1);
}

#[test]
fn finds_cities_by_common_names() {
    let store = Store::in_memory().unwrap();
    for (place, code) in [
        ("New York", "NYC"),
        ("nyc", "NYC"),
        (" JFK ", "NYC"),
        ("Austin, TX", "AUS"),
        ("washington dc", "WAS"),
        ("Vegas", "LAS"),
        ("Boston, Massachusetts", "BOS"),
    ] {
        assert_eq!(store.city(place).unwrap().code, code, "{place}");
    }
    for (place, country) in [
        ("Paris", "France"),
        ("paris, france", "France"),
        ("Toronto, Canada", "Canada"),
        ("Boston, England", "United Kingdom"),
    ] {
        let refused = store.city(place).unwrap_err();
        assert!(matches!(&refused, TravelError::OutsideUsa { country: found, .. } if found == country), "{refused}");
    }
    assert!(matches!(store.city(""), Err(TravelError::UnknownCity { .. })));
}

#[test]
fn offers_trips_within_policy_between_all_cities() {
    let store = Store::in_memory().unwrap();
    let codes = ["NYC", "BOS", "SFO", "WAS", "MIA", "CHI", "LAX", "SEA", "AUS", "DEN", "ATL", "DAL", "PHX", "LAS"];
    let cities: Vec<_> = codes.iter().map(|code| store.city(code).unwrap()).collect();
    let stay = Dates::new(MONDAY, WEDNESDAY).unwrap();
    for to in &cities {
        let (_, hotels) = store.hotels(to, stay).unwrap();
        assert_eq!(hotels.iter().filter(|hotel| hotel.within_policy).count(), 2, "{to}");
        for category in [CarCategory::Compact, CarCategory::Sedan, CarCategory::Suv, CarCategory::Luxury] {
            let cars = store.cars(to, stay, Some(category)).unwrap();
            assert_eq!(cars.len(), 1, "{to}");
            assert_eq!(cars[0].within_policy, category != CarCategory::Luxury, "{to}");
        }
        for from in cities.iter().filter(|from| from.code != to.code) {
            let flights = store.flights(from, to, MONDAY).unwrap();
            assert_eq!(flights.len(), 3, "{from} to {to}");
            assert!(flights.is_sorted_by_key(|flight| flight.fare_usd));
            assert!(flights.iter().all(|flight| flight.departs < flight.arrives && flight.fare_usd * 2 <= 900));
            assert_eq!(store.flights(from, to, date(2026, 11, 28)).unwrap().len(), 2, "no midday flight on Saturdays");
        }
    }
    assert!(matches!(store.flights(&cities[0], &cities[0], MONDAY), Err(TravelError::SameCity { .. })));
}

#[test]
fn formats_the_policy_with_its_amounts() {
    let policies = Store::in_memory().unwrap().policies().unwrap();
    let rules: Vec<&str> = policies.rules.iter().map(|rule| rule.rule.as_str()).collect();
    assert!(
        rules.contains(&"A trip lasts at most 5 days, counting the day of departure and the day of return."),
        "{rules:?}"
    );
    assert!(rules.iter().all(|rule| !rule.contains("{}")), "{rules:?}");
    assert_eq!(policies.hotel_caps[0].nightly_usd, 340);
    assert_eq!(policies.hotel_caps[0].cities, ["Boston", "New York", "San Francisco"]);
}

#[test]
fn rejects_files_that_are_not_a_travel_database() {
    let file = File::new("foreign");
    drop(Store::open(&file.0).unwrap());
    {
        let newer = rusqlite::Connection::open(&file.0).unwrap();
        newer.pragma_update(None, "user_version", 7).unwrap();
    }
    let refused = Store::open(&file.0).unwrap_err().to_string();
    assert!(refused.contains("schema version 7") && refused.contains("--db"), "{refused}");
    std::fs::write(
        &file.0,
        "this is text, and long enough to be taken for the header of something else than a database ...",
    )
    .unwrap();
    let refused = Store::open(&file.0).unwrap_err().to_string();
    assert!(refused.contains("not a database") && refused.contains("--db"), "{refused}");
}

/// Returns the audit records of a file: action, user name, booking.
fn audit(file: &File) -> Vec<(String, String, String)> {
    let database = rusqlite::Connection::open(&file.0).unwrap();
    let mut query = database.prepare("SELECT action, username, booking FROM audit ORDER BY id").unwrap();
    let records = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    records.collect::<Result<_, _>>().unwrap()
}

#[test]
fn each_change_has_one_audit_record() {
    let file = File::new("audit");
    let store = Store::open(&file.0).unwrap();
    let (alice, bob) = (store.traveller("alice").unwrap(), store.traveller("bob").unwrap());
    let code = store.book(&alice, &order(), TODAY).unwrap().booking.confirmation_code;
    store.book(&alice, &order(), TODAY).unwrap();
    store.book(&alice, &TripOrder { hotel: Some("NYC-H2".to_owned()), ..order() }, TODAY).unwrap_err();
    store.cancel(&bob, &code, TODAY).unwrap_err();
    let record = |action: &str, user: &str, code: &str| (action.to_owned(), user.to_owned(), code.to_owned());
    assert_eq!(audit(&file), [record("booked", "alice", &code)]);
    store.cancel(&alice, &code, TODAY).unwrap();
    store.cancel(&alice, &code, TODAY).unwrap();
    let above_the_limit = TripOrder { hotel: Some("NYC-H3".to_owned()), ..order() };
    let second = store.book(&bob, &above_the_limit, TODAY).unwrap().booking.confirmation_code;
    assert_eq!(
        audit(&file),
        [record("booked", "alice", &code), record("cancelled", "alice", &code), record("booked", "bob", &second)]
    );
    let database = rusqlite::Connection::open(&file.0).unwrap();
    let above = |code: &str| -> bool {
        database.query_row("SELECT above_cost_limit FROM bookings WHERE code = ?1", [code], |row| row.get(0)).unwrap()
    };
    assert!(!above(&code) && above(&second));
    // A record can't be written twice, by whatever program.
    database
        .execute("INSERT INTO audit (username, action, booking) VALUES ('mallory', 'booked', ?1)", [&code])
        .unwrap_err();
}

#[test]
fn updates_files_of_earlier_versions() {
    let file = File::new("update");
    std::fs::create_dir_all(file.0.parent().unwrap()).unwrap();
    let old = rusqlite::Connection::open(&file.0).unwrap();
    old.execute_batch(include_str!("../../src/store/schema.sql")).unwrap();
    old.execute_batch(include_str!("../../src/store/seed.sql")).unwrap();
    old.execute_batch(
        "INSERT INTO bookings (code, employee, destination, departure_date, return_date, purpose, outbound_flight, return_flight,
                               total_usd, status, booked_on)
         VALUES ('AC234567', 'E1007', 'NYC', '2026-11-23', '2026-11-25', 'business', 'CD252', 'CD227', 574, 'cancelled',
                 '2026-11-20');
         DELETE FROM employees WHERE username = 'olivia';",
    )
    .unwrap();
    old.pragma_update(None, "user_version", 2).unwrap();
    let store = Store::open(&file.0).unwrap();
    assert_eq!(store.traveller("bob").unwrap().name, "Bob Martin");
    assert!(store.traveller("olivia").is_err(), "an update does not repeat the seed");
    assert!((store.city("Boston").unwrap().latitude - 42.36).abs() < f64::EPSILON);
    let actions: Vec<_> = audit(&file).into_iter().map(|(action, ..)| action).collect();
    assert_eq!(actions, ["booked", "cancelled"]);
    let version: i64 = old.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 3);
}

#[test]
fn keeps_the_names_of_others_from_an_unknown_user() {
    let refused = Store::in_memory().unwrap().traveller("mallory").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`mallory` is not an employee: use one of the users in the README of the travel agent, such as `ana`"
    );
}
