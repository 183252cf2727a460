//! Documents as rows of a table (RFC 4180): nested fields under dotted names, arrays as Extended JSON.

use bson::{Bson, Document};

use crate::storage::query::{canonical_value, relaxed_value};

/// The cells of a document: dotted name and value; an array or an empty document is one cell.
pub(super) fn cells(document: &Document) -> Vec<(String, &Bson)> {
    fn go<'a>(path: String, value: &'a Bson, out: &mut Vec<(String, &'a Bson)>) {
        match value {
            Bson::Document(inner) if !inner.is_empty() => {
                inner.iter().for_each(|(name, value)| go(format!("{path}.{name}"), value, out));
            }
            other => out.push((path, other)),
        }
    }
    let mut out = Vec::new();
    document.iter().for_each(|(name, value)| go(name.clone(), value, &mut out));
    out
}

/// A document's row under these columns; what has no column was written after the columns were found, and is left out.
pub(super) fn row(document: &Document, columns: &[String]) -> String {
    let cells: std::collections::HashMap<String, &Bson> = cells(document).into_iter().collect();
    let texts: Vec<String> = columns.iter().map(|c| cells.get(c).map(|value| text(c, value)).unwrap_or_default()).collect();
    line(texts.iter().map(String::as_str))
}

/// A value as people write it in a table, or as Extended JSON where that would be read as something else.
fn text(column: &str, shown: &Bson) -> String {
    let plain = match shown {
        Bson::String(text) => text.clone(),
        Bson::ObjectId(id) => id.to_hex(),
        // A table is for people: to them, and to MongoDB's comparisons, 5 is 5 with 32 bits and with 64.
        Bson::Int64(number) => return number.to_string(),
        other => relaxed_value(other).to_string(),
    };
    let forms = [plain, relaxed_value(shown).to_string()];
    let exact = forms.into_iter().find(|form| !form.is_empty() && value(column, form) == *shown);
    exact.unwrap_or_else(|| canonical_value(shown).to_string())
}

/// Cells as one line, quoted where they must be.
pub(super) fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let quoted = |cell: &str| {
        if cell.contains([',', '"', '\n', '\r']) || cell.starts_with(' ') || cell.ends_with(' ') {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.to_owned()
        }
    };
    cells.map(quoted).collect::<Vec<_>>().join(",")
}

/// A row read back: dotted names make nested documents, an empty cell no field.
pub(super) fn document(columns: &[String], cells: &[String]) -> Result<Document, String> {
    if cells.len() > columns.len() {
        return Err(format!("it has {} cells, and there are {} columns", cells.len(), columns.len()));
    }
    let mut document = Document::new();
    for (column, cell) in columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        insert(&mut document, column, value(column, cell)).map_err(|()| format!("{column} stands beside a field of it"))?;
    }
    Ok(document)
}

fn insert(document: &mut Document, path: &str, value: Bson) -> Result<(), ()> {
    match path.split_once('.') {
        None => {
            document.insert(path, value);
            Ok(())
        }
        Some((name, rest)) => match document.entry(name.to_owned()).or_insert_with(|| Bson::Document(Document::new())) {
            Bson::Document(inner) => insert(inner, rest, value),
            _ => Err(()),
        },
    }
}

/// A table has no types: numbers, `true`, `false`, `null`, arrays and documents are taken for what they look like, the `_id`
/// that looks like an ObjectId for one, what stands in quotes for the text in them, everything else for text. `007` and `+1`
/// stay text.
fn value(column: &str, cell: &str) -> Bson {
    let first = cell.chars().next().unwrap_or(' ');
    let number = first.is_ascii_digit() || (first == '-' && cell.len() > 1);
    let padded = cell.trim_start_matches('-').starts_with('0') && cell.trim_start_matches('-').len() > 1 && !cell.contains('.');
    let looks = matches!(cell, "true" | "false" | "null") || (number && !padded) || matches!(first, '[' | '{' | '"');
    if column == "_id"
        && cell.len() == 24
        && let Ok(id) = bson::oid::ObjectId::parse_str(cell)
    {
        return id.into();
    }
    let parsed = looks.then(|| crate::storage::query::parse_value(cell).ok()).flatten();
    parsed.unwrap_or_else(|| cell.into())
}

