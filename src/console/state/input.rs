use crossterm::event::KeyEvent;
use ratatui::style::Style;
use tui_textarea::{CursorMove, Input as Key, Key as Code, TextArea};

/// A line that is typed, with undo, word movement and the like from `tui-textarea`.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    area: TextArea<'static>,
}

impl Input {
    pub(crate) fn new(text: &str) -> Self {
        let line: String = text.chars().filter(|c| *c != '\n' && *c != '\r').collect();
        let mut area = TextArea::new(vec![line]);
        area.set_cursor_line_style(Style::new());
        area.move_cursor(CursorMove::End);
        Self { area }
    }

    /// One whose text is selected: what is typed takes its place, a movement keeps it.
    pub(crate) fn selected(text: &str) -> Self {
        let mut input = Self::new(text);
        input.area.select_all();
        input
    }

    /// Shows stars instead of what is typed.
    pub(crate) fn masked(mut self) -> Self {
        self.area.set_mask_char('*');
        self
    }

    pub(crate) fn text(&self) -> &str {
        self.area.lines().first().map_or("", String::as_str)
    }

    /// Takes a key; whether the text changed. Keys that would make a second line are not taken.
    pub(crate) fn key(&mut self, key: KeyEvent) -> bool {
        let key = Key::from(key);
        // The widget keeps a selection where the cursor can't move on.
        if !key.shift && matches!(key.key, Code::Left | Code::Right | Code::Home | Code::End) {
            self.area.cancel_selection();
        }
        // As in every shell; the widget has undo there, which Alt-U is then.
        if key.key == Code::Char('u') && key.ctrl {
            return self.area.delete_line_by_head();
        }
        if key.key == Code::Char('u') && key.alt {
            return self.area.undo();
        }
        let breaks = matches!(key.key, Code::Enter | Code::Tab) || (key.ctrl && key.key == Code::Char('m'));
        !breaks && self.area.input(key)
    }

    /// Puts the cursor before a character, counted from 0.
    pub(crate) fn go_to(&mut self, character: usize) {
        self.area.move_cursor(CursorMove::Jump(0, u16::try_from(character).unwrap_or(u16::MAX)));
    }

    pub(crate) fn paste(&mut self, text: &str) {
        let line: String = text.chars().filter(|c| !c.is_control()).collect();
        self.area.insert_str(line);
    }

    /// The editor, to be drawn.
    pub(crate) fn area(&self) -> &TextArea<'static> {
        &self.area
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::Input;

    #[test]
    fn ctrl_u_clears_the_line_up_to_the_cursor() {
        let mut input = Input::new("/tmp/tutorial.jsonl");
        input.go_to(5);
        assert!(input.key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL)));
        assert_eq!(input.text(), "tutorial.jsonl");
    }
}
