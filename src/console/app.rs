//! The loop: keys, signals, the journal's news and answers come in, the screen goes out. It draws when something changed,
//! at most thirty times a second, a key's doing at once, and once before anything else.

use std::future::{pending, poll_fn};
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::task::Poll;

use crossterm::event::{Event, EventStream};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Duration, Instant, sleep_until};

use super::background::{self, Ear, Heard};
use super::message::{Edit, Effect, Message, Query, Timed};
use super::signals::{self, Asked, Signals};
use super::source::Source;
use super::state::State;
use super::terminal::Screen;
use super::theme::Tone;
use super::working::Working;
use super::{reader, update};
use crate::observe::{Secret, Timestamp};
use crate::workbench::{self, Editing, WorkbenchError};

/// Where it is remembered where the console was left.
pub(crate) const PLACE: &str = "console.json";
/// The time between two frames.
const FRAME: Duration = Duration::from_millis(33);
/// The same where a key waits to be seen: at once for whoever types, and no busy loop for a key that is held down.
const FRAME_OF_KEY: Duration = Duration::from_millis(6);
/// News of the journal is looked at no more often than this.
const NEWS: Duration = Duration::from_millis(50);

/// How many keys are taken at once: a paste into a terminal without bracketed paste, say.
const BURST: usize = 256;

/// A session on its way.
pub(crate) type Arrival = oneshot::Receiver<Result<Arc<dyn Source>, String>>;

/// What the loop works with besides the state.
pub(crate) struct App {
    pub(crate) screen: Screen,
    pub(crate) state: State,
    /// The runtime the session lives in: commands are carried out there, not in the thread that draws.
    pub(crate) outside: Handle,
    pub(crate) messages: mpsc::Receiver<Message>,
    pub(crate) sender: mpsc::Sender<Message>,
    source: Option<Arc<dyn Source>>,
    questions: Option<blocking::Sender<Query>>,
    news: Option<watch::Receiver<i64>>,
    news_due: Option<Instant>,
    drawn: Instant,
    /// Whether a key came since then.
    pressed: bool,
    /// A text the developer's editor shall open.
    to_edit: Option<(Edit, Editing)>,
    working: Working,
    /// Hears the terminal's answer among the keys.
    ear: Ear,
    /// Where the session keeps everything.
    data_dir: PathBuf,
    quit: bool,
}

impl App {
    pub(crate) fn new(
        screen: Screen,
        state: State,
        outside: Handle,
        channel: (mpsc::Sender<Message>, mpsc::Receiver<Message>),
        data_dir: PathBuf,
    ) -> Self {
        let (sender, messages) = channel;
        Self {
            screen,
            state,
            outside,
            messages,
            sender,
            source: None,
            questions: None,
            news: None,
            news_due: None,
            drawn: Instant::now(),
            pressed: false,
            to_edit: None,
            working: Working::default(),
            ear: Ear::default(),
            data_dir,
            quit: false,
        }
    }

    /// Runs until the developer or a signal ends it.
    pub(crate) async fn run(mut self, arrival: Arrival) -> io::Result<()> {
        self.draw()?;
        self.screen.mouse(self.state.mouse)?;
        if self.state.theme.colour && self.state.config.asks_for_background() {
            self.screen.say(background::QUESTION)?;
        }
        let mut keys = EventStream::new();
        let mut signals = Signals::listen()?;
        let mut arrival = Some(arrival);
        let mut tick = Instant::now() + Duration::from_secs(1);
        while !self.quit {
            let draw_due = self.drawn + self.pause();
            tokio::select! {
                biased;
                burst = pressed(&mut keys) => self.keys(burst)?,
                asked = signals.next() => self.signal(asked)?,
                arrived = wait_for(&mut arrival) => {
                    arrival = None;
                    self.arrive(arrived)?;
                }
                Some(message) = self.messages.recv() => self.take(message)?,
                alive = changed(&mut self.news) => {
                    if alive {
                        self.news_due.get_or_insert_with(|| Instant::now() + NEWS);
                    } else {
                        self.news = None;
                    }
                }
                () = at(self.news_due) => {
                    self.news_due = None;
                    self.take(Message::News)?;
                }
                () = sleep_until(tick) => {
                    self.take(Message::Tick)?;
                    tick = Instant::now() + Duration::from_secs(update::patience(&self.state));
                }
                () = sleep_until(draw_due), if self.state.dirty => {}
            }
            if let Some((edit, editing)) = self.to_edit.take() {
                // Nobody but the editor may read the keys: the stream's thread does until it is dropped.
                drop(keys);
                self.edit(edit, editing, &mut signals).await?;
                keys = EventStream::new();
            }
            // Something that counts seconds may have appeared since the last tick.
            tick = tick.min(Instant::now() + Duration::from_secs(update::patience(&self.state)));
            if self.state.dirty && self.drawn.elapsed() >= self.pause() {
                self.draw()?;
            }
        }
        self.remember();
        Ok(())
    }

