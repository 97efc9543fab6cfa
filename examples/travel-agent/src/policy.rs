//! The company's travel policy: what is told to people, and the check that holds a trip against it.

use jiff::civil::Date;
use serde::Serialize;

use crate::trip::{CarCategory, Dates, Purpose};

/// What `get_travel_policies` tells.
#[derive(Clone, Debug, Serialize)]
pub struct TravelPolicies {
    /// The rules in words.
    pub rules: Vec<PolicyRule>,
    /// What a hotel may cost, by city.
    pub hotel_caps: Vec<HotelCap>,
}

/// One rule in words.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyRule {
    /// Its name, as it appears in violations.
    pub code: String,
    /// What it says.
    pub rule: String,
}

/// What a night may cost in some cities.
#[derive(Clone, Debug, Serialize)]
pub struct HotelCap {
    /// Upper limit for one night, US dollars.
    pub nightly_usd: u32,
    /// The cities it applies to.
    pub cities: Vec<String>,
}

/// One way in which a trip breaks the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Name of the rule.
    pub rule: String,
    /// What is wrong with this trip.
    pub reason: String,
}

/// What `check_policy` answers.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Whether the trip may be booked as it is.
    pub compliant: bool,
    /// Every rule that it breaks.
    pub violations: Vec<Violation>,
}

impl From<Vec<Violation>> for Verdict {
    fn from(violations: Vec<Violation>) -> Self {
        Self { compliant: violations.is_empty(), violations }
    }
}

/// The numbers of the policy, as they apply to one destination.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub(crate) trip_days: i32,
    pub(crate) notice_days: i32,
    pub(crate) horizon_days: i32,
    pub(crate) fare_usd: u32,
    pub(crate) car_daily_usd: u32,
    pub(crate) hotel_nightly_usd: u32,
}

/// The facts of a trip that the policy speaks about; what is not chosen yet is not judged.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) dates: Dates,
    pub(crate) purpose: Purpose,
    pub(crate) fare_usd: Option<u32>,
    pub(crate) hotel: Option<(String, u32)>,
    pub(crate) car: Option<(String, u32)>,
    pub(crate) car_category: Option<CarCategory>,
}

impl Limits {
    /// Whether a rental is allowed.
    pub(crate) fn allows_car(&self, category: CarCategory, daily_usd: u32) -> bool {
        category != CarCategory::Luxury && daily_usd <= self.car_daily_usd
    }

    /// Every rule that the trip breaks, in the order in which the policy lists them.
    pub(crate) fn violations(&self, facts: &Facts, today: Date) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut add = |rule: &str, reason: String| {
            found.push(Violation { rule: rule.to_owned(), reason });
        };
        if facts.purpose == Purpose::Personal {
            add("business_only", "the company pays for business travel only, and this trip is personal".to_owned());
        }
        let days = facts.dates.days();
        if days > self.trip_days {
            add("trip_days", format!("the trip takes {days} days, and at most {} are allowed", self.trip_days));
        }
        let notice = (facts.dates.departure - today).get_days();
        if notice < 0 {
            add("notice_days", format!("{} is in the past", facts.dates.departure));
        } else if notice < self.notice_days {
            let departure = facts.dates.departure;
            add("notice_days", format!("{departure} is too soon: book at least {} day ahead", self.notice_days));
        } else if notice > self.horizon_days {
            let departure = facts.dates.departure;
            add("horizon_days", format!("{departure} is too far away: book at most {} days ahead", self.horizon_days));
        }
        if let Some(fare) = facts.fare_usd.filter(|fare| *fare > self.fare_usd) {
            add("fare_cap", format!("the flights cost ${fare}, and at most ${} are allowed", self.fare_usd));
        }
        if facts.car_category == Some(CarCategory::Luxury) {
            add("no_luxury_cars", "luxury cars are not allowed".to_owned());
        }
        if let Some((name, daily)) = facts.car.as_ref().filter(|(_, daily)| *daily > self.car_daily_usd) {
            let cap = self.car_daily_usd;
            add("car_daily_cap", format!("{name} costs ${daily} a day, and at most ${cap} are allowed"));
        }
        if let Some((name, nightly)) = facts.hotel.as_ref().filter(|(_, nightly)| *nightly > self.hotel_nightly_usd) {
            let cap = self.hotel_nightly_usd;
            add("hotel_cap", format!("{name} costs ${nightly} a night, and at most ${cap} are allowed in this city"));
        }
        found
    }
}
