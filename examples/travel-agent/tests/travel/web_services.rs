//! The weather and the location of network addresses, against scripted servers.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use jiff::civil::{Date, date};
use serde_json::{Value, json};
use strands_testkit::{Cut, Response, Server, ports::RefusedPort};
use travel_agent::{
    location::{Basis, ClientAddress, GeoIp, LocationError},
    store::Store,
    trip::Traveller,
    weather::{Weather, WeatherError},
    web::WebError,
};

const TODAY: Date = date(2026, 11, 22);

fn forecast() -> Value {
    json!({"latitude": 42.36, "daily_units": {"temperature_2m_max": "°F"}, "daily": {
        "time": ["2026-11-23"], "weather_code": [61], "temperature_2m_max": [48.2], "temperature_2m_min": [39.9],
        "precipitation_probability_max": [80]
    }})
}

fn alice() -> Traveller {
    Store::in_memory().unwrap().traveller("alice").unwrap()
}

async fn weather_in_boston(url: &str, day: Date) -> Result<travel_agent::weather::Forecast, WeatherError> {
    let boston = Store::in_memory().unwrap().city("Boston").unwrap();
    Weather::new(Some(url)).unwrap().forecast(&boston, day, TODAY).await
}

#[tokio::test]
async fn returns_the_forecast_of_a_day() {
    let server = Server::repeat(Response::json(200, &forecast())).await;
    let found = weather_in_boston(&format!("{}/v1/forecast", server.url()), date(2026, 11, 23)).await.unwrap();
    assert_eq!((found.city.as_str(), found.conditions, found.high_f), ("Boston, MA", "rain", 48.2));
    assert_eq!((found.date, found.precipitation_percent), (date(2026, 11, 23), Some(80)));
    let request = &server.requests()[0];
    assert!(request.path.starts_with("/v1/forecast"), "{}", request.path);
    for (name, value) in [
        ("latitude", "42.36"),
        ("longitude", "-71.06"),
        ("start_date", "2026-11-23"),
        ("end_date", "2026-11-23"),
        ("temperature_unit", "fahrenheit"),
    ] {
        assert_eq!(request.parameter(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn rejects_days_without_a_forecast_before_asking() {
    let server = Server::sequence([]).await;
    for day in [date(2026, 11, 21), date(2026, 12, 8), date(9999, 12, 31)] {
        let error = weather_in_boston(&server.url(), day).await.unwrap_err();
        assert!(matches!(error, WeatherError::OutOfRange { .. }), "{error}");
        assert!(error.to_string().contains("2026-12-07"), "{error}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn failures_have_types_and_limits() {
    let huge = format!("{{\"x\": \"{}\"}}", "x".repeat(10 << 20));
    let mut incomplete = forecast();
    incomplete["daily"]["weather_code"] = json!([]);
    type Expected = fn(&WebError) -> bool;
    let invalid: Expected = |error| matches!(error, WebError::Invalid { .. });
    let cases: [(Response, Expected); 7] = [
        (Response::new(500), |error| matches!(error, WebError::Status { status: 500, .. })),
        (Response::new(302).header("location", "http://169.254.169.254/"), |error| {
            matches!(error, WebError::Status { status: 302, .. })
        }),
        (Response::new(200).body("<script>alert(1)</script>"), invalid),
        (Response::json(200, &incomplete), invalid),
        (Response::new(200).body(huge), invalid),
        (Response::json(200, &forecast()).cut_at(20, Cut::Reset), |error| {
            matches!(error, WebError::Unreachable { .. })
        }),
        (Response::garbage("nonsense"), |error| matches!(error, WebError::Unreachable { .. })),
    ];
    for (response, is_expected) in cases {
        let server = Server::repeat(response).await;
        match weather_in_boston(&server.url(), TODAY).await.unwrap_err() {
            WeatherError::Web(error) => assert!(is_expected(&error), "{error:?}"),
            error => panic!("{error:?}"),
        }
    }
    let refused = RefusedPort::bind();
    let error = weather_in_boston(&refused.url(), TODAY).await.unwrap_err();
    assert!(matches!(error, WeatherError::Web(WebError::Unreachable { .. })), "{error}");
    for url in ["http://weather.example/", "ftp://127.0.0.1/", "nonsense"] {
        assert!(matches!(Weather::new(Some(url)), Err(WebError::Address { .. })), "{url}");
    }
}

#[tokio::test]
async fn ends_slow_requests_by_a_limit_or_when_they_are_dropped() {
    let server = Server::repeat(Response::json(200, &forecast()).stall_at(10)).await;
    let url = server.url();
    tokio::select! {
        _ = weather_in_boston(&url, TODAY) => panic!("it responded"),
        () = server.stalled() => {}
    }
    server.client_gone().await;
    let began = Instant::now();
    let error = weather_in_boston(&url, TODAY).await.unwrap_err();
    assert!(matches!(error, WeatherError::Web(WebError::Unreachable { .. })), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

fn address(text: &str) -> ClientAddress {
    ClientAddress(Some(text.parse::<IpAddr>().unwrap()))
}

#[tokio::test]
async fn private_addresses_are_at_home_and_are_sent_to_nobody() {
    let server = Server::sequence([]).await;
    let geo_ip = GeoIp::new(Some(&format!("{}/{{ip}}/json", server.url()))).unwrap();
    let private = ["127.0.0.1", "10.1.2.3", "192.168.0.7", "172.16.0.1", "100.64.1.1", "169.254.3.4", "0.0.0.0", "::1"];
    for text in private.into_iter().chain(["fd00::1", "fe80::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1"]) {
        let found = geo_ip.locate(address(text), &alice()).await.unwrap();
        assert_eq!((found.place.as_str(), found.basis), ("Denver, CO", Basis::HomeCity), "{text}");
    }
    assert_eq!(geo_ip.locate(ClientAddress(None), &alice()).await.unwrap().basis, Basis::HomeCity);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn public_addresses_are_looked_up() {
    let nasty = format!("Boston\u{1b}[31m{}", "!".repeat(500));
    let server = Server::sequence([
        Response::json(200, &json!({"city": "Boston", "region": "Massachusetts", "country": "US", "org": "x"})),
        Response::json(200, &json!({"city": "Boston", "regionName": "Massachusetts", "countryCode": "US"})),
        Response::json(200, &json!({"city": nasty})),
        Response::json(200, &json!({"city": null, "error": true})),
        Response::new(429),
    ])
    .await;
    let geo_ip = GeoIp::new(Some(&format!("{}/{{ip}}/json", server.url()))).unwrap();
    for text in ["203.0.113.9", "2001:db8::7"] {
        let found = geo_ip.locate(address(text), &alice()).await.unwrap();
        assert_eq!((found.place.as_str(), found.basis), ("Boston, Massachusetts, US", Basis::NetworkAddress));
    }
    let paths: Vec<_> = server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/203.0.113.9/json", "/2001:db8::7/json"]);
    let found = geo_ip.locate(address("203.0.113.9"), &alice()).await.unwrap();
    assert!(found.place.len() <= 60 && !found.place.contains('\u{1b}'), "{found:?}");
    let error = geo_ip.locate(address("203.0.113.9"), &alice()).await.unwrap_err();
    assert!(matches!(error, LocationError::Unknown), "{error}");
    let error = geo_ip.locate(address("203.0.113.9"), &alice()).await.unwrap_err();
    assert!(error.to_string().contains("status 429") && error.to_string().contains("ask the traveller"), "{error}");

    let unconfigured = GeoIp::new(None).unwrap().locate(address("203.0.113.9"), &alice()).await.unwrap_err();
    assert!(matches!(unconfigured, LocationError::NoService), "{unconfigured}");
    assert!(GeoIp::new(Some("http://127.0.0.1/no-address")).is_err());
}
