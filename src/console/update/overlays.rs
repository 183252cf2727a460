use crossterm::event::{KeyCode, KeyEvent};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::super::action::{Context, Do};
use super::super::keymap::{self, Chord};
use super::super::message::{Ask, Edit, Effect};
use super::super::state::{Chooser, Confirm, Form, Input, Overlay, Pager, Pending, Purpose, Scroll, State};
use super::super::theme::Tone;
use super::{acts, captures, details, go, moves, prompts, storage};
use crate::observe::Secret;
use crate::workbench::{Command, VariableChange, check_variable};

/// A key for what lies on top. It was taken off the pile; whatever stays open puts itself back.
pub(crate) fn press(state: &mut State, overlay: Overlay, key: KeyEvent, effects: &mut Vec<Effect>) {
    let chord = Chord::from(key);
    let what = keymap::find(chord, Context::Everywhere).map(|a| a.what);
    let back = match overlay {
        Overlay::Pager(mut pager) if pager.typing.is_some() => {
            search(state, &mut pager, key);
            Some(Overlay::Pager(pager))
        }
        Overlay::Pager(mut pager) if key.code == KeyCode::Esc && !pager.needle.is_empty() => {
            pager.needle.clear();
            Some(Overlay::Pager(pager))
        }
        Overlay::Editor(editor) => storage::press_in_editor(state, editor, key, effects),
        Overlay::Detail(mut detail) if detail.is_typing() => {
            details::search(state, &mut detail, key);
            Some(Overlay::Detail(detail))
        }
        _ if key.code == KeyCode::Esc || Some(chord) == keymap::parse("ctrl-c") => None,
        Overlay::Help(mut scroll) => (!matches!(what, Some(Do::Quit | Do::Help))).then(|| {
            roll(&mut scroll, what, usize::MAX / 2);
            Overlay::Help(scroll)
        }),
        Overlay::Detail(detail) => details::press(state, detail, key, what, effects),
        Overlay::Pager(pager) => page(state, pager, key, what, effects),
        Overlay::Confirm(confirm) => answer(state, confirm, key, what, effects),
        Overlay::Chooser(chooser) => choose(state, chooser, key, what, effects),
        Overlay::Form(form) => fill(state, form, key, effects),
        Overlay::Prompt(prompt) => prompts::press(state, prompt, key, effects),
        Overlay::Go => {
            go::press(state, key, effects);
            None
        }
    };
    state.overlays.extend(back);
}

fn roll(scroll: &mut Scroll, what: Option<Do>, len: usize) {
    if let Some(by) = what.and_then(|what| moves::distance(what, scroll)) {
        scroll.step(by, len);
    }
}

fn page(state: &mut State, mut pager: Pager, key: KeyEvent, what: Option<Do>, effects: &mut Vec<Effect>) -> Option<Overlay> {
    match what {
        Some(Do::Quit) => return None,
        Some(Do::Copy) => acts::put_on_clipboard(state, "all of it", pager.whole.clone(), effects),
        _ if key.code == KeyCode::Enter => return None,
        _ if key.code == KeyCode::Char('/') => pager.typing = Some(Box::new(Input::new(""))),
        _ if matches!(key.code, KeyCode::Char('n' | 'N')) => {
            pager.seek(key.code == KeyCode::Char('n'));
        }
        what => roll(&mut pager.scroll, what, pager.lines.len()),
    }
    Some(Overlay::Pager(pager))
}

/// A key while what to search for is typed.
fn search(state: &mut State, pager: &mut Pager, key: KeyEvent) {
    let Some(mut input) = pager.typing.take() else { return };
    match key.code {
        KeyCode::Esc => {}
        KeyCode::Enter => {
            pager.needle = input.text().to_lowercase();
            if !pager.needle.is_empty() && !pager.seek(true) {
                state.say(Tone::Warn, pager.in_vain(input.text()));
                pager.needle.clear();
            }
        }
        _ => {
            input.key(key);
            pager.typing = Some(input);
        }
    }
}

fn answer(
    state: &mut State,
    mut confirm: Confirm,
    key: KeyEvent,
    what: Option<Do>,
    effects: &mut Vec<Effect>,
) -> Option<Overlay> {
    match (key.code, what) {
        (KeyCode::Enter | KeyCode::Char('y'), _) => match confirm.pending {
            Pending::Quit => effects.push(Effect::Quit),
            Pending::Apply => {
                state.variables.busy = true;
                state.say(Tone::Note, "Applying; waiting for the runtime to acknowledge ...");
                effects.push(Effect::Command(Ask::Apply, Command::Apply));
            }
            Pending::Tell(ask, command) => effects.push(Effect::Command(ask, *command)),
            Pending::Store(ask, command) => effects.push(Effect::Command(Ask::Store(ask), Command::Store(*command))),
        },
        (KeyCode::Char('n'), _) | (_, Some(Do::Quit)) => {}
        (_, what) => {
            roll(&mut confirm.scroll, what, confirm.lines.len());
            return Some(Overlay::Confirm(confirm));
        }
    }
    None
}