    /// Remembers where the console was left.
    fn remember(&self) {
        if self.state.config.restore
            && let Ok(text) = serde_json::to_string(&self.state.place())
        {
            workbench::keep(&self.data_dir, PLACE, &text);
        }
    }

    /// How long after a frame the next one may come.
    fn pause(&self) -> Duration {
        if self.pressed { FRAME_OF_KEY } else { FRAME }
    }

    fn draw(&mut self) -> io::Result<()> {
        (self.state.dirty, self.pressed) = (false, false);
        self.state.size = self.screen.size()?;
        self.screen.draw(&self.state)?;
        self.drawn = Instant::now();
        Ok(())
    }

    fn keys(&mut self, burst: Vec<io::Result<Event>>) -> io::Result<()> {
        self.pressed = true;
        for event in burst {
            match event {
                Ok(Event::Key(key)) => match self.ear.hear(key) {
                    Heard::Nothing => {}
                    Heard::Light(light) => self.take(Message::Background(light))?,
                    Heard::Keys(keys) => keys.into_iter().try_for_each(|key| self.take(Message::Key(key)))?,
                },
                Ok(Event::Mouse(event)) => self.take(Message::Mouse(event))?,
                Ok(Event::FocusGained) => self.take(Message::Focus(true))?,
                Ok(Event::FocusLost) => self.take(Message::Focus(false))?,
                Ok(Event::Paste(text)) => self.take(Message::Paste(text))?,
                Ok(Event::Resize(columns, rows)) => {
                    Screen::rouse();
                    self.take(Message::Resize(columns, rows))?;
                }
                // The terminal is gone.
                Err(_) => self.quit = true,
            }
            if self.quit {
                break;
            }
        }
        Ok(())
    }

    fn signal(&mut self, asked: Asked) -> io::Result<()> {
        match asked {
            Asked::End | Asked::Interrupt => self.take(Message::Terminate),
            Asked::Stop => {
                self.screen.suspend();
                signals::stop_here();
                Ok(())
            }
            Asked::GoOn => {
                self.resume()?;
                let (columns, rows) = self.screen.size()?;
                self.take(Message::Resize(columns, rows))
            }
        }
    }

    fn resume(&mut self) -> io::Result<()> {
        self.screen.resume()?;
        self.screen.mouse(self.state.mouse)
    }

    fn begin(&self, file: &str, text: &Secret) -> Result<Editing, String> {
        Editing::begin(&self.data_dir, file, text.reveal()).map_err(|e| e.to_string())
    }

    /// Gives the terminal to the editor until it ends.
    async fn edit(&mut self, edit: Edit, editing: Editing, signals: &mut Signals) -> io::Result<()> {
        self.screen.suspend();
        let ended = self.run_editor(&editing, signals).await;
        self.resume()?;
        self.take(Message::Resize(self.state.size.0, self.state.size.1))?;
        let outcome = ended.map_err(|e| format!("The editor could not be run: {e}"));
        let text = outcome.and_then(|status| editing.end(status).map_err(|e| e.to_string()));
        self.take(Message::Edited(edit, text.map(|text| text.map(Secret::new))))
    }

    async fn run_editor(&mut self, editing: &Editing, signals: &mut Signals) -> io::Result<ExitStatus> {
        let mut editor = tokio::process::Command::from(editing.command()).kill_on_drop(true).spawn()?;
        loop {
            tokio::select! {
                ended = editor.wait() => return ended,
                asked = signals.next() => match asked {
                    // The editor stops itself, with the whole job: the shell comes back only if this process stops too.
                    Asked::Stop => signals::stop_here(),
                    Asked::End => {
                        self.quit = true;
                        editor.start_kill()?;
                    }
                    // Ctrl-C is the editor's.
                    Asked::GoOn | Asked::Interrupt => {}
                },
            }
        }
    }

