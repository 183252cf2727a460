//! The terminal console: one screen on which a developer sees deliveries arrive, reads their traces, edits variables and
//! browses documents.
//!
//! It reads the journal and sends commands to a [session](crate::workbench); it touches no socket, database or file. A
//! thread of its own draws ([`app`]): what comes in (keys, signals, the journal's news, answers) is a [`message`], which
//! [`update`] applies to the [`state`], plain data; the [`panes`] draw that. Whatever takes time runs elsewhere and comes
//! back as a message. Keys are data ([`action`]), and everything that explains them is made from that table.

mod action;
mod app;
mod background;
mod config;
#[cfg(test)]
mod fixture;
mod json;
mod keymap;
mod layout;
mod message;
mod palette;
mod panes;
mod reader;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod screenshots;
mod signals;
mod source;
mod state;
mod story;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod theme;
mod update;
mod widgets;
mod working;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use self::app::{App, Arrival};
pub use self::config::Config;
use self::config::Scheme;
use self::message::Message;
use self::source::Source;
use self::state::State;
use self::terminal::{PanicWatch, Screen};
use self::theme::Theme;
use crate::observe::Timestamp;
use crate::workbench::{self, Session, WorkbenchError};

/// How the console shall look, and where the session keeps everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// No borders, and no characters beyond ASCII of its own: for screen readers and poor fonts.
    pub plain: bool,
    /// The data directory.
    pub data_dir: PathBuf,
    /// What the developer set up.
    pub config: Config,
}

/// Why the console could not be shown, or ended before its time.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// Input or output is no terminal.
    #[error("There is no terminal to draw on. `connect-console run --headless` does the same without a screen.")]
    NoTerminal,
    /// There was no session to show; why.
    #[error("{0}")]
    NotStarted(WorkbenchError),
    /// The terminal refused something.
    #[error("The terminal could not be used: {0}")]
    Terminal(#[from] io::Error),
    /// A defect of the console itself; the terminal is restored, and the journal has everything up to then.
    #[error("The console broke off because of a defect of its own: {0}. Nothing that was journalled is lost.")]
    Crashed(String),
}

/// How many messages may wait for the loop.
const WAITING: usize = 256;

/// How long a session that is still starting when the developer quits is waited for, to be stopped properly.
const STARTED_WITHIN: Duration = Duration::from_secs(10);

/// Shows a session until the developer quits or a signal ends it, then closes the session. The screen is there at once,
/// before the session is: `opening` is driven while it is shown. Colours are used unless `NO_COLOR` is set.
///
/// # Errors
/// [`ConsoleError`]; the terminal is restored in every case.
pub async fn run<F>(opening: F, options: Options) -> Result<(), ConsoleError>
where
    F: Future<Output = Result<Session, WorkbenchError>> + Send + 'static,
{
    if !terminal::present() {
        return Err(ConsoleError::NoTerminal);
    }
    let (opened, mut session) = watch::channel(None);
    let starting = async move {
        let outcome = opening.await;
        let source = outcome.clone().map(|session| Arc::new(session) as Arc<dyn Source>).map_err(|why| why.to_string());
        // It is looked at when the screen is gone.
        let _ = opened.send(Some(outcome));
        source
    };
    let shown = show(starting, options).await;
    let opened = tokio::time::timeout(STARTED_WITHIN, session.wait_for(Option::is_some)).await;
    let opened = opened.ok().and_then(Result::ok).and_then(|outcome| outcome.clone());
    match opened {
        Some(Ok(session)) => {
            session.close().await;
            shown
        }
        Some(Err(why)) => shown.and(Err(ConsoleError::NotStarted(why))),
        None => shown,
    }
}

/// Draws at once, and shows the session as soon as it stands.
async fn show<F>(starting: F, options: Options) -> Result<(), ConsoleError>
where
    F: Future<Output = Result<Arc<dyn Source>, String>> + Send + 'static,
{
    let outside = Handle::current();
    let (arrived, arrival) = oneshot::channel();
    outside.spawn(async move { arrived.send(starting.await).is_ok() });
    let (ended, end) = oneshot::channel();
    let thread = std::thread::Builder::new().name(terminal::THREAD.into()).spawn(move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| draw_until_quit(outside, arrival, options)));
        // The other end waits for exactly this.
        let _ = ended.send(outcome);
    })?;
    let outcome = end.await;
    let joined = thread.join();
    match (outcome, joined) {
        (Ok(Ok(outcome)), Ok(())) => Ok(outcome?),
        (Ok(Err(panic)), _) | (_, Err(panic)) => Err(ConsoleError::Crashed(words(&*panic))),
        (Err(_), Ok(())) => Err(ConsoleError::Crashed("its thread ended".into())),
    }
}

fn draw_until_quit(outside: Handle, arrival: Arrival, options: Options) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let channel = mpsc::channel(WAITING);
    let tell = channel.0.clone();
    let _watch = PanicWatch::new(move |panic| {
        // With a full channel there is enough to read already.
        let _ = tell.try_send(Message::Panic(panic));
    });
    let screen = Screen::enter()?;
    let state = state(screen.size()?, &options);
    runtime.block_on(App::new(screen, state, outside, channel, options.data_dir).run(arrival))
}

/// The console as it begins: set up as the developer wants it, where it was left.
fn state(size: (u16, u16), options: &Options) -> State {
    let config = options.config.clone();
    let told = |name: &str| std::env::var(name).ok();
    let colour = told("NO_COLOR").is_none_or(|value| value.is_empty()) && config.scheme != Scheme::Off;
    let truecolour = matches!(told("COLORTERM").as_deref(), Some("truecolor" | "24bit"));
    let light = background::told(told("COLORFGBG").as_deref());
    let theme = Theme { colour, plain: options.plain || config.plain, palette: config.palette(light, truecolour) };
    keymap::remap(config.keys.clone());
    let mut state = State::new(theme, TimeZone::system(), size, Timestamp::now());
    (state.mouse, state.truecolour) = (config.mouse, truecolour);
    if config.restore
        && let Some(place) = workbench::recall(&options.data_dir, app::PLACE).and_then(|text| serde_json::from_str(&text).ok())
    {
        state.restore(place);
    }
    state.config = config;
    state
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|t| (*t).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".into())
}
