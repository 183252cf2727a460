use super::{Content, Entry, shown};

/// What marks the next variable as a secret.
const SECURE: &str = "secure";

/// Reads `NAME=VALUE` lines: comments, `export`, single quotes (as they are), double quotes (with `\n`, `\"` and the like,
/// over several lines), and a comment `# secure` above a secret.
pub(super) fn read(text: &str) -> Result<Content, String> {
    let entries = scan(text)?.into_iter().map(|(_, entry)| entry).collect();
    Ok(Content { entries, notes: Vec::new() })
}

/// The variables with the lines they begin in.
pub(crate) fn scan(text: &str) -> Result<Vec<(usize, Entry)>, String> {
    let mut found: Vec<(usize, Entry)> = Vec::new();
    let mut secure = false;
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start();
        if line.trim_end().is_empty() {
            continue;
        }
        if let Some(comment) = line.strip_prefix('#') {
            secure = comment.trim() == SECURE;
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, rest) = line.split_once('=').ok_or_else(|| format!("line {number}: NAME=VALUE is expected"))?;
        let name = name.trim();
        if let Some((before, _)) = found.iter().find(|(_, e)| e.name == name) {
            return Err(format!("line {number}: {name} stands in line {before} already"));
        }
        let value = value(rest.trim_start(), &mut || lines.next().map(|(_, line)| line))
            .map_err(|why| format!("line {number}: {name}: {why}"))?;
        found.push((number, Entry::read(name, value, secure.then_some(true))));
        secure = false;
    }
    Ok(found)
}

fn value<'a>(first: &'a str, next: &mut dyn FnMut() -> Option<&'a str>) -> Result<String, String> {
    let Some(quote) = first.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        // Only a # after a space begins a comment: passwords have them too.
        let end = first.find(" #").unwrap_or(first.len());
        return Ok(first.get(..end).unwrap_or(first).trim_end().to_owned());
    };
    let mut value = String::new();
    let mut line = first.get(1..).unwrap_or_default();
    loop {
        let mut letters = line.char_indices();
        while let Some((at, c)) = letters.next() {
            match c {
                c if c == quote => {
                    let rest = line.get(at + 1..).unwrap_or_default().trim();
                    let over = rest.is_empty() || rest.starts_with('#');
                    return if over { Ok(value) } else { Err(format!("`{rest}` stands behind the closing quote")) };
                }
                '\\' if quote == '"' => match letters.next().map(|(_, c)| c) {
                    Some('n') => value.push('\n'),
                    Some('r') => value.push('\r'),
                    Some('t') => value.push('\t'),
                    Some(c @ ('"' | '\\' | '$' | '\'' | '`')) => value.push(c),
                    Some(c) => value.extend(['\\', c]),
                    None => value.push('\\'),
                },
                c => value.push(c),
            }
        }
        value.push('\n');
        line = next().ok_or("the closing quote is missing")?;
    }
}

/// A value as a line of the file has it.
pub(crate) fn quote(value: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,;?&=~^!()[]{}<>|«»".contains(c);
    if !value.is_empty() && value.chars().all(harmless) {
        return value.into();
    }
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '"' | '\\' | '$' | '`' => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

pub(super) fn write(entries: &[Entry]) -> String {
    let line = |entry: &Entry| {
        let mark = if entry.secure == Some(true) { format!("# {SECURE}\n") } else { String::new() };
        format!("{mark}{}={}\n", entry.name, quote(&shown(entry)))
    };
    entries.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_developers_write_is_understood() {
        let text = "# a comment\nA=1\nexport B = two words  # why\nC='as $it is # here'\nD=\"one\\ntwo\nthree\" # end\n\n# secure\nE=p#ss\nF=\n";
        let found = scan(text).unwrap();
        let values: Vec<_> = found.iter().map(|(line, e)| (*line, e.name.as_str(), e.value.as_ref().unwrap().reveal())).collect();
        let expected = [
            (2, "A", "1"),
            (3, "B", "two words"),
            (4, "C", "as $it is # here"),
            (5, "D", "one\ntwo\nthree"),
            (9, "E", "p#ss"),
            (10, "F", ""),
        ];
        assert_eq!(values, expected);
        assert_eq!(found.iter().map(|(_, e)| e.secure).collect::<Vec<_>>(), [None, None, None, None, Some(true), None]);
    }

    #[rstest::rstest]
    #[case("A=1\nnonsense\n", "line 2: NAME=VALUE")]
    #[case("A=1\nA=2", "line 2: A stands in line 1")]
    #[case("A=\"open\n", "line 1: A: the closing quote")]
    #[case("A='x' y", "line 1: A: `y` stands behind")]
    fn an_error_names_its_line(#[case] text: &str, #[case] said: &str) {
        let why = scan(text).unwrap_err();
        assert!(why.contains(said), "{why}");
    }
}
