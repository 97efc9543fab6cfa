//! Planner: the next step, from the request and the tool results so far.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{
    dates, questions,
    replies::{self, day},
    request::{CarWish, Intent, Request},
    words::{Word, any, phrase},
};
use crate::trip::{CarCategory, Purpose};

/// Default length of a trip.
const ASSUMED_NIGHTS: i32 = 2;

/// The state of a conversation.
#[derive(Clone, Debug)]
pub(super) struct Situation<'a> {
    /// The request and the replies to our questions, oldest first.
    pub(super) texts: &'a [String],
    /// First name of the traveller.
    pub(super) name: &'a str,
    /// Names of the tools that the traveller may use.
    pub(super) tools: Vec<&'a str>,
    /// The tool results since the last text, in order.
    pub(super) results: Vec<ToolResult<'a>>,
}

/// A tool result.
#[derive(Clone, Copy, Debug)]
pub(super) struct ToolResult<'a> {
    pub(super) tool: &'a str,
    /// The result, or the text of the error.
    pub(super) result: Result<&'a Value, &'a str>,
    /// The text of the result, such as that of an agent, or of the error.
    pub(super) text: Result<&'a str, &'a str>,
}

/// The next step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Reply to the traveller.
    Say(String),
    /// Call tools concurrently, with a text for the traveller.
    Call(&'static str, Vec<(&'static str, Value)>),
}

impl<'a> Situation<'a> {
    fn results_of(&self, tool: &str) -> impl Iterator<Item = ToolResult<'a>> {
        self.results.iter().filter(move |result| result.tool == tool).copied()
    }

    pub(super) fn may_call(&self, tool: &str) -> bool {
        self.tools.contains(&tool)
    }

    pub(super) fn last_result(&self, tool: &str) -> Option<Result<&'a Value, &'a str>> {
        self.results_of(tool).last().map(|result| result.result)
    }

    pub(super) fn last_text(&self, tool: &str) -> Option<Result<&'a str, &'a str>> {
        self.results_of(tool).last().map(|result| result.text)
    }
}

/// Returns the next step of the conversation.
pub(super) fn next(situation: &Situation<'_>) -> Step {
    let request = Request::read(situation.texts);
    let words = request.words();
    let asks_for_all = any(&words, "all everyone everyone's employees company");
    let step = match request.intent {
        Intent::Book if !situation.may_call("book_trip") => {
            Err("your role does not allow you to book trips".to_owned())
        }
        Intent::Book | Intent::Propose => trip(situation, &request),
        Intent::Bookings if !situation.may_call("my_bookings") && !situation.may_call("all_bookings") => {
            Err("your role does not allow you to see bookings".to_owned())
        }
        Intent::Bookings
            if !situation.may_call("my_bookings") || (asks_for_all && situation.may_call("all_bookings")) =>
        {
            reply_from_tool(situation, ("all_bookings", json!({})), |found| {
                Ok(replies::all_bookings(situation.name, found))
            })
        }
        Intent::Bookings => {
            reply_from_tool(situation, ("my_bookings", json!({})), |found| Ok(replies::bookings(situation.name, found)))
        }
        Intent::Cancel if !situation.may_call("cancel_booking") => {
            Err("your role does not allow you to cancel bookings".to_owned())
        }
        Intent::Cancel => cancel(situation, &request),
        Intent::Policy => reply_from_tool(situation, ("get_travel_policies", json!({})), |found| {
            Ok(replies::policies(situation.name, &request.words(), found))
        }),
        Intent::Today => reply_from_tool(situation, ("todays_date", json!({})), |found| {
            Ok(format!("Today is {}, {}.", day(today(found)?), situation.name))
        }),
        Intent::Search => questions::search(situation, &request),
        Intent::Weather => questions::weather(situation, &request),
        Intent::Location => questions::location(situation),
        Intent::Story => Ok(Step::Say(questions::story(situation.name))),
        Intent::Other => Ok(Step::Say(replies::introduction(situation.name))),
    };
    step.unwrap_or_else(|reason| {
        Step::Say(match request.intent {
            Intent::Book | Intent::Propose => replies::refusal(situation.name, &reason),
            _ => replies::failure(situation.name, &reason),
        })
    })
}

