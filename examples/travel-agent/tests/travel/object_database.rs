//! The database as an object in S3: several processes, kills, and slow and failing servers.
//!
//! The tests run worker processes, which get credentials from their environment. With `TRAVEL_TEST_S3` (the endpoint of a server
//! without objects in the bucket `bucket`) the crowd uses that server instead of the one in this process.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{
    ToSpan as _,
    civil::{Date, date},
};
use serde_json::{Value, json};
use strands_testkit::{
    Cut, Response,
    s3::{S3Fault, S3Server},
};
use travel_agent::{
    error::TravelError,
    store::Store,
    trip::{Purpose, TripOrder},
};

const ORDERS: &str = "TRAVEL_TEST_WORKER";
const WORKER: &str = "object_database::worker";
const KEY: &str = "desk/travel.sqlite3";
/// A Sunday.
const TODAY: Date = date(2026, 11, 22);
/// Seats of the flight and rooms of the hotel.
const PLACES: usize = 6;

/// Returns the trip number `slot`: all travellers fly from Seattle to New York, with six seats and six rooms on each date.
fn order(slot: usize) -> TripOrder {
    let departure_date = date(2026, 11, 23).checked_add((3 * i32::try_from(slot).unwrap()).days()).unwrap();
    TripOrder {
        destination: "New York".to_owned(),
        departure_date,
        return_date: departure_date.checked_add(2.days()).unwrap(),
        purpose: Purpose::Business,
        outbound_flight: "LB252".to_owned(),
        return_flight: "LB227".to_owned(),
        hotel: Some("NYC-H2".to_owned()),
        car: None,
    }
}

/// Entry point of the worker processes of the tests below, not a test: it books trips, and reports each outcome.
#[tokio::test]
async fn worker() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Value = serde_json::from_str(&orders).unwrap();
    let report = |outcome: Value| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "ack {outcome}").and_then(|()| out.flush()).unwrap();
    };
    let location = orders["location"].as_str().unwrap();
    let store = match Store::at(location, orders["endpoint"].as_str()).await {
        Ok(store) => Arc::new(store),
        Err(error) => return report(failure(&error)),
    };
    for trip in orders["trips"].as_array().unwrap() {
        let (user, slot) = (trip["user"].as_str().unwrap().to_owned(), trip["slot"].as_u64().unwrap());
        let booked = Arc::clone(&store).run(move |store| {
            let order = order(usize::try_from(slot).unwrap());
            store.book(&store.traveller(&user)?, &order, TODAY)
        });
        report(match booked.await {
            Ok(done) => json!({"code": done.booking.confirmation_code, "already": done.already_booked, "trip": trip}),
            Err(error) => failure(&error),
        });
    }
    for user in orders["lists"].as_array().into_iter().flatten() {
        let user = user.as_str().unwrap().to_owned();
        let listed = Arc::clone(&store).run(move |store| store.bookings(&store.traveller(&user)?, true));
        report(listed.await.map_or_else(|error| failure(&error), |bookings| json!(bookings)));
    }
}

fn failure(error: &TravelError) -> Value {
    let kind = match error {
        TravelError::SoldOut { .. } => "sold out",
        TravelError::Unavailable { .. } => "unavailable",
        TravelError::Contended { .. } => "contended",
        TravelError::OutcomeUnknown { .. } => "unknown",
        TravelError::Open { .. } => "open",
        _ => "other",
    };
    json!({"error": kind, "text": error.to_string()})
}

