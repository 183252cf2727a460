use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::{Content, Entry};
use crate::observe::Secret;

/// What of YAML a deployment file is made of.
enum Node {
    /// A scalar, and whether it stands there without quotes.
    Text(String, bool),
    Map(Vec<(String, Node)>),
    Other,
}

/// Reads `var` of a `.connect-deployment.yml`, as the deployment helper of Connect's extension framework does: a variable
/// without a value takes that of the process environment (`environment` looks it up), and is no secret unless it says so.
pub(super) fn read(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Content, String> {
    let Node::Map(file) = document(text)? else { return Err("a deployment file is a mapping with `var`".into()) };
    let mut content = Content::default();
    let Some((_, variables)) = file.into_iter().find(|(name, _)| name == "var") else {
        return Err("it has no `var`: that is where a deployment file has its variables".into());
    };
    let variables = match variables {
        Node::Map(variables) => variables,
        node if null(&node) => Vec::new(),
        _ => return Err("`var` is no mapping of names".into()),
    };
    for (name, node) in variables {
        let (value, secure) = match node {
            Node::Map(members) => {
                let member = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, node)| node);
                let secure = matches!(member("secure"), Some(Node::Text(text, true)) if matches!(text.to_lowercase().as_str(), "true" | "yes" | "on"));
                match member("value") {
                    Some(Node::Text(text, plain)) if !(*plain && null_word(text)) => (Some(text.clone()), secure),
                    None | Some(Node::Text(..)) => (None, secure),
                    Some(_) => return Err(format!("the value of {name} is no text")),
                }
            }
            node if null(&node) => (None, false),
            _ => return Err(format!("{name} has no `value` and `secure`")),
        };
        let value = value.filter(|v| !v.is_empty()).or_else(|| environment(&name));
        if value.is_none() {
            content.notes.push(format!("{name} has no value in the file and none in the environment"));
        }
        content.entries.push(match value {
            Some(value) => Entry::read(&name, value, Some(secure)),
            None => Entry { name, value: None, secure: Some(secure) },
        });
    }
    Ok(content)
}

fn null(node: &Node) -> bool {
    matches!(node, Node::Text(text, true) if null_word(text))
}

fn null_word(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn document(text: &str) -> Result<Node, String> {
    let mut events = Parser::new_from_str(text);
    loop {
        match next(&mut events)? {
            None | Some(Event::StreamEnd) => return Ok(Node::Other),
            Some(Event::StreamStart | Event::DocumentStart(_) | Event::Nothing) => {}
            Some(event) => return node(event, &mut events, 0),
        }
    }
}

type Events<'a> = Parser<'a, saphyr_parser::StrInput<'a>>;

fn next<'a>(events: &mut Events<'a>) -> Result<Option<Event<'a>>, String> {
    match events.next() {
        Some(Ok((event, _))) => Ok(Some(event)),
        Some(Err(why)) => Err(format!("line {}: {}", why.marker().line(), why.info())),
        None => Ok(None),
    }
}

/// How deep a deployment file may nest.
const DEEPEST: usize = 32;

fn node<'a>(event: Event<'a>, events: &mut Events<'a>, depth: usize) -> Result<Node, String> {
    if depth > DEEPEST {
        return Err("it nests too deeply for a deployment file".into());
    }
    match event {
        Event::Scalar(text, style, ..) => Ok(Node::Text(Cow::into_owned(text), style == ScalarStyle::Plain)),
        Event::MappingStart(..) => {
            let mut members = Vec::new();
            loop {
                match next(events)? {
                    None | Some(Event::MappingEnd) => return Ok(Node::Map(members)),
                    Some(key) => {
                        let key = node(key, events, depth + 1)?;
                        let value = next(events)?.ok_or("it ends in the middle of a mapping")?;
                        let value = node(value, events, depth + 1)?;
                        if let Node::Text(key, _) = key {
                            members.push((key, value));
                        }
                    }
                }
            }
        }
        Event::SequenceStart(..) => loop {
            match next(events)? {
                None | Some(Event::SequenceEnd) => return Ok(Node::Other),
                Some(event) => drop(node(event, events, depth + 1)?),
            }
        },
        _ => Ok(Node::Other),
    }
}

/// Only `var`, to be put into a deployment file; a withheld value is left to the environment of whoever deploys.
pub(super) fn write(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "var: {}\n".into();
    }
    let one = |entry: &Entry| {
        // A JSON string is a YAML string in double quotes.
        let text = |value: &Secret| serde_json::to_string(value.reveal()).unwrap_or_default();
        let value = match &entry.value {
            Some(value) => format!("    value: {}\n", text(value)),
            None => "    # the value is withheld: the deployment takes it from its environment\n".into(),
        };
        format!("  {}:\n{value}    secure: {}\n", entry.name, entry.secure == Some(true))
    };
    format!("var:\n{}", entries.iter().map(one).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "package_id: package.id\ntag: 27.17\nenv: test\nlist: [a, {b: c}]\nvar:\n    DB_HOST:\n        value: localhost\n        secure: false\n    DB_PASSWORD:\n        value: password\n        secure: true\n    RETRIES:\n        value: 1.50\n    FROM_OUTSIDE: null\n    MISSING:\n";

    #[test]
    fn a_deployment_file_is_read_as_the_deployment_helper_reads_it() {
        let content = read(FILE, |name| (name == "FROM_OUTSIDE").then(|| "here".to_owned())).unwrap();
        let seen: Vec<_> =
            content.entries.iter().map(|e| (e.name.as_str(), e.value.as_ref().map(|v| v.reveal()), e.secure)).collect();
        let expected = [
            ("DB_HOST", Some("localhost"), Some(false)),
            ("DB_PASSWORD", Some("password"), Some(true)),
            ("RETRIES", Some("1.50"), Some(false)),
            ("FROM_OUTSIDE", Some("here"), Some(false)),
            ("MISSING", None, Some(false)),
        ];
        assert_eq!(seen, expected);
        assert_eq!(content.notes.len(), 1);
    }

    #[rstest::rstest]
    #[case("package_id: x\n", "no `var`")]
    #[case("var: [a]\n", "no mapping")]
    #[case("var:\n  A:\n    value: [1]\n", "value of A")]
    #[case("var:\n  A: \"open\n", "line ")]
    fn what_is_wrong_is_said(#[case] text: &str, #[case] said: &str) {
        let why = read(text, |_| None).unwrap_err();
        assert!(why.contains(said), "{why}");
    }
}
