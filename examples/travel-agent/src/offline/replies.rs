//! Replies to the traveller. Every fact comes from a tool result.

use std::fmt::Write as _;

use jiff::civil::Date;
use serde_json::Value;

use super::{
    planner::Choice,
    words::{Word, among},
};

/// Formats a date, e.g. "Monday, November 23, 2026".
pub(super) fn day(date: Date) -> String {
    date.strftime("%A, %B %-d, %Y").to_string()
}

/// The assumptions of a booking, for the traveller to correct.
pub(super) struct Assumptions<'a> {
    pub(super) length: bool,
    pub(super) purpose: bool,
    /// An available car that was not requested.
    pub(super) car: Option<&'a Value>,
}

pub(super) fn introduction(name: &str) -> String {
    format!(
        "Hello {name}. I book AcmeCorp's business trips within the USA: flights, hotels and cars, within company policy. \
         Tell me where and when, or ask, for example:\n\n\
         - \"Book me a trip to New York next Monday for 3 days\"\n\
         - \"Show me flights to Boston tomorrow\"\n\
         - \"What does the policy say about rental cars?\"\n\
         - \"What did you book for me?\", or \"Cancel my booking\""
    )
}

pub(super) fn refusal(name: &str, reason: &str) -> String {
    format!("I am sorry, {name}: {reason}. Nothing was booked. What would you like to change?")
}

/// Replies with an error of a request that books nothing.
pub(super) fn failure(name: &str, reason: &str) -> String {
    format!("I am sorry, {name}: {reason}.")
}

/// Replies with the violations of a verdict, if it has any that no manager may approve.
pub(super) fn violations(name: &str, verdict: &Value) -> Option<String> {
    if verdict["compliant"] == true || verdict["needs_approval"] == true {
        return None;
    }
    let reasons = reasons(verdict);
    Some(format!("I am sorry, {name}, I cannot book this trip: {reasons}. What would you like to change?"))
}

fn reasons(verdict: &Value) -> String {
    let reasons: Vec<&str> = list(&verdict["violations"]).iter().map(|violation| text(&violation["reason"])).collect();
    reasons.join("; ")
}

pub(super) fn confirmation(name: &str, booked: &Value, assumptions: &Assumptions<'_>) -> String {
    let destination = text(&booked["destination"]);
    if booked["already_booked"] == true {
        let known = format!("Your trip to {destination} was booked before, {name}; nothing is booked twice.");
        return format!("{known}\n\n{}", booking(booked));
    }
    let mut reply = format!("Done, {name}: your trip to {destination} is booked.\n\n{}", booking(booked));
    let mut assumed = Vec::new();
    if assumptions.length {
        assumed.push(format!("that you return on {}", written_day(&booked["return_date"])));
    }
    if assumptions.purpose {
        assumed.push(format!("that the purpose is {}", text(&booked["purpose"])));
    }
    if !assumed.is_empty() {
        let assumed = assumed.join(", and ");
        let _ = write!(reply, "\n\nI assumed {assumed}. If that is wrong, have me cancel it and book again.");
    }
    if let Some(car) = assumptions.car {
        let (model, category) = (text(&car["model"]), text(&car["category"]));
        let _ =
            write!(reply, "\n\nNo car is booked; a {model} ({category}) would be {} a day.", usd(&car["daily_usd"]));
    }
    reply
}

pub(super) fn proposal(name: &str, verdict: &Value, choice: &Choice<'_>, car: Option<&Value>) -> String {
    let mut reply = if verdict["needs_approval"] == true {
        format!("A manager would have to approve this, {name}: {}.\n\n", reasons(verdict))
    } else {
        format!("This would suit the policy, {name}:\n\n")
    };
    for (label, chosen, offered) in [("Out", choice.there, choice.offered[0]), ("Back", choice.back, choice.offered[1])]
    {
        let _ = writeln!(reply, "**{label}:** {}, **{}**\n", flight_line(chosen), usd(&chosen["fare_usd"]));
        let _ = writeln!(reply, "| Flight | Airline | Departs | Arrives | Fare | Seats |\n|---|---|---|---|--:|--:|");
        for flight in offered {
            let mark = if flight["number"] == chosen["number"] { "**" } else { "" };
            let _ = writeln!(
                reply,
                "| {mark}{}{mark} | {} | {} | {} | {mark}{}{mark} | {} |",
                text(&flight["number"]),
                text(&flight["airline"]),
                text(&flight["departs"]),
                text(&flight["arrives"]),
                usd(&flight["fare_usd"]),
                flight["seats_left"]
            );
        }
        reply.push('\n');
    }
    if let Some(hotel) = choice.hotel {
        let _ = writeln!(
            reply,
            "- **Hotel:** {}, {}: **{}** a night, {} in all",
            text(&hotel["name"]),
            text(&hotel["area"]),
            usd(&hotel["nightly_usd"]),
            usd(&hotel["total_usd"])
        );
    }
    if let Some(car) = car {
        let _ = writeln!(
            reply,
            "- **Car:** {} ({}): **{}** in all",
            text(&car["model"]),
            text(&car["category"]),
            usd(&car["total_usd"])
        );
    }
    reply.push_str("\nShall I book it?");
    reply
}

pub(super) fn bookings(name: &str, found: &Value) -> String {
    match list(found) {
        [] => format!("You have no bookings, {name}."),
        [one] => format!("You have one booking, {name}: {}.\n\n{}", text(&one["destination"]), booking(one)),
        several => {
            let blocks: Vec<String> =
                several.iter().map(|one| format!("**{}**\n\n{}", text(&one["destination"]), booking(one))).collect();
            format!("You have {} bookings, {name}.\n\n{}", several.len(), blocks.join("\n\n"))
        }
    }
}

