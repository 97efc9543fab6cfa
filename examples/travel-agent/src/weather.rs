//! Weather forecasts of Open-Meteo, or of a service with the same interface.

use jiff::{ToSpan, civil::Date};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::{
    error::TravelError,
    trip::City,
    web::{WebError, WebService},
};

const DEFAULT_URL: &str = "https://api.open-meteo.com/v1/forecast";
/// The last day of a forecast, counted from today.
const LAST_DAY: i32 = 15;

/// The weather of one day in a city.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// City.
    pub city: String,
    /// Day of the forecast, YYYY-MM-DD.
    pub date: Date,
    /// The sky and the precipitation, in words.
    pub conditions: &'static str,
    /// Highest temperature, degrees Fahrenheit.
    pub high_f: f64,
    /// Lowest temperature, degrees Fahrenheit.
    pub low_f: f64,
    /// Probability of precipitation, percent.
    pub precipitation_percent: Option<u8>,
    /// The service that made the forecast.
    pub source: String,
}

/// An error of a forecast.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeatherError {
    /// No forecast for this day.
    #[error("there is no forecast for {date}: choose a day until {last}")]
    OutOfRange {
        /// The requested day.
        date: Date,
        /// The last day with a forecast.
        last: Date,
    },
    /// The travel desk does not serve this city.
    #[error(transparent)]
    City(#[from] TravelError),
    /// The service has failed.
    #[error(transparent)]
    Web(#[from] WebError),
}

/// The weather service.
#[derive(Clone, Debug)]
pub struct Weather {
    url: Url,
    service: WebService,
}

/// The part of the response that matters.
#[derive(Deserialize)]
struct Response {
    daily: Daily,
}

#[derive(Deserialize)]
struct Daily {
    time: [Date; 1],
    weather_code: [u8; 1],
    temperature_2m_max: [f64; 1],
    temperature_2m_min: [f64; 1],
    precipitation_probability_max: [Option<u8>; 1],
}

impl Weather {
    /// Creates a client for the service at this URL, by default Open-Meteo.
    ///
    /// # Errors
    ///
    /// Returns [`WebError::Address`] if the URL is invalid.
    pub fn new(url: Option<&str>) -> Result<Self, WebError> {
        let url = Url::parse(url.unwrap_or(DEFAULT_URL)).map_err(|_| WebError::Address { service: "weather" })?;
        Ok(Self { service: WebService::new("weather", &url)?, url })
    }

    /// Returns the forecast for a city on a day.
    ///
    /// # Errors
    ///
    /// Returns [`WeatherError::OutOfRange`] if the day is in the past or too far away, and [`WeatherError::Web`] if the service
    /// fails.
    pub async fn forecast(&self, city: &City, date: Date, today: Date) -> Result<Forecast, WeatherError> {
        let last = today.saturating_add(LAST_DAY.days());
        if !(today..=last).contains(&date) {
            return Err(WeatherError::OutOfRange { date, last });
        }
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("latitude", &city.latitude.to_string())
            .append_pair("longitude", &city.longitude.to_string())
            .append_pair("daily", "weather_code,temperature_2m_max,temperature_2m_min,precipitation_probability_max")
            .append_pair("temperature_unit", "fahrenheit")
            .append_pair("timezone", "auto")
            .append_pair("start_date", &date.to_string())
            .append_pair("end_date", &date.to_string());
        let Response { daily } = self.service.get(url).await?;
        let ([date], [code]) = (daily.time, daily.weather_code);
        let ([high_f], [low_f]) = (daily.temperature_2m_max, daily.temperature_2m_min);
        let [precipitation_percent] = daily.precipitation_probability_max;
        let source = self.url.host_str().unwrap_or_default().to_owned();
        let conditions = conditions(code);
        Ok(Forecast { city: city.to_string(), date, conditions, high_f, low_f, precipitation_percent, source })
    }
}

/// Returns the words for a weather code of the World Meteorological Organization.
fn conditions(code: u8) -> &'static str {
    match code {
        0 => "clear sky",
        1 | 2 => "partly cloudy",
        3 => "overcast",
        45 | 48 => "fog",
        51..=57 => "drizzle",
        61..=67 => "rain",
        71..=77 => "snow",
        80..=82 => "rain showers",
        85 | 86 => "snow showers",
        95..=99 => "thunderstorms",
        _ => "unknown conditions",
    }
}
