//! The built program in a pseudo terminal: what is typed, and what the screen shows then.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // shared by several test programs

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system};
use vt100::{Parser, Screen};

/// How long anything may take before a test gives up on it.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the terminal has been sent so far.
struct Shown {
    parser: Parser,
    bytes: Vec<u8>,
    last: Instant,
}

/// A terminal with the program in it. The program is killed when this is dropped.
pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    /// Kept open, so that the terminal outlives the program and can be looked at.
    _slave: Box<dyn SlavePty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    /// How the terminal was set before the program started.
    settings: String,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn some(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

/// The built program with a data directory of its own and nothing of the tester's environment that would change it.
pub(crate) fn console(data_dir: &Path, arguments: &[&str]) -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_connect-console"));
    command.arg("--data-dir");
    command.arg(data_dir);
    command.args(arguments);
    command.env("TERM", "xterm-256color");
    for name in ["API_KEY", "ENVIRONMENT_ID", "INSTANCE_ID", "SERVER_ADDRESS", "API_ADDRESS", "NO_COLOR", "EDITOR", "VISUAL"] {
        command.env_remove(name);
    }
    command
}

impl Terminal {
    pub(crate) fn start(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let settings = settings(&*pair.master);
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let start = Shown { parser: Parser::new(some(rows), some(columns), 0), bytes: Vec::new(), last: Instant::now() };
        let shown = Arc::new((Mutex::new(start), Condvar::new()));
        let fill = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                let mut shown = fill.0.lock().unwrap();
                shown.parser.process(&buffer[..n]);
                shown.bytes.extend_from_slice(&buffer[..n]);
                shown.last = Instant::now();
                drop(shown);
                fill.1.notify_all();
            }
        });
        Self { master: pair.master, _slave: pair.slave, writer, child, shown, settings }
    }

    /// The program's process.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Types keys as a terminal sends them.
    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
        self
    }

    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.shown.0.lock().unwrap().parser.set_size(some(rows), some(columns));
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// Waits until the screen is as it should be.
    pub(crate) fn until(&mut self, what: &str, fits: impl Fn(&Screen) -> bool) {
        self.until_within(DEADLINE, what, fits);
    }

    /// The same with a patience of its own.
    pub(crate) fn until_within(&mut self, patience: Duration, what: &str, fits: impl Fn(&Screen) -> bool) {
        let deadline = Instant::now() + patience;
        let mut shown = self.shown.0.lock().unwrap();
        while !fits(shown.parser.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = shown.parser.screen().contents();
                drop(shown);
                panic!("waited in vain for {what} ({:?}); the screen:\n{text}", self.child.try_wait());
            }
            shown = self.shown.1.wait_timeout(shown, left.min(Duration::from_secs(1))).unwrap().0;
        }
    }

    /// Waits until the screen shows a text.
    pub(crate) fn until_text(&mut self, text: &str) -> &mut Self {
        self.until(&format!("'{text}'"), |screen| screen.contents().contains(text));
        self
    }

    /// Waits until the screen no longer shows a text.
    pub(crate) fn until_gone(&mut self, text: &str) -> &mut Self {
        self.until(&format!("'{text}' to go away"), |screen| !screen.contents().contains(text));
        self
    }

    /// Waits until the session stands and the runtime is connected.
    pub(crate) fn until_connected(&mut self) -> &mut Self {
        self.until_text(" link alive")
    }

    /// What the screen shows now.
    pub(crate) fn text(&self) -> String {
        self.shown.0.lock().unwrap().parser.screen().contents()
    }

    /// Moves down until the selected row of the pane that fills the screen shows a text.
    pub(crate) fn select(&mut self, text: &str) {
        for _ in 0..40 {
            let now = selected(self.shown.0.lock().unwrap().parser.screen());
            if now.contains(text) {
                return;
            }
            self.press("j").until("the selection to move", |screen| selected(screen) != now);
        }
        panic!("no row shows '{text}':\n{}", self.text());
    }

    /// Everything that was sent to the terminal.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shown.0.lock().unwrap().bytes.clone()
    }

    /// Waits until nothing was sent to the terminal for so long.
    pub(crate) fn until_quiet_for(&self, quiet: Duration) {
        let deadline = Instant::now() + DEADLINE;
        let mut shown = self.shown.0.lock().unwrap();
        while shown.last.elapsed() < quiet {
            assert!(Instant::now() < deadline, "it never stops drawing:\n{}", shown.parser.screen().contents());
            let rest = quiet.saturating_sub(shown.last.elapsed());
            shown = self.shown.1.wait_timeout(shown, rest).unwrap().0;
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Waits for the program to end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it did not end; the screen:\n{}", self.text());
            std::thread::yield_now();
        }
    }

    /// Checks that the terminal is as it was before the program started.
    pub(crate) fn assert_restored(&mut self) {
        self.until("the alternate screen to be left and the cursor to be shown", |screen| {
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        });
        // They come after what is written to the screen.
        let deadline = Instant::now() + DEADLINE;
        while settings(&*self.master) != self.settings {
            assert!(Instant::now() < deadline, "the line settings are not as before: {}", settings(&*self.master));
            std::thread::yield_now();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settings(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().unwrap())
}

/// The selected row of the pane that fills the screen.
fn selected(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let row = (0..rows.get()).find(|y| screen.cell(*y, 1).is_some_and(vt100::Cell::inverse));
    row.and_then(|y| screen.rows(0, columns.get()).nth(y.into())).unwrap_or_default()
}

/// Whether a row that shows a text shows it in a colour.
pub(crate) fn shows_in(screen: &Screen, text: &str, colour: vt100::Color) -> bool {
    let (_, columns) = screen.size();
    (0_u16..).zip(screen.rows(0, columns.get())).filter(|(_, row)| row.contains(text)).any(|(y, row)| {
        // Columns, not bytes: everything before the text is one column wide.
        let x = row.split(text).next().unwrap().chars().count();
        screen.cell(y, u16::try_from(x).unwrap()).is_some_and(|cell| cell.fgcolor() == colour)
    })
}