/// Reads the cells of one record, which may go over several lines; `more` gives the next line.
pub(super) fn record(first: &str, mut more: impl FnMut() -> Option<String>) -> Result<Vec<String>, String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut line = first.to_owned();
    loop {
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    cell.push('"');
                }
                '"' if quoted || cell.is_empty() => quoted = !quoted,
                ',' if !quoted => cells.push(std::mem::take(&mut cell)),
                c => cell.push(c),
            }
        }
        if !quoted {
            cells.push(cell);
            return Ok(cells);
        }
        cell.push('\n');
        line = more().ok_or("a quoted cell is never closed")?;
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn a_row_comes_back_as_it_was_where_a_table_can_tell() {
        let document = doc! {
            "_id": bson::oid::ObjectId::parse_str("65f0c0ffee65f0c0ffee65f0").unwrap(), "text": "a \"b\", c\nd",
            "n": 5, "zip": "007", "nested": {"x": 1.5, "list": [1, "two"]}, "no": null, "yes": true,
        };
        let columns: Vec<String> = cells(&document).into_iter().map(|(name, _)| name).collect();
        assert_eq!(columns, ["_id", "text", "n", "zip", "nested.x", "nested.list", "no", "yes"]);
        let written = row(&document, &columns);
        let mut lines = written.split('\n').map(str::to_owned);
        let first = lines.next().unwrap();
        let cells = record(&first, || lines.next()).unwrap();
        assert_eq!(super::document(&columns, &cells).unwrap(), document);
    }

    #[test]
    fn what_a_table_cannot_tell_is_extended_json_and_comes_back_as_it_was() {
        let [pattern, options] = ["^a", "i"].map(|text| bson::raw::CString::try_from(text).unwrap());
        let search = bson::Regex { pattern, options };
        let document = doc! {
            "_id": 1, "at": bson::DateTime::from_millis(1_704_067_200_123), "price": "1.50".parse::<bson::Decimal128>().unwrap(),
            "yes": "true", "no": "null", "five": "5", "empty": "", "quoted": "\"x\"", "list": "[1]", "long": 5_000_000_000_i64, "whole": 5.0,
            "of": bson::oid::ObjectId::parse_str("65f0c0ffee65f0c0ffee65f0").unwrap(), "hex": "65f0c0ffee65f0c0ffee65f0",
            "longs": [1_i64], "day": "2024-01-01T00:00:00Z", "search": search,
        };
        let columns: Vec<String> = cells(&document).into_iter().map(|(name, _)| name).collect();
        let cells = record(&row(&document, &columns), || None).unwrap();
        assert_eq!(super::document(&columns, &cells).unwrap(), document);
        assert_eq!(row(&doc! {"n": 5_i64}, &["n".into()]), "5", "a small long comes back as an int");
        let told = |name: &str| cells[columns.iter().position(|c| c == name).unwrap()].clone();
        assert_eq!(told("at"), r#"{"$date":"2024-01-01T00:00:00.123Z"}"#);
        assert_eq!([told("yes"), told("day"), told("hex")], ["\"true\"", "2024-01-01T00:00:00Z", "65f0c0ffee65f0c0ffee65f0"]);
    }

    #[test]
    fn an_open_quote_and_a_cell_too_many_are_said() {
        assert!(record("\"open", || None).is_err());
        assert!(document(&["a".into()], &["1".into(), "2".into()]).is_err());
        assert!(document(&["a".into(), "a.b".into()], &["1".into(), "2".into()]).is_err());
    }
}
