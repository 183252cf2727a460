use super::super::action::Do;
use super::super::json;
use super::super::message::Ask;
use super::super::theme::Pieces;
use super::{Detail, Editor, Input, Pick, Prompt, Scroll, StoreAsk};
use crate::workbench::{Command, StoreCommand};

/// What lies over the panes and takes the keys.
#[derive(Debug)]
pub(crate) enum Overlay {
    Help(Scroll),
    Chooser(Box<Chooser>),
    Pager(Pager),
    Detail(Box<Detail>),
    Confirm(Confirm),
    Form(Box<Form>),
    Editor(Box<Editor>),
    Prompt(Box<Prompt>),
    /// Where to go from here.
    Go,
}

/// A long text, shown whole.
#[derive(Debug)]
pub(crate) struct Pager {
    pub(crate) title: String,
    pub(crate) lines: Vec<Pieces>,
    pub(crate) scroll: Scroll,
    /// What is copied.
    pub(crate) whole: String,
    /// What is searched for, while it is typed.
    pub(crate) typing: Option<Box<Input>>,
    /// What is searched for, in lower case; nothing where it is empty.
    pub(crate) needle: String,
}

impl Pager {
    pub(crate) fn new(title: String, lines: Vec<Pieces>, whole: String) -> Self {
        Self { title, lines, scroll: Scroll::default(), whole, typing: None, needle: String::new() }
    }

    /// Whether a line has what is searched for.
    pub(crate) fn hit(&self, line: &Pieces) -> bool {
        let text = || line.iter().map(|p| p.text.as_str()).collect::<String>().to_lowercase();
        !self.needle.is_empty() && text().contains(&self.needle)
    }

    /// The lines that have it.
    pub(crate) fn hits(&self) -> Vec<usize> {
        (0..).zip(&self.lines).filter(|(_, line)| self.hit(line)).map(|(at, _)| at).collect()
    }

    /// That a text was searched for in vain; of what is too long to be shown whole the rest was not searched.
    pub(crate) fn in_vain(&self, typed: &str) -> String {
        match self.lines.iter().any(json::is_cut) {
            true => {
                format!("'{typed}' is not in the part that is shown here; `connect-console events show ID --json` has all of it.")
            }
            false => format!("'{typed}' is not in here."),
        }
    }

    /// Goes to the next line that has it, or the one before, and round at the ends; whether there is one.
    pub(crate) fn seek(&mut self, forward: bool) -> bool {
        let hits = self.hits();
        let next = if forward {
            hits.iter().find(|at| **at > self.scroll.at).or(hits.first())
        } else {
            hits.iter().rev().find(|at| **at < self.scroll.at).or(hits.last())
        };
        if let Some(at) = next {
            self.scroll.at = *at;
        }
        next.is_some()
    }
}

/// What is done when the developer says yes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pending {
    Quit,
    Apply,
    /// Have this done, and the answer taken for that.
    Tell(Ask, Box<Command>),
    Store(StoreAsk, Box<StoreCommand>),
}

/// A question before something that matters.
#[derive(Debug)]
pub(crate) struct Confirm {
    pub(crate) title: String,
    /// What will happen.
    pub(crate) lines: Vec<Pieces>,
    pub(crate) scroll: Scroll,
    pub(crate) pending: Pending,
}

/// A variable being typed.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) title: String,
    pub(crate) name: Input,
    /// Whether the name can be typed: for a new variable.
    pub(crate) new: bool,
    pub(crate) value: Input,
    pub(crate) on_value: bool,
    /// Whether it is, or becomes, a secret.
    pub(crate) secure: bool,
    pub(crate) error: Option<String>,
    /// The delivery that is to be run again with this value, where it is for that; otherwise the value is staged.
    pub(crate) run: Option<i64>,
}

/// What choosing does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Purpose {
    Act(Do),
    /// Create an object for this event type.
    Trigger(String),
    Pick(Pick),
    /// Run the delivery again with another value of the variable.
    RunWith {
        delivery: i64,
        variable: String,
    },
    /// Run these deliveries again, in this order.
    Again(Vec<i64>),
    /// Put the clock forward, or change the course of sagas.
    Ask(Box<Command>),
    /// The command, and what it is asked for.
    Tell(Ask, Box<Command>),
}

/// One thing that can be chosen.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) name: String,
    pub(crate) detail: String,
    pub(crate) keys: String,
    /// Why it can't be chosen now.
    pub(crate) refused: Option<&'static str>,
    pub(crate) purpose: Purpose,
}

/// A list narrowed by typing: the palette, the event types.
#[derive(Debug)]
pub(crate) struct Chooser {
    pub(crate) title: String,
    pub(crate) input: Input,
    pub(crate) all: Vec<Choice>,
    /// Places in `all`, best match first.
    pub(crate) ranked: Vec<usize>,
    pub(crate) scroll: Scroll,
    /// What is said where there is nothing to choose from.
    pub(crate) empty: &'static str,
}

impl Chooser {
    pub(crate) fn new(title: &str, all: Vec<Choice>) -> Self {
        let ranked = (0..all.len()).collect();
        Self {
            title: title.into(),
            input: Input::new(""),
            all,
            ranked,
            scroll: Scroll::default(),
            empty: "there is nothing to choose from",
        }
    }

    /// Says what to do where there is nothing yet.
    pub(crate) fn or(self, empty: &'static str) -> Self {
        Self { empty, ..self }
    }

    pub(crate) fn selected(&self) -> Option<&Choice> {
        self.all.get(*self.ranked.get(self.scroll.at)?)
    }
}
