//! How the console is set up: a TOML text, checked with a sentence that names the line for everything that is wrong.
//! Who reads the file is not decided here.

use std::collections::HashMap;

use ratatui::style::Color;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::action::{ACTIONS, Action, Context};
use super::keymap;
use super::palette::Palette;
use super::theme::Tone;

/// Which colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Scheme {
    /// As the terminal's own background is.
    #[default]
    Auto,
    Dark,
    Light,
    /// The sixteen every terminal has.
    Sixteen,
    /// None.
    Off,
}

const SCHEMES: &[(&str, Scheme)] = &[
    ("auto", Scheme::Auto),
    ("dark", Scheme::Dark),
    ("light", Scheme::Light),
    ("sixteen", Scheme::Sixteen),
    ("none", Scheme::Off),
];

/// The tones that have a colour, by the names the file has for them.
const TONES: &[(&str, Tone)] = &[
    ("good", Tone::Good),
    ("bad", Tone::Bad),
    ("warn", Tone::Warn),
    ("note", Tone::Note),
    ("key", Tone::Key),
    ("value", Tone::Value),
];

/// What can be set up.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub(crate) scheme: Scheme,
    /// Single colours in place of the scheme's.
    pub(crate) colours: Vec<(Tone, Color)>,
    /// No borders, and no characters beyond ASCII of our own.
    pub(crate) plain: bool,
    /// Whether the mouse is ours; Shift leaves it to the terminal.
    pub(crate) mouse: bool,
    /// Whether to begin where the console was left.
    pub(crate) restore: bool,
    /// Keys of actions, by the action's name.
    pub(crate) keys: HashMap<&'static str, Vec<String>>,
}

impl Default for Config {
    fn default() -> Self {
        Self { scheme: Scheme::Auto, colours: Vec::new(), plain: false, mouse: true, restore: true, keys: HashMap::new() }
    }
}

impl Config {
    /// A file to begin with: what is used where a file says nothing. Every line of it is tested.
    pub const EXAMPLE: &str = include_str!("../../assets/config.toml");

    /// Whether the terminal's background matters.
    pub(crate) fn asks_for_background(&self) -> bool {
        self.scheme == Scheme::Auto
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it, a sentence each.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let line = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count() + 1;
        let table = DeTable::parse(text).map_err(|e| {
            let place = e.span().map(|span| format!("line {}: ", line(span.start))).unwrap_or_default();
            vec![format!("{place}{}", e.message())]
        })?;
        let mut config = Self::default();
        let mut wrong = Vec::new();
        let mut bound = HashMap::new();
        for (key, value) in table.get_ref() {
            let at = line(key.span().start);
            if let Err(why) = config.take(key.get_ref(), value, &mut |span, why| wrong.push((line(span), why))) {
                wrong.push((at, why));
            }
            if let ("keys", DeValue::Table(keys)) = (key.get_ref().as_ref(), value.get_ref()) {
                bound.extend(keys.iter().filter_map(|(name, _)| Some((action(name.get_ref())?.name, line(name.span().start)))));
            }
        }
        wrong.extend(config.ambiguous(&bound));
        wrong.sort();
        let told = |(line, why): (usize, String)| format!("line {line}: {why}");
        if wrong.is_empty() { Ok(config) } else { Err(wrong.into_iter().map(told).collect()) }
    }