fn choose(
    state: &mut State,
    mut chooser: Box<Chooser>,
    key: KeyEvent,
    what: Option<Do>,
    effects: &mut Vec<Effect>,
) -> Option<Overlay> {
    let ctrl = |letter| Some(Chord::from(key)) == keymap::parse(letter);
    match key.code {
        KeyCode::Enter => return chosen(state, chooser, effects),
        KeyCode::Tab => {
            if let Some(Purpose::Trigger(event_type)) = chooser.selected().map(|choice| choice.purpose.clone()) {
                captures::edit_new(state, &event_type);
                return None;
            }
        }
        KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => {
            roll(&mut chooser.scroll, what, chooser.ranked.len());
        }
        _ if ctrl("ctrl-n") => roll(&mut chooser.scroll, Some(Do::Down), chooser.ranked.len()),
        _ if ctrl("ctrl-p") => roll(&mut chooser.scroll, Some(Do::Up), chooser.ranked.len()),
        _ => {
            if chooser.input.key(key) {
                rank(&mut chooser);
            }
        }
    }
    Some(Overlay::Chooser(chooser))
}

fn chosen(state: &mut State, chooser: Box<Chooser>, effects: &mut Vec<Effect>) -> Option<Overlay> {
    let Some(choice) = chooser.selected() else { return Some(Overlay::Chooser(chooser)) };
    if let Some(reason) = choice.refused {
        state.say(Tone::Warn, format!("Not now: {reason}."));
        return Some(Overlay::Chooser(chooser));
    }
    match choice.purpose.clone() {
        Purpose::Act(what) => acts::perform_anywhere(state, what, effects),
        Purpose::Trigger(event_type) => acts::trigger(state, &event_type, effects),
        Purpose::Tell(ask, command) => effects.push(Effect::Command(ask, *command)),
        Purpose::Pick(pick) => storage::picked(state, pick, effects),
        Purpose::Again(deliveries) => acts::replay_all(state, &deliveries, effects),
        Purpose::RunWith { delivery, variable } => captures::open_form(state, delivery, &variable),
        Purpose::Ask(command) => {
            let ask = match &*command {
                Command::Clock(_) => {
                    state.events.follow();
                    Ask::Forward
                }
                _ => Ask::Sagas,
            };
            effects.push(Effect::Command(ask, *command));
        }
    }
    None
}

/// Orders the choices by how well they match what is typed.
pub(crate) fn rank(chooser: &mut Chooser) {
    let pattern = Pattern::parse(chooser.input.text(), CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, usize)> = Vec::new();
    for (place, choice) in chooser.all.iter().enumerate() {
        // A match in the name counts before one in what it does.
        let by_name = pattern.score(Utf32Str::new(&choice.name, &mut buffer), &mut matcher).map(|score| score.saturating_mul(4));
        let score = by_name.or_else(|| pattern.score(Utf32Str::new(&choice.detail, &mut buffer), &mut matcher));
        scored.extend(score.map(|score| (score, place)));
    }
    // What can be done now comes first; where something is typed, what matches best.
    let blank = chooser.input.text().trim().is_empty();
    let refused = |place: usize| blank && chooser.all.get(place).is_some_and(|choice| choice.refused.is_some());
    scored.sort_by_key(|(score, place)| (refused(*place), std::cmp::Reverse(*score), *place));
    chooser.ranked = scored.into_iter().map(|(_, place)| place).collect();
    chooser.scroll = Scroll::default();
}

fn fill(state: &mut State, mut form: Box<Form>, key: KeyEvent, effects: &mut Vec<Effect>) -> Option<Overlay> {
    match key.code {
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Up | KeyCode::Down if form.new => form.on_value = !form.on_value,
        _ if form.new && Some(Chord::from(key)) == keymap::parse("ctrl-s") => {
            form.secure = !form.secure;
            let value = super::super::state::Input::new(form.value.text());
            form.value = if form.secure { value.masked() } else { value };
        }
        _ if form.on_value && form.run.is_none() && Some(Chord::from(key)) == keymap::parse("ctrl-o") => {
            return hand_out(form, effects);
        }
        KeyCode::Enter if !form.on_value => form.on_value = true,
        KeyCode::Enter => return submit(state, form, effects),
        _ if form.on_value => {
            form.value.key(key);
        }
        _ => {
            form.name.key(key);
        }
    }
    Some(Overlay::Form(form))
}

/// Opens the value in the developer's editor: it may have lines there.
fn hand_out(mut form: Box<Form>, effects: &mut Vec<Effect>) -> Option<Overlay> {
    let name = form.name.text().trim().to_owned();
    if name.is_empty() {
        form.on_value = false;
        form.error = Some("It needs a name first.".into());
        return Some(Overlay::Form(form));
    }
    let edit = Edit::Variable { name, secure: form.new.then_some(form.secure) };
    effects.push(Effect::Edit { edit, file: "value.txt", text: Secret::new(form.value.text()) });
    None
}

fn submit(state: &mut State, mut form: Box<Form>, effects: &mut Vec<Effect>) -> Option<Overlay> {
    let name = form.name.text().trim().to_owned();
    if let Some(delivery) = form.run {
        captures::replay_with(state, delivery, (name, form.value.text().into()), effects);
        return None;
    }
    let taken = form.new && state.variables.all.iter().any(|v| v.name == name && v.id.is_some());
    if name.is_empty() || taken {
        form.on_value = false;
        form.error = Some(if taken { format!("{name} exists already: edit it instead.") } else { "It needs a name.".into() });
        return Some(Overlay::Form(form));
    }
    if let Err(why) = check_variable(&name, form.value.text()) {
        form.error = Some(format!("{why}."));
        // A value that is none keeps the cursor where it is.
        form.on_value = check_variable(&name, "x").is_ok();
        return Some(Overlay::Form(form));
    }
    let change = VariableChange::Set { name, value: form.value.text().into(), secure: form.new.then_some(form.secure) };
    acts::stage(state, change, effects);
    None
}