    fn arrive(&mut self, arrived: Result<Arc<dyn Source>, String>) -> io::Result<()> {
        let started = arrived.map(|source| {
            let (questions, asked) = blocking::channel();
            let (from, answers) = (Arc::clone(&source), self.sender.clone());
            // Ends when the loop drops its end of the channel.
            std::thread::spawn(move || reader::serve(&from, &asked, &answers));
            self.news = Some(source.news());
            self.questions = Some(questions);
            self.source = Some(source);
        });
        self.take(Message::Started(started))
    }

    fn take(&mut self, message: Message) -> io::Result<()> {
        for effect in update::update(&mut self.state, Timed { at: Timestamp::now(), message }) {
            self.carry_out(effect)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Command(ask, command) => {
                let Some(source) = self.source.clone() else { return Ok(()) };
                let sender = self.sender.clone();
                let work = self.outside.spawn(async move { source.command(command).await });
                self.working.begin(&ask, work.abort_handle(), self.state.storage.queried);
                self.outside.spawn(async move {
                    let reply = match work.await {
                        Ok(reply) => reply,
                        // It was stopped: nobody waits for it any more.
                        Err(broken) if broken.is_cancelled() => return,
                        Err(broken) => Err(WorkbenchError::Failed(format!("It broke off: {broken}"))),
                    };
                    // Nobody listens any more when the console is closing.
                    let _ = sender.send(Message::Reply(ask, reply)).await;
                });
            }
            Effect::Read(query) => {
                let gone = self.questions.as_ref().is_some_and(|questions| questions.send(query).is_err());
                if gone {
                    self.state.say(Tone::Bad, "The journal is no longer read. Restart the console.");
                }
            }
            Effect::Edit { edit, file, text } => match self.begin(file, &text) {
                Ok(editing) => self.to_edit = Some((edit, editing)),
                Err(why) => self.state.say(Tone::Bad, why),
            },
            Effect::Cancel(waited) => self.working.stop(&waited),
            Effect::Complete(typed) => {
                let sender = self.sender.clone();
                // A directory on a slow disk is no reason for the screen to stand still.
                self.outside.spawn_blocking(move || {
                    let completed = workbench::complete(&typed);
                    // Nobody listens any more when the console is closing.
                    let _ = sender.blocking_send(Message::Completed(typed, completed));
                });
            }
            Effect::Copy(text) => self.screen.copy(&text)?,
            Effect::Redraw => self.screen.clear()?,
            Effect::Mouse(ours) => self.screen.mouse(ours)?,
            Effect::Suspend => signals::stop_job(),
            Effect::Quit => self.quit = true,
        }
        Ok(())
    }
}

/// A key and all that wait behind it, so that a burst is drawn once.
///
/// The stream keeps the waker it saw first until a key wakes it, so it must never be polled with any other than the
/// loop's own (by `now_or_never`, say): the next key would wake nobody.
async fn pressed(keys: &mut EventStream) -> Vec<io::Result<Event>> {
    let mut burst = Vec::new();
    poll_fn(move |cx| {
        while burst.len() < BURST {
            match keys.poll_next_unpin(cx) {
                Poll::Ready(Some(event)) => burst.push(event),
                Poll::Ready(None) => burst.push(Err(io::ErrorKind::UnexpectedEof.into())),
                Poll::Pending => break,
            }
        }
        if burst.is_empty() { Poll::Pending } else { Poll::Ready(std::mem::take(&mut burst)) }
    })
    .await
}

async fn wait_for(arrival: &mut Option<Arrival>) -> Result<Arc<dyn Source>, String> {
    match arrival {
        Some(arrival) => arrival.await.unwrap_or_else(|_| Err("it broke off while starting".into())),
        None => pending().await,
    }
}

/// Waits for news; `false` when there will never be any again.
async fn changed(news: &mut Option<watch::Receiver<i64>>) -> bool {
    match news {
        Some(news) => news.changed().await.is_ok(),
        None => pending().await,
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}
