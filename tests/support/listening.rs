//! Programs that say where they listen.

use std::io::{BufRead, BufReader};
use std::process::ChildStderr;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// What stands behind `marker` in a line the program writes once it listens; or what else it said until it ended or the
/// patience did. It is read to its end: who writes would wait if nobody read.
pub(crate) fn listening(said: ChildStderr, marker: &str, patience: Duration) -> Result<String, String> {
    let (tell, told) = channel();
    let lines = BufReader::new(said).lines();
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(tell.send(line))));
    let (deadline, mut before) = (Instant::now() + patience, String::new());
    loop {
        match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => match line.split_once(marker).and_then(|(_, rest)| rest.split_whitespace().next()) {
                Some(address) => return Ok(address.to_owned()),
                None => before.extend([line.as_str(), "\n"]),
            },
            Err(why) => return Err(format!("{why}\n{before}")),
        }
    }
}
