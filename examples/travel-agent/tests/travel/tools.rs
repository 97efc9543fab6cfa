//! Tools called as functions, without an agent, a model or a runtime.

use jiff::civil::date;
use travel_agent::{
    clock::Clock,
    store::Store,
    tools::{
        book_trip, cancel_booking, check_policy, get_cars, get_hotels, get_travel_policies, my_bookings,
        search_flights, todays_date,
    },
    trip::{CarCategory, Purpose, Traveller, TripDraft, TripOrder},
};

const CLOCK: Clock = Clock::Fixed(date(2026, 11, 22));

fn desk() -> (Store, Traveller) {
    let store = Store::in_memory().unwrap();
    let ana = store.traveller("ana").unwrap();
    (store, ana)
}

fn order() -> TripOrder {
    TripOrder {
        destination: "New York".to_owned(),
        departure_date: date(2026, 11, 23),
        return_date: date(2026, 11, 25),
        purpose: Purpose::Business,
        outbound_flight: "CD252".to_owned(),
        return_flight: "CD227".to_owned(),
        hotel: Some("NYC-H1".to_owned()),
        car: Some("NYC-C1".to_owned()),
    }
}

#[test]
fn todays_date_returns_the_weekday() {
    let today = todays_date(&CLOCK);
    assert_eq!((today.date, today.weekday.as_str()), (date(2026, 11, 22), "Sunday"));
}

#[test]
fn get_travel_policies_returns_rules_and_caps() {
    let (store, _) = desk();
    let policies = get_travel_policies(&store).unwrap();
    assert!(policies.rules.iter().any(|rule| rule.code == "usa_only"));
    assert_eq!(policies.hotel_caps.len(), 3);
}

#[test]
fn search_flights_uses_the_home_city_by_default() {
    let (store, ana) = desk();
    let day = date(2026, 11, 23);
    let search = |from: Option<&str>, to: Option<&str>| {
        search_flights(day, from.map(str::to_owned), to.map(str::to_owned), &ana, &store)
    };
    let there = search(None, Some("NYC")).unwrap();
    assert_eq!((there.origin.as_str(), there.destination.as_str()), ("Seattle, WA", "New York, NY"));
    assert_eq!(there.flights.first().map(|flight| flight.number.as_str()), Some("CD252"));
    assert_eq!(search(Some("NYC"), None).unwrap().destination, "Seattle, WA");
    assert_eq!(search(Some("Austin"), Some("Denver")).unwrap().flights.len(), 3);
    assert!(search(None, None).unwrap_err().to_string().contains("both Seattle"));
    assert!(search(None, Some("Paris")).unwrap_err().to_string().contains("Paris is in France"));
}

#[test]
fn get_hotels_marks_hotels_within_policy() {
    let (store, _) = desk();
    let found = get_hotels("Boston", date(2026, 11, 23), 2, &store).unwrap();
    assert_eq!(found.nightly_cap_usd, 340);
    assert_eq!(found.hotels.len(), 3);
    for hotel in &found.hotels {
        assert_eq!(hotel.total_usd, hotel.nightly_usd * 2);
        assert_eq!(hotel.within_policy, hotel.nightly_usd <= 340);
    }
}

#[test]
fn get_cars_filters_by_category() {
    let (store, _) = desk();
    let cars = |category| get_cars("Boston", date(2026, 11, 23), 3, category, &store).unwrap().cars;
    assert_eq!(cars(None).len(), 4);
    let luxury = cars(Some(CarCategory::Luxury));
    assert_eq!(luxury.len(), 1);
    assert!(!luxury[0].within_policy);
    assert_eq!(luxury[0].total_usd, luxury[0].daily_usd * 3);
}

#[test]
fn check_policy_returns_violations_of_drafts() {
    let (store, _) = desk();
    let draft = TripDraft {
        destination: "Boston".to_owned(),
        departure_date: date(2026, 11, 23),
        return_date: date(2026, 11, 25),
        purpose: Purpose::Conference,
        outbound_flight: None,
        return_flight: None,
        hotel: None,
        car: None,
        car_category: None,
    };
    assert!(check_policy(draft.clone(), &store, &CLOCK).unwrap().compliant);
    let broken = |draft: TripDraft| {
        let verdict = check_policy(draft, &store, &CLOCK).unwrap();
        assert!(!verdict.compliant);
        verdict.violations.into_iter().map(|violation| violation.rule).collect::<Vec<_>>()
    };
    assert_eq!(broken(TripDraft { destination: "Paris".to_owned(), ..draft.clone() }), ["usa_only"]);
    assert_eq!(broken(TripDraft { car_category: Some(CarCategory::Luxury), ..draft.clone() }), ["no_luxury_cars"]);
    assert_eq!(
        broken(TripDraft { purpose: Purpose::Personal, return_date: date(2026, 12, 2), ..draft.clone() }),
        ["business_only", "trip_days"]
    );
    assert_eq!(broken(TripDraft { departure_date: date(2026, 11, 22), ..draft.clone() }), ["notice_days"]);
    let far = TripDraft { departure_date: date(2027, 11, 22), return_date: date(2027, 11, 23), ..draft.clone() };
    assert_eq!(broken(far), ["horizon_days"]);
    let unknown = TripDraft { destination: "Gotham".to_owned(), ..draft };
    assert!(check_policy(unknown, &store, &CLOCK).is_err());
}

#[test]
fn books_lists_and_cancels_a_trip() {
    let (store, ana) = desk();
    let booked = book_trip(order(), &ana, &store, &CLOCK).unwrap();
    assert!(!booked.already_booked);
    assert_eq!(booked.booking.traveller, "Ana Silva");
    assert_eq!(booked.booking.car.as_ref().map(|car| car.days), Some(3));
    assert_eq!(my_bookings(false, &ana, &store).unwrap(), std::slice::from_ref(&booked.booking));

    let code = booked.booking.confirmation_code;
    let cancelled = cancel_booking(&code, &ana, &store, &CLOCK).unwrap();
    assert_eq!(cancelled.booking.status, "cancelled");
    assert!(my_bookings(false, &ana, &store).unwrap().is_empty());
    assert_eq!(my_bookings(true, &ana, &store).unwrap().len(), 1);
}
