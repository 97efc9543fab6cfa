//! Parser of dates in plain English: "next Monday", "tomorrow", "on 2026-12-01", "December 1st", "for 3 days", "until
//! Friday".

use jiff::{
    ToSpan,
    civil::{Date, Weekday, date},
};

use super::words::{Word, number, starts};

/// The dates of a trip, as far as a conversation has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TripDates {
    pub(super) departure: Option<Date>,
    pub(super) return_: Option<Date>,
    /// True if the length of the trip was given, false if it is assumed.
    pub(super) length_given: bool,
}

/// Reads the dates of a trip from texts, oldest first. Later dates replace earlier ones. `assumed_nights` is the length of
/// the trip if no text has one.
pub(super) fn trip_dates(parts: &[Vec<Word<'_>>], today: Date, assumed_nights: i32) -> TripDates {
    let mut departure = None;
    let mut return_ = None;
    let mut nights = None;
    for part in parts {
        let found = Found::read(part, today, departure);
        departure = found.departure.or(departure);
        if found.return_.is_some() || found.nights.is_some() {
            return_ = found.return_;
            nights = found.nights;
        }
    }
    let length_given = return_.is_some() || nights.is_some();
    let after = |first: Date| first.checked_add(nights.unwrap_or(assumed_nights).days()).ok();
    TripDates { departure, return_: return_.or_else(|| departure.and_then(after)), length_given }
}

/// The dates in one text.
struct Found {
    departure: Option<Date>,
    return_: Option<Date>,
    nights: Option<i32>,
}

impl Found {
    fn read(words: &[Word<'_>], today: Date, known_departure: Option<Date>) -> Self {
        let mut departure = None;
        let mut return_ = None;
        let mut at = 0;
        while at < words.len() {
            let returns = is_return(words, at);
            // A return is relative to the departure: "next Monday until Wednesday" is in one week.
            let reference = departure.or(known_departure.filter(|_| returns)).unwrap_or(today);
            if duration_at(words, at).is_none()
                && let Some((found, length)) = date_at(words, at, reference)
            {
                if departure.is_none() && !returns {
                    departure = Some(found);
                } else if return_.is_none() {
                    return_ = Some(found);
                }
                at += length;
            } else {
                at += 1;
            }
        }
        let nights = (0..words.len()).find_map(|at| duration_at(words, at));
        Self { departure, return_, nights }
    }
}

/// Returns true if a date starts at this word, where the name of a place ends.
pub(super) fn is_date(words: &[Word<'_>], at: usize) -> bool {
    // The result does not depend on the day.
    date_at(words, at, date(2024, 1, 1)).is_some() || duration_at(words, at).is_some()
}

/// Returns true if the texts have a day of departure.
pub(super) fn mentions_departure(parts: &[Vec<Word<'_>>]) -> bool {
    trip_dates(parts, date(2024, 1, 1), 0).departure.is_some()
}

/// Returns true for the name of a month.
pub(super) fn is_month(word: &str) -> bool {
    month(word).is_some()
}

fn is_return(words: &[Word<'_>], at: usize) -> bool {
    let before = |steps: usize| at.checked_sub(steps).and_then(|at| words.get(at)).map(|word| word.lower.as_str());
    let marker = match before(1) {
        Some("on" | "by" | "the" | "home") => before(2),
        word => word,
    };
    matches!(marker, Some("until" | "till" | "through" | "thru" | "to" | "return" | "returning" | "back"))
}

/// Returns a date at this word, relative to `from`, and its number of words.
fn date_at(words: &[Word<'_>], at: usize, from: Date) -> Option<(Date, usize)> {
    let word = |offset: usize| words.get(at + offset).map(|word| word.lower.as_str());
    let first = word(0)?;
    if let Ok(date) = first.parse::<Date>()
        && first.contains('-')
    {
        return Some((date, 1));
    }
    match first {
        "today" => return Some((from, 1)),
        "tomorrow" => return Some((from.tomorrow().ok()?, 1)),
        "day" if starts(words, at, "day after tomorrow") => {
            return Some((from.checked_add(2.days()).ok()?, 3));
        }
        "in" => {
            let count = number(word(1)?)?;
            let span = match word(2)? {
                "day" | "days" => count.days(),
                "week" | "weeks" => count.weeks(),
                _ => return None,
            };
            return Some((from.checked_add(span).ok()?, 3));
        }
        "next" if word(1) == Some("week") => return Some((following(from, Weekday::Monday)?, 2)),
        "next" | "this" | "coming" => return Some((following(from, weekday(word(1)?)?)?, 2)),
        _ => {}
    }
    if let Some(weekday) = weekday(first) {
        return Some((following(from, weekday)?, 1));
    }
    if let Some((month, day)) = slashed(first) {
        return Some((upcoming(from, month, day, None)?, 1));
    }
    if let (Some(month), Some(day)) = (month(first), word(1).and_then(ordinal)) {
        let year = word(2).and_then(year);
        return Some((upcoming(from, month, day, year)?, 2 + usize::from(year.is_some())));
    }
    let of = usize::from(word(1) == Some("of"));
    if let (Some(day), Some(month)) = (ordinal(first), word(1 + of).and_then(month)) {
        let year = word(2 + of).and_then(year);
        return Some((upcoming(from, month, day, year)?, 2 + of + usize::from(year.is_some())));
    }
    None
}

/// Returns the nights of "for 3 days", "two nights", "a week", "3-day trip".
fn duration_at(words: &[Word<'_>], at: usize) -> Option<i32> {
    let word = |offset: usize| words.get(at + offset).map(|word| word.lower.as_str());
    let previous = at.checked_sub(1).and_then(|at| words.get(at)).map(|word| word.lower.as_str());
    if starts(words, at, "day trip") && previous.and_then(number).is_none_or(|count| count <= 1) {
        return Some(0);
    }
    let (count, unit) = match word(0)?.split_once('-') {
        Some((count, unit)) => (number(count)?, unit),
        // "in 3 days" is a date, not a length.
        None if matches!(previous, Some("in" | "least" | "most")) => return None,
        None => (number(word(0)?)?, word(1)?),
    };
    match unit {
        "night" | "nights" => Some(count),
        "day" | "days" => (!starts(words, at + 1, "day trip")).then(|| (count - 1).max(0)),
        "week" | "weeks" => Some((count * 7 - 1).max(0)),
        _ => None,
    }
}

/// Returns the first such weekday after a day.
fn following(from: Date, weekday: Weekday) -> Option<Date> {
    from.nth_weekday(1, weekday).ok()
}

/// Returns the next such day of the year, including `from`.
fn upcoming(from: Date, month: i8, day: i8, year: Option<i16>) -> Option<Date> {
    if let Some(year) = year {
        return Date::new(year, month, day).ok();
    }
    let this_year = Date::new(from.year(), month, day).ok();
    this_year.filter(|date| *date >= from).or_else(|| Date::new(from.year() + 1, month, day).ok())
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" | "mon" => Weekday::Monday,
        "tuesday" | "tue" | "tues" => Weekday::Tuesday,
        "wednesday" | "wed" => Weekday::Wednesday,
        "thursday" | "thu" | "thurs" => Weekday::Thursday,
        "friday" | "fri" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let short = |name: &str| name.get(..3) == Some(word) || (word == "sept" && name == "september");
    let index = MONTHS.iter().position(|name| *name == word || short(name))?;
    i8::try_from(index + 1).ok()
}

fn ordinal(word: &str) -> Option<i8> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = word.strip_prefix(digits)?;
    if !matches!(suffix, "" | "st" | "nd" | "rd" | "th") {
        return None;
    }
    digits.parse().ok().filter(|day| (1..=31).contains(day))
}

fn year(word: &str) -> Option<i16> {
    word.parse().ok().filter(|year| (2000..=2999).contains(year))
}

/// Parses "12/1", with the month first as in the USA.
fn slashed(word: &str) -> Option<(i8, i8)> {
    let (month, day) = word.split_once('/')?;
    Some((month.parse().ok()?, day.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{super::words::words, *};

    /// A Sunday.
    const TODAY: Date = date(2026, 11, 22);

    #[track_caller]
    fn check(text: &str, departure: Date, return_: Date) {
        let found = trip_dates(&[words(text)], TODAY, 2);
        assert_eq!((found.departure, found.return_), (Some(departure), Some(return_)), "{text}");
    }

    #[test]
    fn reads_days_of_departure() {
        for (text, day) in [
            ("Book me a trip to New York next Monday", date(2026, 11, 23)),
            ("fly to Boston tomorrow", date(2026, 11, 23)),
            ("the day after tomorrow, please", date(2026, 11, 24)),
            ("on Sunday", date(2026, 11, 29)),
            ("on 2026-12-01", date(2026, 12, 1)),
            ("on December 1st", date(2026, 12, 1)),
            ("on the 1st of December", date(2026, 12, 1)),
            ("Jan 5", date(2027, 1, 5)),
            ("on March 3, 2027", date(2027, 3, 3)),
            ("leaving 12/1", date(2026, 12, 1)),
            ("in two weeks", date(2026, 12, 6)),
            ("sometime next week", date(2026, 11, 23)),
        ] {
            check(text, day, day.checked_add(2.days()).unwrap());
        }
    }

    #[test]
    fn reads_lengths_and_days_of_return() {
        let monday = date(2026, 11, 23);
        for (text, day) in [
            ("next Monday for 3 days", date(2026, 11, 25)),
            ("next Monday, for three nights", date(2026, 11, 26)),
            ("a 4-day trip from Monday", date(2026, 11, 26)),
            ("next Monday for a week", date(2026, 11, 29)),
            ("Monday until Friday", date(2026, 11, 27)),
            ("Monday to Wednesday", date(2026, 11, 25)),
            ("leaving Monday, returning on Thursday", date(2026, 11, 26)),
            ("from 2026-11-23 to 2026-11-24", date(2026, 11, 24)),
            ("a day trip on Monday", monday),
        ] {
            check(text, monday, day);
        }
    }

    #[test]
    fn ignores_texts_without_dates() {
        for text in ["Book me a trip to New York", "I may travel", "march on", "for 3 days", "until Friday"] {
            assert_eq!(trip_dates(&[words(text)], TODAY, 2).departure, None, "{text}");
            assert!(!mentions_departure(&[words(text)]), "{text}");
        }
    }

    #[test]
    fn replaces_earlier_dates_by_later_ones() {
        let read = |texts: &[&str]| {
            let parts: Vec<_> = texts.iter().map(|text| words(text)).collect();
            let found = trip_dates(&parts, TODAY, 2);
            (found.departure.unwrap(), found.return_.unwrap())
        };
        let monday = date(2026, 11, 23);
        assert_eq!(read(&["next Monday for 9 nights", "make it 3 nights"]), (monday, date(2026, 11, 26)));
        assert_eq!(read(&["next Monday", "until Friday"]), (monday, date(2026, 11, 27)));
        assert_eq!(read(&["today for 3 days", "tomorrow then"]), (monday, date(2026, 11, 25)));
        assert_eq!(read(&["a 3-day trip", "on Monday"]), (monday, date(2026, 11, 25)));
    }
}
