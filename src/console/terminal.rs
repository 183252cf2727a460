//! The terminal: taken over, drawn on, and given back, whatever ends the console.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Size;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::panes;
use super::state::State;

/// Clicks, the wheel and dragging; not every movement, which would wake the console for nothing.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1002l\x1b[?1000l";

/// The name of the thread that draws: the panic hook restores the terminal only for its panics.
pub(crate) const THREAD: &str = "console";

/// Whether the terminal is ours at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether there is a terminal to draw on and to read keys from.
pub(crate) fn present() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

fn take() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange, cursor::Hide)
}

/// Gives the terminal back as it was. Can be called at any time, from any thread, more than once.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Nothing more can be done about an error here: the terminal may be gone.
        let _ = execute!(
            io::stdout(),
            EndSynchronizedUpdate,
            Print(MOUSE_OFF),
            DisableFocusChange,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            cursor::Show
        );
        let _ = disable_raw_mode();
    }
}

/// The terminal while it is ours; dropping it gives it back.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Screen {
    /// Takes the terminal over.
    pub(crate) fn enter() -> io::Result<Self> {
        take().inspect_err(|_| give_back())?;
        let out = BufWriter::with_capacity(64 * 1024, io::stdout());
        let terminal = Terminal::new(CrosstermBackend::new(out)).inspect_err(|_| give_back())?;
        Ok(Self { terminal })
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Draws the state; the terminal shows all of it at once.
    pub(crate) fn draw(&mut self, state: &State) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| {
            // The terminal may just have changed its size: the message about that is on its way.
            if frame.area().as_size() == Size::from(state.size) {
                panes::draw(frame, state);
            }
        })?;
        queue!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        io::Write::flush(self.terminal.backend_mut())
    }

    /// Forgets what is on the screen, so that all of it is drawn again.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        // Not `Terminal::clear`: that asks the terminal where its cursor is and waits for the answer.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Has the system say again that there are keys to read, if there are. Crossterm asks for readiness by edges and
    /// drops that of the keys when the size changes at the same moment: they would wait for the next key.
    pub(crate) fn rouse() {
        let stdin = io::stdin();
        // Setting what is already set does that; a terminal that is gone is noticed elsewhere.
        let _ = tcgetattr(&stdin).and_then(|settings| tcsetattr(&stdin, OptionalActions::Now, &settings));
    }

    /// Gives the terminal back for a while.
    pub(crate) fn suspend(&mut self) {
        give_back();
    }

    /// Takes it over again.
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        take()?;
        self.clear()
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub(crate) fn mouse(&mut self, ours: bool) -> io::Result<()> {
        self.say(if ours { MOUSE_ON } else { MOUSE_OFF })
    }

    /// Sends the terminal a question; the answer comes like keys.
    pub(crate) fn say(&mut self, words: &str) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), Print(words))?;
        io::Write::flush(self.terminal.backend_mut())
    }

    /// Puts a text on the clipboard of the terminal (OSC 52), which works over SSH too.
    pub(crate) fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), CopyToClipboard::to_clipboard_from(text))?;
        self.terminal.backend_mut().flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

type Hook = Box<dyn Fn(&std::panic::PanicHookInfo<'_>) + Send + Sync>;

/// While it lives, a panic of the drawing thread gives the terminal back before it is reported, and one of another thread
/// becomes a message instead of scribbling over the screen.
pub(crate) struct PanicWatch {
    before: Arc<Hook>,
}

impl PanicWatch {
    pub(crate) fn new(tell: impl Fn(String) + Send + Sync + 'static) -> Self {
        let before: Arc<Hook> = Arc::new(std::panic::take_hook());
        let report = Arc::clone(&before);
        std::panic::set_hook(Box::new(move |info| {
            let drawing = std::thread::current().name() == Some(THREAD);
            if drawing {
                give_back();
            }
            if TAKEN.load(Ordering::SeqCst) {
                tell(info.to_string());
            } else {
                report(info);
            }
        }));
        Self { before }
    }
}

impl Drop for PanicWatch {
    fn drop(&mut self) {
        // A panicking thread must not touch the hook.
        if !std::thread::panicking() {
            let before = Arc::clone(&self.before);
            std::panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}
