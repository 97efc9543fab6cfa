use std::collections::HashMap;
use std::path::PathBuf;

use strands::tool;

/// Books.
#[tool]
fn book(
    city: &String,
    dates: &Vec<String>,
    file: &PathBuf,
    nights: &u8,
    hotel: &Option<String>,
    prices: &HashMap<String, f64>,
    seat: &[u8; 2],
    note: &std::string::String,
    span: &(u8, u8),
    stay: &std::time::Duration,
    names: &Vec<&str>,
    guest: &Option<std::sync::Arc<String>>,
    queue: &std::collections::LinkedList<u8>,
) {
    let _ = (city, dates, file, nights, hotel, prices, seat, note, span, stay, names, guest, queue);
}

fn main() {}
