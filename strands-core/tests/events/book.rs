//! The examples of the book: one of each type, as the library reads and writes it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::arbitrary::Fields;
use crate::schema::assert_fits;
use crate::schema_file::event_types;
use crate::{read, type_of, written};

#[test]
fn the_book_has_an_example_of_every_type() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/events.md")).unwrap();
    let blocks = page.split("```json\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let mut shown = BTreeSet::new();
    for example in blocks {
        let json: Value = serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}: {example}"));
        assert_fits(Fields::Known, &json);
        assert_eq!(serde_json::from_str::<Value>(&written(&read(&json))).unwrap(), json);
        shown.insert(type_of(&json).to_owned());
    }
    assert_eq!(shown, event_types().into_iter().collect());
}
