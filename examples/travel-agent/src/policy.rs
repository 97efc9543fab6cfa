//! Travel policy of the company: its rules, and the check of a trip.

use jiff::civil::Date;
use serde::Serialize;

use crate::trip::{CarCategory, Dates, Purpose};

/// The rules that are limits of costs: a manager may approve more.
const COST_LIMITS: [&str; 3] = ["fare_cap", "hotel_cap", "car_daily_cap"];

/// The result of `get_travel_policies`.
#[derive(Clone, Debug, Serialize)]
pub struct TravelPolicies {
    /// The rules in words.
    pub rules: Vec<PolicyRule>,
    /// The caps of hotel rates.
    pub hotel_caps: Vec<HotelCap>,
}

/// A rule in words.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyRule {
    /// Its name, as it appears in violations.
    pub code: String,
    /// The text of the rule.
    pub rule: String,
}

/// The cap of the hotel rate in some cities.
#[derive(Clone, Debug, Serialize)]
pub struct HotelCap {
    /// Upper limit for one night, US dollars.
    pub nightly_usd: u32,
    /// The cities it applies to.
    pub cities: Vec<String>,
}

/// A violation of the policy by a trip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Name of the rule.
    pub rule: String,
    /// The reason, for the traveller.
    pub reason: String,
    /// True if a manager may approve the trip all the same.
    pub approvable: bool,
}

/// The result of `check_policy`.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// True if the trip is within policy.
    pub compliant: bool,
    /// True if the trip only exceeds cost limits, so that it can be booked with a manager's approval.
    pub needs_approval: bool,
    /// All violations.
    pub violations: Vec<Violation>,
}

impl From<Vec<Violation>> for Verdict {
    fn from(violations: Vec<Violation>) -> Self {
        let needs_approval = !violations.is_empty() && violations.iter().all(|violation| violation.approvable);
        Self { compliant: violations.is_empty(), needs_approval, violations }
    }
}

/// The limits of the policy for one destination.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub(crate) trip_days: i32,
    pub(crate) notice_days: i32,
    pub(crate) horizon_days: i32,
    pub(crate) fare_usd: u32,
    pub(crate) car_daily_usd: u32,
    pub(crate) hotel_nightly_usd: u32,
}

/// The facts of a trip for the policy check. Facts that are not decided yet are not checked.
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
    /// Returns true if a rental is within policy.
    pub(crate) fn allows_car(&self, category: CarCategory, daily_usd: u32) -> bool {
        category != CarCategory::Luxury && daily_usd <= self.car_daily_usd
    }

    /// Returns all violations of a trip, in the order of the policy.
    pub(crate) fn violations(&self, facts: &Facts, today: Date) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut add = |rule: &str, reason: String| {
            let approvable = COST_LIMITS.contains(&rule);
            found.push(Violation { rule: rule.to_owned(), reason, approvable });
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
