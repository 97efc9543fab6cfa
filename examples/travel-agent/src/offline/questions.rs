//! Replies to questions beside trips: passages of the policy documents, the weather, the location, and a long story.

use std::fmt::Write as _;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{
    dates,
    planner::{Situation, Step, reply_from_tool, today},
    replies::day,
    request::Request,
};

const CHAPTERS: usize = 40;

/// Searches the policy documents with the traveller's words.
pub(super) fn search(situation: &Situation<'_>, request: &Request<'_>) -> Result<Step, String> {
    let words: Vec<&str> = request.words().iter().map(|word| word.original).collect();
    let call = ("search_policies", json!({ "query": words.join(" "), "limit": 3 }));
    reply_from_tool(situation, call, |found| {
        let passages = found["passages"].as_array().map(Vec::as_slice).unwrap_or_default();
        if passages.is_empty() {
            return Ok(format!("Our policy documents say nothing about that, {}.", situation.name));
        }
        let mut reply = format!("This is what our policy documents say, {}:", situation.name);
        for passage in passages {
            let _ = write!(reply, "\n\n> {}\n\n*Source: {}*", text(&passage["text"]), text(&passage["source"]));
        }
        Ok(reply)
    })
}

/// Looks up the weather of a city, on the day in the request or today.
pub(super) fn weather(situation: &Situation<'_>, request: &Request<'_>) -> Result<Step, String> {
    if !situation.may_call("weather") {
        return Err("I have no weather service here".to_owned());
    }
    let Some(city) = &request.destination else {
        return Ok(Step::Say(format!("The weather of which city, {}?", situation.name)));
    };
    let call = if dates::mentions_departure(&request.parts) {
        let Some(calendar) = situation.last_result("todays_date") else {
            return Ok(Step::Call("", vec![("todays_date", json!({}))]));
        };
        let date = dates::trip_dates(&request.parts, today(calendar?)?, 0).departure;
        json!({ "city": city, "date": date })
    } else {
        json!({ "city": city })
    };
    reply_from_tool(situation, ("weather", call), |found| {
        let date =
            text(&found["date"]).parse().map_or_else(|_| text(&found["date"]).to_owned(), |date: Date| day(date));
        let mut reply = format!(
            "The weather in **{}** on {date}, {}:\n\n- **{}**\n- {} °F at the most, {} °F at the least\n",
            text(&found["city"]),
            situation.name,
            text(&found["conditions"]),
            found["high_f"],
            found["low_f"]
        );
        if let Some(percent) = found["precipitation_percent"].as_u64() {
            let _ = writeln!(reply, "- {percent}% probability of rain or snow");
        }
        let _ = write!(reply, "\n*Source: {}*", text(&found["source"]));
        Ok(reply)
    })
}

pub(super) fn location(situation: &Situation<'_>) -> Result<Step, String> {
    reply_from_tool(situation, ("my_location", json!({})), |found| {
        let (place, name) = (text(&found["place"]), situation.name);
        Ok(if found["basis"] == "network_address" {
            format!("By your network address you are in **{place}**, {name}.")
        } else {
            format!("Your network address names no place, {name}, so I assume your home city, **{place}**.")
        })
    })
}

/// Tells a story that takes a while, for trying out a stop.
pub(super) fn story(name: &str) -> String {
    const HEROES: [&str; 4] = ["an engineer with two laptops", "a new colleague", "the sales team", "an auditor"];
    const CITIES: [&str; 5] = ["Boston", "Chicago", "Denver", "New York", "Seattle"];
    const WISHES: [(&str, &str); 4] = [
        ("a luxury car", "luxury cars are never allowed, so a sedan drove just as well"),
        ("a week by the sea", "a trip lasts at most 5 days, and only for business"),
        ("a suite above the cap", "a manager had to approve it, and asked why it had to be that hotel"),
        ("a flight to Paris", "travel takes place within the United States only, so it became a video call"),
    ];
    let pick = |list: &[&'static str], at: usize| list.get(at % list.len()).copied().unwrap_or_default();
    let mut story = format!(
        "# The long story of the travel policy\n\nMake yourself comfortable, {name}. It has {CHAPTERS} chapters."
    );
    for chapter in 0..CHAPTERS {
        let (hero, city) = (pick(&HEROES, chapter), pick(&CITIES, chapter));
        let (wish, lesson) = WISHES.get(chapter % WISHES.len()).copied().unwrap_or_default();
        let _ = write!(
            story,
            "\n\n## Chapter {}: the road to {city}\n\nOnce upon a time {hero} had a meeting in {city}, and wished for {wish}. The travel agent \
             read the policy, as it does before every trip, and looked for what was free. It turned out that {lesson}. So the trip was \
             changed and checked again, and only then was it booked: flights, a hotel within the cap of {city}, and no word about \
             what might have been. The receipts were handed in within thirty days, and everybody was home by the weekend.",
            chapter + 1
        );
    }
    story.push_str("\n\n*The end.*");
    story
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