/// Calls one tool, then replies from its result.
pub(super) fn reply_from_tool(
    situation: &Situation<'_>,
    call: (&'static str, Value),
    reply: impl FnOnce(&Value) -> Result<String, String>,
) -> Result<Step, String> {
    match situation.last_result(call.0) {
        None => Ok(Step::Call("", vec![call])),
        Some(found) => reply(found?).map(Step::Say),
    }
}

fn cancel(situation: &Situation<'_>, request: &Request<'_>) -> Result<Step, String> {
    if let Some(done) = situation.last_result("cancel_booking") {
        return Ok(Step::Say(replies::cancellation(situation.name, done?)));
    }
    let cancel =
        |code: &str| Step::Call("I am cancelling it.", vec![("cancel_booking", json!({ "confirmation_code": code }))]);
    if let Some(code) = &request.code {
        return Ok(cancel(code));
    }
    let Some(found) = situation.last_result("my_bookings") else {
        return Ok(Step::Call("Let me look up your bookings.", vec![("my_bookings", json!({}))]));
    };
    let found = found?.as_array().map(Vec::as_slice).unwrap_or_default();
    let meant: Vec<&Value> =
        found.iter().filter(|booking| replies::mentions(&request.words(), &booking["destination"])).collect();
    let meant = if meant.is_empty() { found.iter().collect() } else { meant };
    Ok(match meant.as_slice() {
        [] => Step::Say(format!("You have no bookings that I could cancel, {}.", situation.name)),
        [one] => cancel(one["confirmation_code"].as_str().unwrap_or_default()),
        several => Step::Say(replies::which_one(situation.name, several)),
    })
}

/// Plans a trip: details, policy, offers, policy again, booking.
fn trip(situation: &Situation<'_>, request: &Request<'_>) -> Result<Step, String> {
    let name = situation.name;
    let Some(destination) = &request.destination else {
        return Ok(Step::Say(format!("Where would you like to travel to, {name}?")));
    };
    if !dates::mentions_departure(&request.parts) {
        return Ok(Step::Say(format!("On which day would you like to leave for {destination}, {name}?")));
    }
    let Some(calendar) = situation.last_result("todays_date") else {
        let (date, policy) = (("todays_date", json!({})), ("get_travel_policies", json!({})));
        return Ok(match situation.may_call(policy.0) {
            true => Step::Call("Let me look at the calendar and our travel policy.", vec![date, policy]),
            // Another agent of the team has read it.
            false => Step::Call("Let me look at the calendar.", vec![date]),
        });
    };
    let dates = dates::trip_dates(&request.parts, today(calendar?)?, ASSUMED_NIGHTS);
    let (Some(departure), Some(return_)) = (dates.departure, dates.return_) else {
        return Ok(Step::Say(format!("On which day would you like to leave for {destination}, {name}?")));
    };
    let plan = Plan { request, destination, departure, return_ };

    let mut verdicts = situation.results_of("check_policy");
    let Some(first) = verdicts.next() else {
        return Ok(Step::Call(
            "Let me see whether company policy allows this trip.",
            vec![("check_policy", plan.draft())],
        ));
    };
    if let Some(refusal) = replies::violations(name, first.result?) {
        return Ok(Step::Say(refusal));
    }
    let flights: Vec<ToolResult<'_>> = situation.results_of("search_flights").collect();
    let [there, back] = flights.as_slice() else {
        return Ok(Step::Call("It does. I am looking for what is free.", plan.searches()));
    };
    let offered = [there.result?, back.result?];
    let (there, back) = plan.flights(offered)?;
    let choice = Choice {
        there,
        back,
        offered: offered.map(|found| offers(found, "flights")),
        hotel: situation
            .last_result("get_hotels")
            .transpose()?
            .map(|found| {
                named_offer(found, "hotels", &request.words())
                    .or_else(|| allowed_offer(found, "hotels"))
                    .ok_or_else(|| format!("no hotel in {destination} is free within policy on these days"))
            })
            .transpose()?,
        car: situation.last_result("get_cars").transpose()?.and_then(|found| allowed_offer(found, "cars")),
    };
    let car = match request.car {
        CarWish::Unspecified | CarWish::None => None,
        CarWish::Any | CarWish::Category(_) => Some(
            choice.car.ok_or_else(|| format!("no such car is free within policy in {destination} on these days"))?,
        ),
    };
    let order = plan.order(&choice, car);
    let Some(second) = verdicts.next() else {
        return Ok(Step::Call("Let me check this choice against the policy.", vec![("check_policy", order)]));
    };
    let verdict = second.result?;
    if let Some(refusal) = replies::violations(name, verdict) {
        return Ok(Step::Say(refusal));
    }
    if request.intent == Intent::Propose {
        return Ok(Step::Say(replies::proposal(name, verdict, &choice, car)));
    }
    match situation.last_result("book_trip") {
        None if verdict["needs_approval"] == true => {
            Ok(Step::Call("This trip needs the approval of a manager. I am asking for it.", vec![("book_trip", order)]))
        }
        None => Ok(Step::Call("Everything fits. I am booking it.", vec![("book_trip", order)])),
        Some(booked) => {
            let assumptions = replies::Assumptions {
                length: !dates.length_given,
                purpose: request.purpose.is_none(),
                car: choice.car.filter(|_| request.car == CarWish::Unspecified),
            };
            Ok(Step::Say(replies::confirmation(name, booked?, &assumptions)))
        }
    }
}

/// A trip as requested.
struct Plan<'a> {
    request: &'a Request<'a>,
    destination: &'a str,
    departure: Date,
    return_: Date,
}