pub(super) fn all_bookings(name: &str, found: &Value) -> String {
    match list(found) {
        [] => format!("There are no bookings, {name}."),
        several => {
            let blocks: Vec<String> = several
                .iter()
                .map(|one| {
                    format!("**{}, {}**\n\n{}", text(&one["traveller"]), text(&one["destination"]), booking(one))
                })
                .collect();
            let count = match several.len() {
                1 => "one booking".to_owned(),
                count => format!("{count} bookings"),
            };
            format!("The company has {count}, {name}.\n\n{}", blocks.join("\n\n"))
        }
    }
}

pub(super) fn which_one(name: &str, found: &[&Value]) -> String {
    let lines: Vec<String> = found
        .iter()
        .map(|one| {
            let code = text(&one["confirmation_code"]);
            format!("- **{code}** {}, {}", text(&one["destination"]), written_day(&one["departure_date"]))
        })
        .collect();
    format!("You have {} bookings, {name}:\n\n{}\n\nWhich one shall I cancel?", found.len(), lines.join("\n"))
}

pub(super) fn cancellation(name: &str, done: &Value) -> String {
    let code = text(&done["confirmation_code"]);
    let destination = text(&done["destination"]);
    if done["already_cancelled"] == true {
        format!("Booking {code} to {destination} had been cancelled before, {name}.")
    } else {
        let date = written_day(&done["departure_date"]);
        format!("Booking {code} to {destination} on {date} is cancelled, {name}: {} go back.", usd(&done["total_usd"]))
    }
}

/// Replies with the rules that the question mentions, or with all.
pub(super) fn policies(name: &str, asked: &[Word<'_>], found: &Value) -> String {
    let rules = list(&found["rules"]);
    let relevant: Vec<&Value> = rules.iter().filter(|rule| mentions(asked, &rule["rule"])).collect();
    let shown = if relevant.is_empty() { rules.iter().collect() } else { relevant };
    let mut reply = format!("This is our travel policy, {name}:\n");
    for rule in shown {
        let _ = write!(reply, "\n- {}", text(&rule["rule"]));
    }
    if asked.iter().any(|word| word.lower.starts_with("hotel")) {
        let caps =
            list(&found["hotel_caps"]).iter().flat_map(|cap| list(&cap["cities"]).iter().map(move |city| (city, cap)));
        let (named, others): (Vec<_>, Vec<_>) = caps.partition(|(city, _)| mentions(asked, city));
        for (city, cap) in if named.is_empty() { others } else { named } {
            let _ = write!(reply, "\n- {}: {} a night", text(city), usd(&cap["nightly_usd"]));
        }
    }
    reply
}

/// Returns true if the question contains one of the significant words of a text.
pub(super) fn mentions(asked: &[Word<'_>], about: &Value) -> bool {
    const COMMON: &str = "travel days allowed most booking book least within";
    let stem = |word: &str| word.trim_end_matches('s').to_owned();
    super::words::words(text(about))
        .iter()
        .filter(|word| word.lower.len() > 3 && !among(&word.lower, COMMON))
        .any(|word| asked.iter().any(|asked| stem(&asked.lower) == stem(&word.lower)))
}

fn booking(booking: &Value) -> String {
    let mut lines = format!("- **Code:** {}\n", text(&booking["confirmation_code"]));
    for (label, flight) in [("Out", &booking["outbound"]), ("Back", &booking["return"])] {
        let _ = writeln!(lines, "- **{label}:** {}", flight_line(flight));
    }
    if let Some(name) = at(booking, "/hotel/name").as_str() {
        let _ = writeln!(
            lines,
            "- **Hotel:** {name}, {}, {}",
            text(at(booking, "/hotel/area")),
            counted(at(booking, "/hotel/nights"), "night")
        );
    }
    if let Some(model) = at(booking, "/car/model").as_str() {
        let _ = writeln!(
            lines,
            "- **Car:** {model} ({}), {}",
            text(at(booking, "/car/category")),
            counted(at(booking, "/car/days"), "day")
        );
    }
    let _ = write!(lines, "- **Total: {}**", usd(&booking["total_usd"]));
    lines
}

fn flight_line(flight: &Value) -> String {
    let written = text(&flight["date"]);
    let date = written.parse().map_or_else(|_| written.to_owned(), |date: Date| date.strftime("%a %b %-d").to_string());
    let (airline, number) = (text(&flight["airline"]), text(&flight["number"]));
    let (origin, departs) = (text(&flight["origin"]), text(&flight["departs"]));
    let (destination, arrives) = (text(&flight["destination"]), text(&flight["arrives"]));
    format!("{date}, {airline} {number}, {origin} {departs} to {destination} {arrives}")
}

/// Returns the value at a path, or null.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    value.pointer(path).unwrap_or(&Value::Null)
}

/// Formats whole dollars, with a comma at the thousands.
fn usd(amount: &Value) -> String {
    let amount = amount.as_u64().unwrap_or_default();
    match amount / 1000 {
        0 => format!("${amount}"),
        thousands => format!("${thousands},{:03}", amount % 1000),
    }
}

fn counted(count: &Value, unit: &str) -> String {
    let plural = if *count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

fn written_day(date: &Value) -> String {
    let written = text(date);
    written.parse().map_or_else(|_| written.to_owned(), day)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
