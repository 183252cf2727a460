//! What a developer types as a filter or a pipeline: a document or a value, or an error that points into the text; and what was
//! read can be written down and read again.
#![no_main]

use connect_console::storage::query::{canonical, parse_document, parse_value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse_document(text) {
        Err(error) => assert!(error.offset <= text.len(), "{error} at {}", error.offset),
        Ok(document) => {
            let written = canonical(&document).to_string();
            let again = parse_document(&written).expect("what we write can be read");
            // As text: NaN is not equal to itself.
            assert_eq!(format!("{document:?}"), format!("{again:?}"));
        }
    }
    if let Err(error) = parse_value(text) {
        assert!(error.offset <= text.len(), "{error} at {}", error.offset);
    }
});
