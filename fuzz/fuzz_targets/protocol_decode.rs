//! Frames from Connect: whatever comes, it is a message or an error; a task that was understood can be sent back.
#![no_main]

use connect_console::protocol::{Message, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(Message::Task(task)) = decode(text) else { return };
    let again = decode(&task.encode()).expect("what we send can be read");
    assert!(matches!(again, Message::Task(same) if same.options.task_id == task.options.task_id));
});
