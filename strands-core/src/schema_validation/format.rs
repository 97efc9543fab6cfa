//! String formats: examples for messages, and checks of the formats that can be verified.
//!
//! A format never rejects a value: it is an annotation in draft 2020-12. If a type's `Deserialize` rejects a value, the
//! checks find the string that caused it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A known format.
pub(super) struct Format {
    name: &'static str,
    words: &'static str,
    example: &'static str,
    check: fn(&str) -> bool,
}

const FORMATS: [Format; 13] = [
    Format {
        name: "date-time",
        words: "a date and time with offset (RFC 3339)",
        example: "2026-11-28T10:00:00Z",
        check: is_date_time,
    },
    Format { name: "date", words: "a date", example: "2026-11-28", check: is_date },
    Format { name: "time", words: "a time with offset", example: "10:00:00Z", check: is_time },
    Format {
        name: "partial-date-time",
        words: "a date and time without offset",
        example: "2026-11-28T10:00:00",
        check: is_partial_date_time,
    },
    Format { name: "partial-time", words: "a time without offset", example: "10:00:00", check: is_partial_time },
    Format {
        name: "zoned-date-time",
        words: "a date and time with time zone",
        example: "2026-11-28T10:00:00+01:00[Europe/Oslo]",
        check: is_zoned,
    },
    Format { name: "duration", words: "an ISO 8601 duration", example: "P3DT4H", check: is_duration },
    Format { name: "uuid", words: "a UUID", example: "123e4567-e89b-12d3-a456-426614174000", check: is_uuid },
    Format { name: "ip", words: "an IP address", example: "192.0.2.1", check: |text| text.parse::<IpAddr>().is_ok() },
    Format {
        name: "ipv4",
        words: "an IPv4 address",
        example: "192.0.2.1",
        check: |text| text.parse::<Ipv4Addr>().is_ok(),
    },
    Format {
        name: "ipv6",
        words: "an IPv6 address",
        example: "2001:db8::1",
        check: |text| text.parse::<Ipv6Addr>().is_ok(),
    },
    Format { name: "uri", words: "a URI", example: "https://example.com/a", check: is_uri },
    Format { name: "email", words: "an email address", example: "ann@example.com", check: is_email },
];

impl Format {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// Describes the format: "a date, such as `2026-11-28`".
    pub(super) fn described(&self) -> String {
        format!("{}, such as `{}`", self.words, self.example)
    }

    pub(super) fn fits(&self, text: &str) -> bool {
        (self.check)(text)
    }
}

fn is_date_time(text: &str) -> bool {
    split_date(text).is_some_and(|(date, time)| is_date(date) && is_time(time))
}

fn is_partial_date_time(text: &str) -> bool {
    split_date(text).is_some_and(|(date, time)| is_date(date) && is_partial_time(time))
}

fn is_zoned(text: &str) -> bool {
    text.strip_suffix(']')
        .and_then(|text| text.split_once('['))
        .is_some_and(|(moment, zone)| !zone.is_empty() && split_date(moment).is_some_and(|(date, _)| is_date(date)))
}

fn split_date(text: &str) -> Option<(&str, &str)> {
    text.split_once(['T', 't', ' '])
}

fn is_date(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2)) else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn is_time(text: &str) -> bool {
    let Some(at) = text.find(['Z', 'z', '+', '-']) else { return false };
    let Some((time, offset)) = text.split_at_checked(at) else { return false };
    let is_offset = match offset.strip_prefix(['+', '-']) {
        Some(offset) => offset.split_once(':').is_some_and(|(hours, minutes)| {
            digits(hours, 2).is_some_and(|hours| hours < 24) && digits(minutes, 2).is_some_and(|minutes| minutes < 60)
        }),
        None => offset.len() == 1,
    };
    is_offset && is_partial_time(time)
}

fn is_partial_time(text: &str) -> bool {
    // Date libraries also accept times without seconds.
    let parts: Vec<_> = text.split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes, seconds] => (hours, minutes, *seconds),
        [hours, minutes] => (hours, minutes, "00"),
        _ => return false,
    };
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let is_below = |text: &str, end: u32| digits(text, 2).is_some_and(|number| number < end);
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    is_below(hours, 24) && is_below(minutes, 60) && is_below(seconds, 61) && is_fraction
}

fn digits(text: &str, count: usize) -> Option<u32> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Checks an ISO 8601 duration as in RFC 3339, also in lower case and with fractions, which date libraries accept.
fn is_duration(text: &str) -> bool {
    let Some(text) = text.trim_start_matches(['-', '+']).strip_prefix(['P', 'p']) else { return false };
    let (date, time) = text.split_once(['T', 't']).map_or((text, None), |(date, time)| (date, Some(time)));
    let are_parts = |text: &str, units: &str| {
        let mut units = units.chars();
        let mut number = String::new();
        for letter in text.chars() {
            if letter.is_ascii_digit() || letter == '.' || letter == ',' {
                number.push(letter);
            } else if number.is_empty() || !units.any(|unit| unit == letter.to_ascii_uppercase()) {
                return false;
            } else {
                number.clear();
            }
        }
        number.is_empty()
    };
    let is_time = time.is_none_or(|time| !time.is_empty() && are_parts(time, "HMS"));
    is_time && are_parts(date, "YMWD") && !(date.is_empty() && time.is_none())
}

fn is_uuid(text: &str) -> bool {
    uuid::Uuid::parse_str(text).is_ok()
}

fn is_uri(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    !text.contains(char::is_whitespace)
        && text.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty())
}

fn is_email(text: &str) -> bool {
    !text.contains(char::is_whitespace)
        && text.rsplit_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_have_their_format() {
        for format in &FORMATS {
            assert!(format.fits(format.example), "{}", format.name);
            assert!(!format.fits("tomorrow"), "{}", format.name);
        }
    }

    #[test]
    fn checks_dates_and_times_by_the_calendar() {
        for (format, fits, fits_not) in [
            ("date", "2024-02-29", "2026-02-29"),
            ("date", "2026-12-31", "2026-13-01"),
            ("date-time", "2026-11-28T10:00:00.5+01:00", "2026-11-28T10:00:00"),
            ("date-time", "2026-11-28t23:59:60z", "2026-11-28T24:00:00Z"),
            ("partial-date-time", "2026-11-28T10:00:00", "2026-11-28T10:00:00Z"),
            ("time", "10:00:00-08:00", "10:00"),
            ("duration", "PT0.5S", "PT"),
            ("duration", "P1W", "1h"),
        ] {
            let checks = Format::named(format).unwrap();
            assert!(checks.fits(fits) && !checks.fits(fits_not), "{format} {fits} {fits_not}");
        }
    }
}
