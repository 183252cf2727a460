//! One line that is asked for: a file, an index. The names of files are completed.

use crossterm::event::{KeyCode, KeyEvent};

use super::super::message::Effect;
use super::super::state::{Input, Overlay, Prompt, PromptFor, State};
use super::{environment, storage};
use crate::workbench::Completed;

/// A key while a line is asked for; `None` closes it.
pub(super) fn press(state: &mut State, mut prompt: Box<Prompt>, key: KeyEvent, effects: &mut Vec<Effect>) -> Option<Overlay> {
    match key.code {
        KeyCode::Tab if prompt.purpose.is_file() => effects.push(Effect::Complete(prompt.input.text().into())),
        KeyCode::Enter => {
            let text = prompt.input.text().trim().to_owned();
            match submit(state, prompt.purpose, &text, effects) {
                Ok(()) => return None,
                Err(why) => prompt.error = Some(why),
            }
        }
        _ => {
            if prompt.input.key(key) {
                prompt.error = None;
                prompt.names.clear();
            }
        }
    }
    Some(Overlay::Prompt(prompt))
}

fn submit(state: &mut State, purpose: PromptFor, text: &str, effects: &mut Vec<Effect>) -> Result<(), String> {
    if text.is_empty() {
        return Err("Something must stand here; Esc leaves.".into());
    }
    match purpose {
        PromptFor::ImportVariables | PromptFor::ExportVariables => environment::submit(state, purpose, text, effects),
        _ => storage::submit(state, purpose, text, effects),
    }
}

/// Takes in what the typed beginning of a path can become, if it is still what stands there.
pub(super) fn completed(state: &mut State, typed: &str, completed: Completed) {
    let Some(Overlay::Prompt(prompt)) = state.overlays.last_mut() else { return };
    if prompt.input.text() != typed {
        return;
    }
    if completed.text != typed {
        prompt.input = Input::new(&completed.text);
    }
    (prompt.names, prompt.error) = (completed.names, completed.none);
    state.dirty = true;
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{tell, typical};
    use super::super::super::message::Message;
    use super::super::super::state::Pane;
    use super::super::tests::{commands, press};
    use super::*;
    use crate::workbench::{Command, EnvironmentCommand};

    fn shown(state: &State) -> &Prompt {
        match state.overlays.last() {
            Some(Overlay::Prompt(prompt)) => prompt,
            other => panic!("{other:?}"),
        }
    }

    fn asking() -> State {
        let mut state = typical(120, 40);
        state.focus_on(Pane::Variables);
        press(&mut state, "i");
        state
    }

    #[test]
    fn tab_completes_the_name_of_a_file_and_shows_what_it_can_become_until_something_is_typed() {
        let mut state = asking();
        let effects = press(&mut state, "s t tab");
        assert!(effects.contains(&Effect::Complete("st".into())), "{effects:?}");
        let names = vec!["staging.env".to_owned(), "staging.json".to_owned()];
        let completed = Completed { text: "staging.".into(), names: names.clone(), none: None };
        tell(&mut state, Message::Completed("st".into(), completed));
        assert_eq!((shown(&state).input.text(), &shown(&state).names), ("staging.", &names));
        press(&mut state, "e");
        assert_eq!((shown(&state).input.text(), shown(&state).names.len()), ("staging.e", 0));

        let late = Completed { text: "other".into(), ..Completed::default() };
        tell(&mut state, Message::Completed("st".into(), late));
        assert_eq!(shown(&state).input.text(), "staging.e", "what is typed meanwhile stays");
        let none = Completed { text: "staging.e".into(), names: Vec::new(), none: Some("nothing".into()) };
        tell(&mut state, Message::Completed("staging.e".into(), none));
        assert_eq!((shown(&state).input.text(), shown(&state).error.as_deref()), ("staging.e", Some("nothing")));
    }

    #[test]
    fn nothing_is_no_name_and_a_name_is_taken_as_an_absolute_path() {
        let mut state = asking();
        press(&mut state, "enter");
        assert!(shown(&state).error.is_some());
        let effects = press(&mut state, "a . e n v enter");
        let [Command::Environment(EnvironmentCommand::ImportFile { path })] = &commands(&effects)[..] else {
            panic!("{effects:?}")
        };
        assert!(path.starts_with('/') && path.ends_with("/a.env"), "{path}");
        assert!(state.overlays.is_empty());
    }
}
