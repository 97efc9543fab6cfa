//! Parser of a traveller's request.

use super::{
    dates,
    words::{Word, among, any, number, phrase, starts, words},
};
use crate::trip::{CarCategory, Purpose};

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// Plan a trip and book it.
    Book,
    /// Plan a trip and propose it.
    Propose,
    /// List the bookings.
    Bookings,
    /// Cancel a booking.
    Cancel,
    /// Show the policy.
    Policy,
    /// Search the policy documents.
    Search,
    /// Look up the weather.
    Weather,
    /// Say where the traveller is.
    Location,
    /// Tell a long story.
    Story,
    /// Show today's date.
    Today,
    /// Any other request.
    Other,
}

/// The requested car.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CarWish {
    /// Not mentioned.
    Unspecified,
    /// Explicitly no car.
    None,
    /// Any category.
    Any,
    /// This category.
    Category(CarCategory),
}

/// A parsed request.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    /// The texts as words, oldest first.
    pub(super) parts: Vec<Vec<Word<'a>>>,
    pub(super) intent: Intent,
    pub(super) destination: Option<String>,
    pub(super) origin: Option<String>,
    pub(super) purpose: Option<Purpose>,
    pub(super) car: CarWish,
    pub(super) hotel: bool,
    pub(super) code: Option<String>,
}