fn start(endpoint: &str, bucket: &str, orders: &Value) -> Child {
    let mut orders = orders.clone();
    orders["endpoint"] = json!(endpoint);
    orders["location"] = json!(format!("s3://{bucket}/{KEY}"));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([WORKER, "--exact", "--nocapture", "--test-threads=1"]).env(ORDERS, orders.to_string());
    command.envs([
        ("AWS_ACCESS_KEY_ID", "AKEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ("AWS_REGION", "us-east-1"),
    ]);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// Returns the outcomes of a worker as it reports them, until it ends.
fn outcomes(child: &mut Child) -> impl Iterator<Item = Value> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reports = lines.map_while(Result::ok).filter_map(|line| Some(line.split_once("ack ")?.1.to_owned()));
    reports.map(|report| serde_json::from_str(&report).unwrap())
}

/// Runs a worker to its end, without blocking the server in this process.
async fn run(endpoint: String, orders: Value) -> Vec<Value> {
    let run = move || {
        let mut child = start(&endpoint, "bucket", &orders);
        let found: Vec<Value> = outcomes(&mut child).collect();
        assert!(child.wait().unwrap().success());
        found
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn trips(list: &[(&str, usize)]) -> Value {
    json!({"trips": list.iter().map(|(user, slot)| json!({"user": user, "slot": slot})).collect::<Vec<_>>()})
}

/// A booking: its code, and the day of departure.
type Booked = (String, String);

/// Returns the bookings, and the codes in the audit records, of a stored database.
fn stored(content: &[u8]) -> (Vec<Booked>, Vec<String>) {
    let mut database = rusqlite::Connection::open_in_memory().unwrap();
    database.deserialize_read_exact("main", content, content.len(), true).unwrap();
    let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let bookings = database
        .prepare("SELECT code, departure_date FROM bookings ORDER BY id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let audit = database
        .prepare("SELECT booking FROM audit WHERE action = 'booked' ORDER BY id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    (bookings, audit)
}

fn requests(server: &S3Server, method: &str) -> Vec<strands_testkit::Request> {
    server.server().requests().into_iter().filter(|request| request.method == method).collect()
}

/// Responds to the first `times` writes with the fault.
fn faults(server: &S3Server, times: usize, fault: impl Fn() -> S3Fault + Send + 'static) -> Arc<AtomicUsize> {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    server.intercept(move |request| {
        (request.method == "PUT" && counter.fetch_add(1, Ordering::SeqCst) < times).then(&fault)
    });
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_a_database_and_transfers_it_only_if_it_changed() {
    let server = S3Server::start("bucket").await;
    let booked = run(server.url(), trips(&[("alice", 0), ("alice", 0)])).await;
    assert_eq!((booked[0]["already"].clone(), booked[1]["already"].clone()), (json!(false), json!(true)));
    assert_eq!(server.keys(), [KEY]);
    let writes = requests(&server, "PUT");
    let conditions: Vec<_> =
        writes.iter().map(|put| (put.header("if-none-match").is_some(), put.header("if-match").is_some())).collect();
    assert_eq!(
        conditions,
        [(true, false), (false, true)],
        "the seed, and one booking; the repeated order writes nothing"
    );

    let before = requests(&server, "GET").len();
    let listed = run(server.url(), json!({"trips": [], "lists": ["alice", "alice", "bob"]})).await;
    assert_eq!(listed[0][0]["confirmation_code"], booked[0]["code"]);
    assert_eq!((&listed[1], &listed[2]), (&listed[0], &json!([])));
    let reads = requests(&server, "GET").split_off(before);
    assert!(reads.iter().skip(1).all(|get| get.header("if-none-match").is_some()), "{}", reads.len());
}

/// Four processes place orders for all places on all dates, each order twice.
#[tokio::test(flavor = "multi_thread")]
async fn no_booking_of_four_processes_is_lost_or_double() {
    const USERS: [&str; 9] = ["ana", "marcus", "priya", "jonas", "mei", "olivia", "alice", "bob", "carol"];
    let own = S3Server::start("bucket").await;
    let foreign = std::env::var("TRAVEL_TEST_S3").ok();
    let endpoint = foreign.clone().unwrap_or_else(|| own.url());
    let slots = if foreign.is_some() { 34 } else { 8 };
    let workers = (0..4usize).map(|worker| {
        // Each trip is ordered by two of the workers, and they go through the dates from different ends.
        let mut orders: Vec<(&str, usize)> = (0..slots)
            .flat_map(|slot| USERS.iter().enumerate().map(move |(number, user)| (number, (*user, slot))))
            .filter(|(number, (_, slot))| (number + slot) % 2 == worker % 2)
            .map(|(_, trip)| trip)
            .collect();
        if worker >= 2 {
            let third = orders.len() / 3;
            orders.rotate_left(third);
        }
        run(endpoint.clone(), trips(&orders))
    });
    let reported: Vec<Value> = futures_util::future::join_all(workers).await.into_iter().flatten().collect();
    let mut codes = BTreeMap::new();
    for outcome in &reported {
        match outcome["code"].as_str() {
            Some(code) => assert_eq!(codes.entry(code).or_insert(&outcome["trip"]), &&outcome["trip"]),
            None => assert_eq!(outcome["error"], "sold out", "{outcome}"),
        }
    }
    let content = match &foreign {
        None => own.object(KEY).unwrap().to_vec(),
        Some(endpoint) => {
            let got = Command::new("curl")
                .args([
                    "-sS",
                    "--fail",
                    "--aws-sigv4",
                    "aws:amz:us-east-1:s3",
                    "--user",
                    "AKEXAMPLE:s3cret",
                    &format!("{endpoint}/bucket/{KEY}"),
                ])
                .output()
                .unwrap();
            assert!(got.status.success(), "{got:?}");
            got.stdout
        }
    };
    let (bookings, audit) = stored(&content);
    assert_eq!(bookings.len(), slots * PLACES);
    assert_eq!(codes.len(), bookings.len(), "none is lost, and none was reported twice");
    let mut of_dates: BTreeMap<&str, usize> = BTreeMap::new();
    for (code, date) in &bookings {
        assert!(codes.contains_key(code.as_str()), "{code} was reported");
        *of_dates.entry(date).or_default() += 1;
    }
    assert!(of_dates.values().all(|count| *count == PLACES), "{of_dates:?}");
    assert_eq!(audit, bookings.iter().map(|(code, _)| code.clone()).collect::<Vec<_>>(), "one record for each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_no_booking_and_doubles_none() {
    let server = S3Server::start("bucket").await;
    let all: Vec<(&str, usize)> = (0..12).map(|slot| ("alice", slot)).collect();
    let (url, orders) = (server.url(), trips(&all));
    let reported = tokio::task::spawn_blocking(move || {
        let mut reported = Vec::new();
        for kill_after in [1, 3, 2, 4, 2, usize::MAX] {
            let mut child = start(&url, "bucket", &orders);
            let mut new = 0;
            for outcome in outcomes(&mut child) {
                new += usize::from(outcome["already"] == false);
                reported
                    .push((outcome["code"].as_str().unwrap().to_owned(), outcome["trip"]["slot"].as_u64().unwrap()));
                if new == kill_after {
                    child.kill().unwrap();
                }
            }
            child.wait().unwrap();
        }
        reported
    })
    .await
    .unwrap();
    let (bookings, audit) = stored(&server.object(KEY).unwrap());
    assert_eq!((bookings.len(), audit.len()), (12, 12));
    // Every report of a trip, before and after a kill, names the same booking.
    let codes: BTreeMap<u64, &str> = reported.iter().map(|(code, slot)| (*slot, code.as_str())).collect();
    assert!(reported.iter().all(|(code, slot)| codes[slot] == code));
    assert!(bookings.iter().all(|(code, ..)| codes.values().any(|reported| reported == code)));
}

#[tokio::test(flavor = "multi_thread")]
async fn books_once_if_the_response_to_a_write_is_lost() {
    for lost in [
        || S3Fault::After(Response::new(200).body("never to arrive").cut_at(0, Cut::Reset)),
        || S3Fault::After(Response::new(500)),
        || S3Fault::After(Response::new(200).stall_head()),
        || S3Fault::Instead(Response::new(503)),
        || S3Fault::Instead(Response::new(412).body("<Error><Code>PreconditionFailed</Code></Error>")),
    ] {
        let server = S3Server::start("bucket").await;
        run(server.url(), trips(&[])).await;
        faults(&server, 1, lost);
        let outcome = run(server.url(), trips(&[("bob", 0)])).await;
        assert_eq!(outcome[0]["already"], false, "{outcome:?}");
        let (bookings, audit) = stored(&server.object(KEY).unwrap());
        assert_eq!((bookings.len(), audit.len()), (1, 1));
        assert_eq!(bookings[0].0, outcome[0]["code"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_types_and_limits() {
    let (denied, failing) = (|| S3Fault::Instead(Response::new(403)), || S3Fault::Instead(Response::new(500)));
    let stalled = || S3Fault::Instead(Response::new(200).stall_head());
    let conflict = || S3Fault::Instead(Response::new(412).body("<Error><Code>PreconditionFailed</Code></Error>"));
    type Case = (fn() -> S3Fault, &'static str, u64);
    let cases: [Case; 4] =
        [(denied, "unavailable", 5), (failing, "unknown", 25), (stalled, "unknown", 25), (conflict, "contended", 30)];
    let tests = cases.map(|(fault, expected, seconds)| async move {
        let server = S3Server::start("bucket").await;
        run(server.url(), trips(&[])).await;
        faults(&server, usize::MAX, fault);
        let began = Instant::now();
        let outcome = run(server.url(), trips(&[("bob", 0)])).await;
        assert_eq!(outcome[0]["error"], expected, "{outcome:?}");
        assert!(began.elapsed() < Duration::from_secs(seconds), "{expected}: {:?}", began.elapsed());
        assert!(!outcome[0]["text"].as_str().unwrap().contains("s3cret"), "{outcome:?}");
        assert!(stored(&server.object(KEY).unwrap()).0.is_empty());
        // A read does not depend on writes; and without any response it ends, too.
        server.intercept(|_| Some(S3Fault::Instead(Response::new(200).stall_head())));
        let began = Instant::now();
        assert_eq!(run(server.url(), trips(&[])).await[0]["error"], "unavailable");
        assert!(began.elapsed() < Duration::from_secs(15));
    });
    futures_util::future::join_all(tests).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn explains_objects_that_are_not_a_travel_database() {
    let server = S3Server::start("bucket").await;
    for content in [Vec::new(), b"this is text, and no database".to_vec()] {
        server.put(KEY, content);
        let outcome = run(server.url(), trips(&[])).await;
        assert_eq!(outcome[0]["error"], "open", "{outcome:?}");
        assert!(outcome[0]["text"].as_str().unwrap().contains(KEY), "{outcome:?}");
    }
    let child = tokio::task::spawn_blocking({
        let url = server.url();
        move || outcomes(&mut start(&url, "missing", &trips(&[]))).collect::<Vec<_>>()
    });
    assert_eq!(child.await.unwrap()[0]["error"], "unavailable");
}
