//! A defect of the console itself, provoked in a pseudo terminal: this test program runs itself there once more.

use std::io::Read;

use async_trait::async_trait;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::source::Reading;
use super::*;
use crate::journal::JournalError;
use crate::workbench::{Command, Reply};

/// A session that breaks the thread that draws, which asks it for news.
struct Breaks;

#[async_trait]
impl Source for Breaks {
    async fn command(&self, _: Command) -> Result<Reply, WorkbenchError> {
        Err(WorkbenchError::Failed("nobody asks".into()))
    }

    fn news(&self) -> watch::Receiver<i64> {
        panic!("the drawing broke");
    }

    fn reader(&self) -> Result<Box<dyn Reading>, JournalError> {
        unreachable!("nobody gets that far");
    }
}

#[tokio::test]
#[ignore = "needs a terminal; the test below runs it in one"]
async fn shows_a_session_that_breaks_the_drawing() {
    let outcome = show(async { Ok(Arc::new(Breaks) as Arc<dyn Source>) }, Options::default()).await;
    assert!(matches!(outcome, Err(ConsoleError::Crashed(why)) if why == "the drawing broke"));
}

#[test]
fn a_panic_while_drawing_gives_the_terminal_back_before_it_is_reported() {
    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    let before = format!("{:?}", pair.master.get_termios());
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "console::tests::shows_a_session_that_breaks_the_drawing", "--ignored", "--nocapture"]);
    let mut child = pair.slave.spawn_command(command).unwrap();
    let mut reader = pair.master.try_clone_reader().unwrap();
    let reading = std::thread::spawn(move || {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..n]);
        }
        bytes
    });
    let ended = child.wait().unwrap();
    let after = format!("{:?}", pair.master.get_termios());
    // The end of the text comes when nobody holds the terminal any more.
    drop(pair);
    let text = String::from_utf8(reading.join().unwrap()).unwrap();

    assert!(ended.success(), "{text}");
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what:?} in {text:?}"));
    assert!(place("\x1b[?1049h") < place("\x1b[?1049l"), "the alternate screen is entered and left");
    assert!(place("\x1b[?1049l") < place("the drawing broke"), "the report is not lost with the screen");
    assert!(place("\x1b[?25l") < place("\x1b[?25h"), "the cursor comes back");
    assert_eq!(before, after, "the line settings are as before");
}