/// The offers that the rules chose.
pub(super) struct Choice<'a> {
    pub(super) there: &'a Value,
    pub(super) back: &'a Value,
    /// All flights that are free, there and back.
    pub(super) offered: [&'a [Value]; 2],
    pub(super) hotel: Option<&'a Value>,
    /// An available car, even if none was requested.
    pub(super) car: Option<&'a Value>,
}

impl Plan<'_> {
    fn nights(&self) -> i32 {
        (self.return_ - self.departure).get_days()
    }

    /// Returns the trip without offers.
    fn draft(&self) -> Value {
        without_nulls(json!({
            "destination": self.destination,
            "departure_date": self.departure,
            "return_date": self.return_,
            "purpose": self.purpose(),
            "car_category": self.wanted_category(),
        }))
    }

    fn order(&self, choice: &Choice<'_>, car: Option<&Value>) -> Value {
        without_nulls(json!({
            "destination": self.destination,
            "departure_date": self.departure,
            "return_date": self.return_,
            "purpose": self.purpose(),
            "outbound_flight": choice.there["number"],
            "return_flight": choice.back["number"],
            "hotel": choice.hotel.map(|hotel| &hotel["id"]),
            "car": car.map(|car| &car["id"]),
        }))
    }

    fn purpose(&self) -> Purpose {
        self.request.purpose.unwrap_or(Purpose::Business)
    }

    fn wanted_category(&self) -> Option<CarCategory> {
        match self.request.car {
            CarWish::Category(category) => Some(category),
            _ => None,
        }
    }

    fn searches(&self) -> Vec<(&'static str, Value)> {
        let Self { request, destination, departure, return_ } = self;
        let nights = self.nights();
        let mut calls = vec![
            (
                "search_flights",
                without_nulls(json!({ "origin": request.origin, "destination": destination, "date": departure })),
            ),
            (
                "search_flights",
                without_nulls(json!({ "origin": destination, "destination": request.origin, "date": return_ })),
            ),
        ];
        if request.hotel && nights > 0 {
            calls.push(("get_hotels", json!({ "city": destination, "check_in": departure, "nights": nights })));
        }
        if request.car != CarWish::None {
            let category = self.wanted_category();
            let cars = json!({ "city": destination, "pick_up": departure, "days": nights + 1, "category": category });
            calls.push(("get_cars", without_nulls(cars)));
        }
        calls
    }

    /// Returns the cheapest flights there and back.
    fn flights<'a>(&self, found: [&'a Value; 2]) -> Result<(&'a Value, &'a Value), String> {
        let [outbound, inbound] = found.map(|found| offers(found, "flights"));
        for (flights, date) in [(outbound, self.departure), (inbound, self.return_)] {
            if flights.is_empty() {
                return Err(format!("there is no flight with free seats on {}", day(date)));
            }
        }
        let catches = |there: &Value, back: &Value| {
            // Times have the format HH:MM and compare as text.
            self.nights() > 0 || there["arrives"].as_str() < back["departs"].as_str()
        };
        let pairs = outbound.iter().flat_map(|there| inbound.iter().map(move |back| (there, back)));
        let fare = |flight: &Value| flight["fare_usd"].as_u64().unwrap_or(u64::MAX);
        pairs
            .filter(|(there, back)| catches(there, back))
            .min_by_key(|(there, back)| fare(there).saturating_add(fare(back)))
            .ok_or_else(|| format!("there is no way to fly out and back on {}", day(self.departure)))
    }
}

/// Removes null fields.
fn without_nulls(mut fields: Value) -> Value {
    if let Value::Object(fields) = &mut fields {
        fields.retain(|_, value| !value.is_null());
    }
    fields
}

pub(super) fn today(calendar: &Value) -> Result<Date, String> {
    let date = calendar["date"].as_str().and_then(|date| date.parse().ok());
    date.ok_or_else(|| "the calendar returned no date".to_owned())
}

fn offers<'a>(found: &'a Value, list: &str) -> &'a [Value] {
    found[list].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Returns the offer that the request names.
fn named_offer<'a>(found: &'a Value, list: &str, request: &[Word<'_>]) -> Option<&'a Value> {
    offers(found, list).iter().find(|offer| {
        let name = offer["name"].as_str().unwrap_or_default().to_lowercase();
        phrase(request, name.trim_start_matches("the "))
    })
}

/// Returns the cheapest offer within policy. Offers are sorted by price.
fn allowed_offer<'a>(found: &'a Value, list: &str) -> Option<&'a Value> {
    offers(found, list).iter().find(|offer| offer["within_policy"] == true)
}