    fn take(&mut self, key: &str, value: &Spanned<DeValue<'_>>, wrong: &mut dyn FnMut(usize, String)) -> Result<(), String> {
        match key {
            "theme" => {
                let name = text(key, value)?;
                let names = SCHEMES.iter().map(|(name, _)| *name);
                self.scheme = SCHEMES
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, scheme)| *scheme)
                    .ok_or_else(|| unknown("theme", name, names))?;
            }
            "plain" => self.plain = truth(key, value)?,
            "mouse" => self.mouse = truth(key, value)?,
            "restore" => self.restore = truth(key, value)?,
            "colours" | "colors" => {
                for (tone, colour) in table(key, value)? {
                    if let Err(why) = self.colour(tone.get_ref(), colour) {
                        wrong(tone.span().start, why);
                    }
                }
            }
            "keys" => {
                for (action, keys) in table(key, value)? {
                    if let Err(why) = self.bind(action.get_ref(), keys) {
                        wrong(action.span().start, why);
                    }
                }
            }
            other => {
                return Err(unknown("setting", other, ["theme", "plain", "mouse", "restore", "colours", "keys"].into_iter()));
            }
        }
        Ok(())
    }

    fn colour(&mut self, tone: &str, value: &Spanned<DeValue<'_>>) -> Result<(), String> {
        let names = TONES.iter().map(|(name, _)| *name);
        let known = TONES.iter().find(|(name, _)| *name == tone).ok_or_else(|| unknown("tone", tone, names))?;
        let name = text(tone, value)?;
        let colour = name.parse().map_err(|_| format!("`{name}` is no colour: a name such as \"light blue\", or \"#1a7f37\""))?;
        self.colours.push((known.1, colour));
        Ok(())
    }

    fn bind(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<(), String> {
        let action = action(name).ok_or_else(|| unknown("action", name, ACTIONS.iter().map(|a| a.name)))?;
        let keys = match value.get_ref() {
            DeValue::String(key) => vec![key.to_string()],
            DeValue::Array(keys) => keys.iter().map(|key| text(name, key).map(str::to_owned)).collect::<Result<_, _>>()?,
            _ => return Err(format!("the keys of `{name}` are a text or a list of texts")),
        };
        if let Some(bad) = keys.iter().find(|key| keymap::parse(key).is_none()) {
            return Err(format!(
                "`{bad}` is no key: a character, ctrl- and a character, or one of {}",
                keymap::names().join(", ")
            ));
        }
        if keys.is_empty() && ["quit", "help", "close"].contains(&action.name) {
            return Err(format!("`{name}` needs a key: without it there is no way out"));
        }
        self.keys.insert(action.name, keys);
        Ok(())
    }

    /// Keys that would mean two things at one place; `bound` tells in which lines actions got theirs.
    fn ambiguous(&self, bound: &HashMap<&str, usize>) -> Vec<(usize, String)> {
        let mut said = Vec::new();
        let own = |a: &Action| self.keys.get(a.name).cloned().unwrap_or_else(|| a.keys.iter().map(|k| (*k).to_owned()).collect());
        for context in Context::ALL {
            let mut seen: HashMap<_, &str> = HashMap::new();
            // A pane's own key comes before one that works everywhere: what the file gives away must not take one of those.
            let here = ACTIONS.iter().filter(|a| a.contexts.contains(&context));
            let everywhere =
                ACTIONS.iter().filter(|a| a.contexts.contains(&Context::Everywhere) && !a.contexts.contains(&context));
            for action in everywhere.chain(here) {
                let known = |other: &&str| self.keys.contains_key(*other) || self.keys.contains_key(action.name);
                let within = |other: &&str| ACTIONS.iter().any(|a| a.name == *other && a.contexts.contains(&context));
                for key in own(action) {
                    let other = seen.insert(keymap::parse(&key), action.name).filter(|other| *other != action.name);
                    let meant = |other: &&str| match (within(other), within(&action.name)) {
                        (true, true) => true,
                        (false, false) => false,
                        _ => known(other),
                    };
                    if let Some(other) = other.filter(meant) {
                        let sentence = format!("`{key}` would mean both `{other}` and `{}` in {}", action.name, context.title());
                        let line = bound.get(action.name).max(bound.get(other)).copied().unwrap_or(1);
                        said.push((line, sentence));
                    }
                }
            }
        }
        said.dedup();
        said
    }

    /// The colours for a terminal: what is asked for, or what its background and abilities allow.
    pub(crate) fn palette(&self, light: bool, truecolour: bool) -> Palette {
        let mut palette = match (self.scheme, light, truecolour) {
            (Scheme::Dark, _, true) | (Scheme::Auto, false, true) => Palette::DARK,
            (Scheme::Light, _, true) | (Scheme::Auto, true, true) => Palette::LIGHT,
            (Scheme::Light, ..) | (Scheme::Auto, true, false) => Palette::SIXTEEN_ON_LIGHT,
            _ => Palette::SIXTEEN,
        };
        for (tone, colour) in &self.colours {
            palette.set(*tone, *colour);
        }
        palette
    }
}

