//! What a developer types as a filter: a document, or an error that points into the text.
#![no_main]

use connect_console::storage::query::parse_document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = parse_document(text) {
        assert!(error.offset <= text.len(), "{error} at {}", error.offset);
    }
});
