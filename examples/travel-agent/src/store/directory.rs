//! Directory: cities, policies and employees.

use rusqlite::{Connection, OptionalExtension, Row, params};
use strands::identity::Identity;

use super::Store;
use crate::{
    access,
    error::TravelError,
    policy::{HotelCap, Limits, PolicyRule, TravelPolicies},
    trip::{City, Traveller},
};

impl Store {
    /// Returns the employee of an identity. A user whom an identity provider has verified, with a full name, becomes one.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::UnknownUser`] if there is none, and none is made.
    pub fn employee(&self, identity: &Identity) -> Result<Traveller, TravelError> {
        let username = access::username(identity).to_lowercase();
        match (self.traveller(&username), access::full_name(identity)) {
            (Err(TravelError::UnknownUser { .. }), Some(name)) => {
                self.write(|transaction| {
                    let insert = "INSERT INTO employees (id, username, name, email, department, home_city)
                         VALUES ('U-' || ?1, ?1, ?2, ?1 || '@acmecorp.example', 'New employees', 'DEN')
                         ON CONFLICT DO NOTHING";
                    Ok(transaction.execute(insert, [&*username, name])?)
                })?;
                self.traveller(&username)
            }
            (found, _) => found,
        }
    }

    /// Returns the employee with a user name.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::UnknownUser`] if there is none.
    pub fn traveller(&self, username: &str) -> Result<Traveller, TravelError> {
        self.read(|connection| {
            let found = connection
                .query_row(
                    "SELECT e.id, e.username, e.name, e.department, c.code, c.name, c.state, c.tier, c.latitude, c.longitude
                     FROM employees e JOIN cities c ON c.code = e.home_city WHERE e.username = lower(?1)",
                    [username],
                    |row| {
                        Ok(Traveller {
                            id: row.get(0)?,
                            username: row.get(1)?,
                            name: row.get(2)?,
                            department: row.get(3)?,
                            home: city_from(row, 4)?,
                        })
                    },
                )
                .optional()?;
            match found {
                Some(traveller) => Ok(traveller),
                None => Err(TravelError::UnknownUser { user: username.to_owned() }),
            }
        })
    }

    /// Returns the city with a name, a code or a nickname.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::OutsideUsa`] for a known place abroad, and [`TravelError::UnknownCity`] for any other.
    pub fn city(&self, place: &str) -> Result<City, TravelError> {
        self.read(|connection| city(connection, place))
    }

    /// Returns the policy in words.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Database`] if it can't be read.
    pub fn policies(&self) -> Result<TravelPolicies, TravelError> {
        self.read(|connection| {
            let rules = connection
                .prepare("SELECT code, rule, amount FROM policies ORDER BY rank")?
                .query_map([], |row| {
                    let rule: String = row.get(1)?;
                    let amount: Option<i64> = row.get(2)?;
                    let rule = amount.map_or_else(|| rule.clone(), |amount| rule.replace("{}", &amount.to_string()));
                    Ok(PolicyRule { code: row.get(0)?, rule })
                })?
                .collect::<Result<_, _>>()?;
            let hotel_caps = connection
                .prepare(
                    "SELECT h.nightly_usd, group_concat(c.name, '|' ORDER BY c.name)
                     FROM hotel_caps h JOIN cities c USING (tier) GROUP BY tier ORDER BY tier",
                )?
                .query_map([], |row| {
                    let cities: String = row.get(1)?;
                    Ok(HotelCap { nightly_usd: row.get(0)?, cities: cities.split('|').map(str::to_owned).collect() })
                })?
                .collect::<Result<_, _>>()?;
            Ok(TravelPolicies { rules, hotel_caps })
        })
    }
}

pub(super) fn city(connection: &Connection, place: &str) -> Result<City, TravelError> {
    let full = place.trim().to_lowercase();
    // "Austin, TX" and "Paris, France" are looked up as written first, then by the part before the comma.
    let short = full.split(',').next().unwrap_or_default().trim();
    let mut by_name = connection.prepare(
        "SELECT code, name, state, tier, latitude, longitude FROM cities
         WHERE lower(name) = ?1 OR lower(code) = ?1 OR lower(airport) = ?1 OR lower(name || ', ' || state) = ?1
            OR code = (SELECT city FROM city_aliases WHERE alias = ?1)",
    )?;
    let mut abroad = connection.prepare("SELECT country FROM foreign_places WHERE name = ?1")?;
    let region = full.split_once(',').map(|(_, region)| region.trim());
    if let Some(country) =
        region.map(|region| abroad.query_row([region], |row| row.get(0)).optional()).transpose()?.flatten()
    {
        return Err(TravelError::OutsideUsa { place: place.trim().to_owned(), country });
    }
    for name in [full.as_str(), short] {
        if let Some(city) = by_name.query_row([name], |row| city_from(row, 0)).optional()? {
            return Ok(city);
        }
        if let Some(country) = abroad.query_row([name], |row| row.get(0)).optional()? {
            return Err(TravelError::OutsideUsa { place: place.trim().to_owned(), country });
        }
    }
    let served = strings(connection, "SELECT name FROM cities ORDER BY name")?.join(", ");
    Err(TravelError::UnknownCity { place: place.trim().to_owned(), served })
}

pub(super) fn limits(connection: &Connection, destination: &City) -> Result<Limits, TravelError> {
    let mut amounts = connection.prepare("SELECT amount FROM policies WHERE code = ?1")?;
    let mut amount = |code: &str| amounts.query_row([code], |row| row.get(0));
    Ok(Limits {
        trip_days: amount("trip_days")?,
        notice_days: amount("notice_days")?,
        horizon_days: amount("horizon_days")?,
        fare_usd: u32::try_from(amount("fare_cap")?).unwrap_or_default(),
        car_daily_usd: u32::try_from(amount("car_daily_cap")?).unwrap_or_default(),
        hotel_nightly_usd: connection.query_row(
            "SELECT nightly_usd FROM hotel_caps WHERE tier = ?1",
            params![destination.tier],
            |row| row.get(0),
        )?,
    })
}

/// Reads a city from six columns, starting at `first`.
fn city_from(row: &Row<'_>, first: usize) -> Result<City, rusqlite::Error> {
    Ok(City {
        code: row.get(first)?,
        name: row.get(first + 1)?,
        state: row.get(first + 2)?,
        tier: row.get(first + 3)?,
        latitude: row.get(first + 4)?,
        longitude: row.get(first + 5)?,
    })
}

fn strings(connection: &Connection, query: &str) -> Result<Vec<String>, rusqlite::Error> {
    connection.prepare(query)?.query_map([], |row| row.get(0))?.collect()
}