/// An action by its name; `-` stands for a space, so that it needs no quotes in the file.
fn action(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|a| a.name == name || a.name.replace(' ', "-") == name)
}

fn text<'a>(key: &str, value: &'a Spanned<DeValue<'_>>) -> Result<&'a str, String> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        _ => Err(format!("`{key}` is a text in quotes")),
    }
}

fn truth(key: &str, value: &Spanned<DeValue<'_>>) -> Result<bool, String> {
    match value.get_ref() {
        DeValue::Boolean(truth) => Ok(*truth),
        _ => Err(format!("`{key}` is true or false")),
    }
}

fn table<'a, 'i>(key: &str, value: &'a Spanned<DeValue<'i>>) -> Result<&'a DeTable<'i>, String> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table),
        _ => Err(format!("`{key}` is a table: write [{key}]")),
    }
}

/// Says that there is no such thing, and which one may be meant.
fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let close = known.iter().map(|k| (distance(k, name), *k)).min().filter(|(far, _)| *far <= 2.max(name.len() / 3));
    match close {
        Some((_, close)) => format!("there is no {what} `{name}`: did you mean `{close}`?"),
        None => format!("there is no {what} `{name}`; there are {}", known.join(", ")),
    }
}

/// How many letters must change to make one word of another.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.chars().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            next.push((at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_right_as_it_is_and_with_every_line_uncommented() {
        assert_eq!(Config::parse(Config::EXAMPLE), Ok(Config::default()));
        let uncomment = |line: &str| line.strip_prefix("#: ").unwrap_or(line).to_owned();
        let all: Vec<_> = Config::EXAMPLE.lines().map(uncomment).collect();
        let config = Config::parse(&all.join("\n")).unwrap();
        assert!(!config.keys.is_empty() && !config.colours.is_empty());
    }

    #[rstest::rstest]
    #[case("theme = \"drak\"", "line 1: there is no theme `drak`: did you mean `dark`?")]
    #[case("\nthme = \"dark\"", "line 2: there is no setting `thme`: did you mean `theme`?")]
    #[case("plain = 1", "line 1: `plain` is true or false")]
    #[case("[keys]\nreplai = \"r\"", "line 2: there is no action `replai`: did you mean `replay`?")]
    #[case("[keys]\nreplay = \"hyper-r\"", "line 2: `hyper-r` is no key")]
    #[case("plain = true\n[keys]\nhelp = \"t\"", "line 3: `t` would mean both")]
    #[case("[keys]\nreplay = \"1\"", "line 2: `1` would mean both `events` and `replay` in Events")]
    #[case("[keys]\nopen = \"esc\"", "line 2: `esc` would mean both")]
    #[case("[keys]\nquit = []", "line 2: `quit` needs a key")]
    #[case("[colours]\ngood = \"grass\"", "line 2: `grass` is no colour")]
    #[case("[colours]\ngod = \"red\"", "line 2: there is no tone `god`: did you mean `good`?")]
    #[case("plain = tru", "line 1: ")]
    fn what_is_wrong_is_said_with_its_line(#[case] text: &str, #[case] said: &str) {
        let wrong = Config::parse(text).unwrap_err();
        assert!(wrong.iter().any(|w| w.contains(said)), "{wrong:?}");
    }

    #[test]
    fn mistakes_are_told_in_the_order_of_their_lines() {
        let wrong = Config::parse("[keys]\nfly = 'f'\nhelp = 't'\n[colours]\ngood = 'grass'\n").unwrap_err();
        let lines: Vec<_> = wrong.iter().map(|w| w.split(':').next().unwrap()).collect();
        assert_eq!(lines, ["line 2", "line 3", "line 5"], "{wrong:?}");
    }

    #[test]
    fn keys_and_colours_are_taken_over() {
        let config =
            Config::parse("theme = 'light'\n[colours]\nbad = '#ff0000'\n[keys]\ntrigger-test-subscription = ['t', 'f5']\n")
                .unwrap();
        assert_eq!(config.keys["trigger test subscription"], ["t", "f5"]);
        let palette = config.palette(false, true);
        assert_eq!(palette.of(Tone::Bad), Some(Color::Rgb(255, 0, 0)));
        assert_eq!(palette.of(Tone::Good), Palette::LIGHT.of(Tone::Good));
    }
}
