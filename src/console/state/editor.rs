use crossterm::event::{KeyCode, KeyEvent};
use ratatui::style::{Modifier, Style};
use serde_json::Value;
use tui_textarea::{CursorMove, TextArea};

use super::super::theme::Pieces;
use super::Input;
use crate::workbench::StoreTarget;

/// What becomes of a text that is edited in place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EditorFor {
    /// The document it was made of.
    Save {
        /// Where it is.
        target: StoreTarget,
        /// As it was when it was opened.
        base: Value,
    },
    /// A new document.
    Insert(StoreTarget),
    /// The object of a delivery, which runs again with it.
    Replay {
        /// The delivery.
        delivery: i64,
    },
    /// The object of a new event of this type.
    Trigger(String),
    /// A pipeline: asked as a query, previewed while it is typed.
    Pipeline,
}

/// A text of several lines, edited in place.
#[derive(Debug)]
pub(crate) struct Editor {
    pub(crate) title: String,
    area: TextArea<'static>,
    before: String,
    pub(crate) purpose: EditorFor,
    /// What is wrong with it.
    pub(crate) error: Option<String>,
    /// Whether throwing away what was typed was asked for once already.
    pub(crate) sure: bool,
    /// What the stages of a pipeline make.
    pub(crate) preview: Vec<Vec<Pieces>>,
    /// The text whose preview was asked for last.
    pub(crate) previewed: Option<String>,
}

impl Editor {
    pub(crate) fn new(title: String, text: &str, purpose: EditorFor) -> Self {
        let mut area = TextArea::new(text.split('\n').map(|line| line.trim_end_matches('\r').to_owned()).collect());
        area.set_cursor_line_style(Style::new());
        area.set_line_number_style(Style::new().add_modifier(Modifier::DIM));
        area.set_tab_length(2);
        Self { title, area, before: text.into(), purpose, error: None, sure: false, preview: Vec::new(), previewed: None }
    }

    pub(crate) fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    pub(crate) fn changed(&self) -> bool {
        self.text() != self.before
    }

    /// Which stage of a pipeline the cursor is in, or behind, counted from 0.
    pub(crate) fn stage(&self) -> usize {
        let cursor = self.area.cursor();
        let (row, column) = (cursor.0, cursor.1);
        let lines = self.area.lines().iter().take(row + 1).enumerate();
        let before = lines.flat_map(|(at, line)| line.chars().take(if at == row { column } else { usize::MAX }).chain(['\n']));
        let (mut depth, mut stages, mut quote, mut escaped) = (0_usize, 0_usize, None, false);
        for c in before {
            match (c, quote) {
                _ if escaped => escaped = false,
                ('\\', Some(_)) => escaped = true,
                (c, Some(open)) if c == open => quote = None,
                (_, Some(_)) => {}
                ('"' | '\'', None) => quote = Some(c),
                ('{' | '[' | '(', None) => {
                    stages += usize::from(c == '{' && depth == 1);
                    depth += 1;
                }
                ('}' | ']' | ')', None) => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        stages.saturating_sub(1)
    }

    pub(crate) fn key(&mut self, key: KeyEvent) -> bool {
        self.sure = false;
        let changed = if key.code == KeyCode::Enter { self.new_line() } else { self.area.input(key) };
        if changed {
            self.error = None;
        }
        changed
    }

    /// A line that begins where the one before did.
    fn new_line(&mut self) -> bool {
        let line = self.area.lines().get(self.area.cursor().0).cloned().unwrap_or_default();
        let indent = line.len() - line.trim_start_matches(' ').len();
        self.area.insert_newline();
        self.area.insert_str(" ".repeat(indent));
        true
    }

    pub(crate) fn paste(&mut self, text: &str) {
        self.area.insert_str(text.replace("\r\n", "\n").replace('\r', "\n"));
    }

    /// Points at a place that is wrong; both counted from 1.
    pub(crate) fn point_at(&mut self, line: usize, column: usize, why: String) {
        let place = |n: usize| u16::try_from(n.saturating_sub(1)).unwrap_or(u16::MAX);
        self.area.move_cursor(CursorMove::Jump(place(line), place(column)));
        self.error = Some(why);
    }

    /// The editor, to be drawn.
    pub(crate) fn area(&self) -> &TextArea<'static> {
        &self.area
    }
}

/// What a line that is asked for is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptFor {
    Export,
    Import,
    CreateIndex,
    DropIndex,
    /// A file with variables to be staged.
    ImportVariables,
    /// A file to write the variables to.
    ExportVariables,
}

impl PromptFor {
    /// Whether the line is the name of a file.
    pub(crate) fn is_file(self) -> bool {
        !matches!(self, Self::CreateIndex | Self::DropIndex)
    }
}

/// One line that is asked for.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) title: String,
    pub(crate) hint: String,
    pub(crate) input: Input,
    pub(crate) purpose: PromptFor,
    pub(crate) error: Option<String>,
    /// The names the line can become, until it is another.
    pub(crate) names: Vec<String>,
}

impl Prompt {
    pub(crate) fn new(title: String, hint: &str, text: &str, purpose: PromptFor) -> Self {
        Self { title, hint: hint.into(), input: Input::new(text), purpose, error: None, names: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("[", "", 0)]
    #[case("[{$match: {a: {b: 1}}}, ", "{$sort", 0)]
    #[case("[{$match: {}}, {", "$sort: {n: 1}}]", 1)]
    #[case("[{$match: {s: '{\\'{['}},\n {$sort: {}},\n {$limit: ", "5}]", 2)]
    #[case("]]}} '", "", 0)]
    fn the_stage_that_is_typed_is_known(#[case] before: &str, #[case] behind: &str, #[case] stage: usize) {
        let mut editor = Editor::new(String::new(), &format!("{before}{behind}"), EditorFor::Pipeline);
        let lines: Vec<&str> = before.split('\n').collect();
        editor.point_at(lines.len(), lines.last().unwrap().chars().count() + 1, String::new());
        assert_eq!(editor.stage(), stage);
    }
}
