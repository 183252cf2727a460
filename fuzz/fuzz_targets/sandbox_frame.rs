//! Frames of the MongoDB wire protocol, as whoever reaches the port may send them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| connect_console::sandbox::fuzzing::decode_frame(frame));
