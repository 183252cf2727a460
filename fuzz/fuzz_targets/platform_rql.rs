//! Queries to the local Connect's REST API: read, and asked of objects.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| connect_console::platform::fuzzing::ask(query));