impl<'a> Request<'a> {
    /// Returns all words of the request.
    pub(super) fn words(&self) -> Vec<Word<'a>> {
        self.parts.concat()
    }

    /// Parses a request from its texts, oldest first: the request and the replies to our questions.
    pub(super) fn read(texts: &'a [impl AsRef<str>]) -> Self {
        let mut parts: Vec<Vec<Word<'a>>> = texts.iter().map(|text| words(text.as_ref())).collect();
        // A complete request starts a new one, even after a question.
        let begins = parts.iter().rposition(|part| is_complete(part)).unwrap_or_default();
        parts.drain(..begins);
        let intent = parts.iter().map(|part| intent(part)).reduce(|earlier, later| match (earlier, later) {
            (Intent::Other, later) => later,
            // A reply such as "the Boston trip" is not a new request.
            (earlier, Intent::Other | Intent::Propose) => earlier,
            (_, later) => later,
        });
        // The latest text wins: a reply may correct the request.
        let latest = |find: &dyn Fn(&[Word<'a>]) -> Option<String>| parts.iter().rev().find_map(|part| find(part));
        let (request, replies) = parts.split_at(parts.len().min(1));
        let requested = request.iter().find_map(|part| destination(part));
        let bare = |part: &[Word<'a>]| {
            // If the request has a destination, only a capitalized name is a correction.
            bare_place(part).filter(|place| requested.is_none() || place.starts_with(char::is_uppercase))
        };
        let corrected = replies.iter().rev().find_map(|part| destination(part).or_else(|| bare(part)));
        let destination = corrected.or(requested.clone());
        let origin = latest(&|part| place_after(part, "from leaving departing"));
        let code = latest(&|part| part.iter().find_map(code));
        Self {
            intent: intent.unwrap_or(Intent::Other),
            destination,
            origin,
            purpose: parts.iter().rev().find_map(|part| purpose(part)),
            car: parts
                .iter()
                .rev()
                .map(|part| car(part))
                .find(|wish| *wish != CarWish::Unspecified)
                .unwrap_or(CarWish::Unspecified),
            hotel: hotel(&parts.concat()),
            code,
            parts,
        }
    }
}

fn intent(words: &[Word<'_>]) -> Intent {
    let asks = any(words, "what which show list when where do have see tell did");
    // Subjects of the policy documents that are not parts of a trip.
    const DOCUMENTS: &str = "meal meals breakfast lunch dinner alcohol allowance expense expenses receipt receipts reimburse \
        reimbursed mileage insurance emergency safety sustainability approval approvals approve approves";
    let booked = any(words, "bookings booked itinerary reservations trips") || phrase(words, "my booking");
    let books = any(words, "book reserve yes ok okay sure confirm");
    if phrase(words, "long story") {
        Intent::Story
    } else if phrase(words, "where am i") || phrase(words, "my location") {
        Intent::Location
    } else if any(words, "weather forecast") {
        Intent::Weather
    } else if !books && (phrase(words, "policy say") || phrase(words, "say about") || any(words, DOCUMENTS)) {
        Intent::Search
    } else if any(words, "cancel cancellation undo") {
        Intent::Cancel
    } else if (asks && booked) || phrase(words, "did you book") || phrase(words, "my bookings") {
        Intent::Bookings
    } else if any(words, "policy policies rules rule allowed permitted cap caps limit limits") {
        Intent::Policy
    } else if books {
        Intent::Book
    } else if any(words, "trip travel fly flight flights go going hotel hotels car cars visit holiday vacation") {
        Intent::Propose
    } else if any(words, "date day today") && asks {
        Intent::Today
    } else {
        Intent::Other
    }
}

/// Returns true if a text is a complete request, independent of earlier texts.
fn is_complete(words: &[Word<'_>]) -> bool {
    match intent(words) {
        Intent::Book | Intent::Propose => destination(words).is_some(),
        Intent::Other => false,
        _ => true,
    }
}

fn destination(words: &[Word<'_>]) -> Option<String> {
    place_after(words, "to visit into towards").or_else(|| place_after(words, "in at"))
}

/// Returns the place after one of these words.
fn place_after(words: &[Word<'_>], markers: &str) -> Option<String> {
    words
        .iter()
        .enumerate()
        .filter(|(_, word)| among(&word.lower, markers) && word.after.is_empty())
        .find_map(|(at, _)| place_at(words, at + 1))
}

/// Returns the place in a text that has nothing else, e.g. "New York, please".
fn bare_place(words: &[Word<'_>]) -> Option<String> {
    const FILLERS: &str = "sounds good great perfect fine thanks thank do not never hello hi sorry i";
    let place = place_at(words, 0).filter(|_| words.first().is_some_and(|word| !among(&word.lower, FILLERS)))?;
    let length = place.split_whitespace().count();
    let rest = words.get(length..).unwrap_or_default();
    let polite = rest.iter().all(|word| matches!(word.lower.as_str(), "please" | "then" | "instead"));
    (intent(words) == Intent::Other && (polite || dates::is_date(rest, 0) || starts(rest, 0, "on"))).then_some(place)
}

fn place_at(words: &[Word<'_>], start: usize) -> Option<String> {
    // Words that end a place, or that are not part of one: "to book", "for the summit".
    const NO_PLACE: &str = "a an the my our me us it this that next on in at for from with without by and or to \
        until till returning return leaving departing back please be go book fly travel see \
        meet attend visit have get stay know make plan arrange cancel some there what is are \
        who yes no ok business personal advance work instead then";
    let mut place = Vec::new();
    for at in start..words.len().min(start + 4) {
        let word = words.get(at)?;
        let ends = among(&word.lower, NO_PLACE) || number(&word.lower).is_some() || dates::is_month(&word.lower);
        if ends || dates::is_date(words, at) || CARS.iter().any(|(name, _)| *name == word.lower) {
            break;
        }
        place.push(format!("{}{}", word.original, if word.after == "," { "," } else { "" }));
        let state_follows = word.after == ","
            && words.get(at + 1).is_some_and(|next| next.original.chars().next().is_some_and(char::is_uppercase))
            && !dates::is_date(words, at + 1)
            && place.len() < 3;
        if !word.after.is_empty() && !state_follows {
            break;
        }
    }
    let place = place.join(" ");
    let place = place.trim_end_matches(',');
    (!place.is_empty()).then(|| place.to_owned())
}

fn purpose(words: &[Word<'_>]) -> Option<Purpose> {
    const PERSONAL: &str = "vacation holiday holidays honeymoon family personal private birthday wedding leisure \
        fun pleasure sightseeing anniversary";
    if any(words, PERSONAL) {
        Some(Purpose::Personal)
    } else if any(words, "conference summit expo fair congress") {
        Some(Purpose::Conference)
    } else if any(words, "training course workshop onboarding seminar") {
        Some(Purpose::Training)
    } else if any(words, "business meeting meetings customer customers client clients work office") {
        Some(Purpose::Business)
    } else {
        None
    }
}

const CARS: [(&str, CarCategory); 12] = [
    ("luxury", CarCategory::Luxury),
    ("limousine", CarCategory::Luxury),
    ("limo", CarCategory::Luxury),
    ("bmw", CarCategory::Luxury),
    ("mercedes", CarCategory::Luxury),
    ("porsche", CarCategory::Luxury),
    ("premium", CarCategory::Luxury),
    ("suv", CarCategory::Suv),
    ("sedan", CarCategory::Sedan),
    ("mid-size", CarCategory::Sedan),
    ("compact", CarCategory::Compact),
    ("small", CarCategory::Compact),
];

fn car(words: &[Word<'_>]) -> CarWish {
    let named = CARS.iter().find(|(name, _)| any(words, name));
    if phrase(words, "no car") || phrase(words, "without a car") || phrase(words, "without car") {
        CarWish::None
    } else if let Some((_, category)) = named
        && (any(words, "car cars rental") || !matches!(category, CarCategory::Luxury | CarCategory::Compact))
    {
        CarWish::Category(*category)
    } else if any(words, "car cars rental drive limousine limo") {
        CarWish::Any
    } else {
        CarWish::Unspecified
    }
}

/// Returns true if the request needs a hotel. A flight alone does not.
fn hotel(words: &[Word<'_>]) -> bool {
    let none = phrase(words, "no hotel") || phrase(words, "without a hotel") || phrase(words, "without hotel");
    let only_flight = any(words, "flight flights") && !any(words, "trip hotel hotels night nights");
    !none && !only_flight
}

fn code(word: &Word<'_>) -> Option<String> {
    let code = word.original.to_uppercase();
    let shaped = code.len() == 8 && code.starts_with("AC") && code.chars().all(|c| c.is_ascii_alphanumeric());
    // In lower case it could be a word, so it needs a digit.
    let is_code = word.original == code || code.chars().any(|c| c.is_ascii_digit());
    (shaped && is_code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_places() {
        for (text, to, from) in [
            ("Book me a trip to New York next Monday", Some("New York"), None),
            ("book me a flight to nyc tomorrow", Some("nyc"), None),
            ("I want to fly from Austin, TX to San Francisco on 2026-12-01", Some("San Francisco"), Some("Austin, TX")),
            ("I need to attend the summit in Las Vegas for 3 days", Some("Las Vegas"), None),
            ("Book a trip to Paris, France next Monday", Some("Paris, France"), None),
            ("I'd like to book a trip", None, None),
            ("A trip for two nights next week", None, None),
            ("Book Boston", None, None),
        ] {
            let texts = [text];
            let request = Request::read(&texts);
            assert_eq!((request.destination.as_deref(), request.origin.as_deref()), (to, from), "{text}");
        }
    }

    #[test]
    fn completes_a_request_with_replies() {
        let request = Request::read(&["Book me a trip", "New York, please", "next Monday"]);
        assert_eq!(request.intent, Intent::Book);
        assert!(dates::mentions_departure(&request.parts));
        for (texts, destination) in [
            (["Book me a trip next Monday", "New York"], "New York"),
            (["Book me a trip to Paris next Monday", "Boston instead"], "Boston"),
            (["Book me a trip to Boston", "Next Monday, for 3 days"], "Boston"),
            (["Show me flights to Boston tomorrow", "Sounds good, book it"], "Boston"),
            (["Show me flights to Boston tomorrow", "yes"], "Boston"),
            (["A trip to Denver for 9 nights", "only 2 nights"], "Denver"),
            (["A trip to Denver today", "make it tomorrow"], "Denver"),
        ] {
            assert_eq!(Request::read(&texts).destination.as_deref(), Some(destination), "{texts:?}");
        }
    }

    #[test]
    fn drops_earlier_requests() {
        let texts = ["Book a trip to Miami on Friday with a luxury car", "Book a trip to Boston tomorrow"];
        let request = Request::read(&texts);
        assert_eq!((request.car, request.parts.len()), (CarWish::Unspecified, 1));
        let request = Request::read(&["Book a trip to Miami with a luxury car", "a sedan is fine too"]);
        assert_eq!(request.car, CarWish::Category(CarCategory::Sedan));
        assert_eq!(Request::read(&["cancel my booking", "the Boston trip"]).intent, Intent::Cancel);
        assert_eq!(Request::read(&["Book a trip to Paris", "what did you book?"]).intent, Intent::Bookings);
    }

    #[test]
    fn reads_intents() {
        for (text, intent) in [
            ("Book me a trip to New York next Monday", Intent::Book),
            ("what did you book for me?", Intent::Bookings),
            ("Which trips do I have?", Intent::Bookings),
            ("show my bookings", Intent::Bookings),
            ("Cancel my booking AC23456X", Intent::Cancel),
            ("What is the hotel limit in Boston?", Intent::Policy),
            ("Are luxury cars allowed?", Intent::Policy),
            ("Show me flights to Denver on Friday", Intent::Propose),
            ("What day is it today?", Intent::Today),
            ("What does the policy say about rental cars?", Intent::Search),
            ("How much may I spend on dinner in Boston?", Intent::Search),
            ("Book me a trip to Boston with approval", Intent::Book),
            ("What is the weather in Boston?", Intent::Weather),
            ("Where am I?", Intent::Location),
            ("Tell me a long story about travel policy", Intent::Story),
            ("hello", Intent::Other),
        ] {
            assert_eq!(Request::read(&[text]).intent, intent, "{text}");
        }
    }

    #[test]
    fn reads_cars_hotels_and_purposes() {
        let request = Request::read(&["trip to Miami on Friday with a luxury car"]);
        assert_eq!(request.car, CarWish::Category(CarCategory::Luxury));
        assert_eq!(Request::read(&["with an SUV"]).car, CarWish::Category(CarCategory::Suv));
        assert_eq!(Request::read(&["no car please"]).car, CarWish::None);
        assert_eq!(Request::read(&["a rental car"]).car, CarWish::Any);
        assert!(!Request::read(&["Book me a flight to NYC"]).hotel);
        assert_eq!(Request::read(&["family holiday in Miami"]).purpose, Some(Purpose::Personal));
        assert_eq!(Request::read(&["cancel ac7k2m9q"]).code.as_deref(), Some("AC7K2M9Q"));
    }
}
