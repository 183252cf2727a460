use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use super::package::{Package, pack};
use super::{Content, Entry, shown};

/// What the columns may be called, in lower case.
const NAMES: &[&str] = &["name", "key", "variable"];
const VALUES: &[&str] = &["value"];
const SECURES: &[&str] = &["secure", "secured", "secret"];
/// How many sheets are looked at.
const SHEETS: usize = 16;

/// Reads the first sheet that has a heading with a name and a value; the order of the columns and others do not matter.
pub(super) fn read(bytes: &[u8]) -> Result<Content, String> {
    let package = Package::new(bytes)?;
    let texts = package.part("xl/sharedStrings.xml")?.map(|xml| shared(&xml)).transpose()?.unwrap_or_default();
    let mut headings = Vec::new();
    for number in 1..=SHEETS {
        let Some(xml) = package.part(&format!("xl/worksheets/sheet{number}.xml"))? else { continue };
        let rows = rows(&xml, &texts)?;
        let mut rows = rows.iter().filter(|row| row.values().any(|cell| !cell.trim().is_empty()));
        let Some(heading) = rows.next() else { continue };
        let column = |names: &[&str]| {
            heading.iter().find(|(_, title)| names.contains(&title.trim().to_lowercase().as_str())).map(|(at, _)| *at)
        };
        let (Some(names), Some(values)) = (column(NAMES), column(VALUES)) else {
            headings.push(heading.values().cloned().collect::<Vec<_>>().join(", "));
            continue;
        };
        let secures = column(SECURES);
        let entries = rows.filter_map(|row| {
            let cell = |column: usize| row.get(&column).cloned().unwrap_or_default();
            let name = cell(names).trim().to_owned();
            let secure = secures.map(|column| truth(&cell(column)));
            (!name.is_empty()).then(|| Entry::read(&name, cell(values), secure))
        });
        return Ok(Content { entries: entries.collect(), notes: Vec::new() });
    }
    Err(format!("no sheet has the columns Name and Value ({})", headings.join("; ")))
}

/// The cells of a row by their columns.
type Row = BTreeMap<usize, String>;

/// The texts cells share: the content of every `si`, phonetic hints (`rPh`) left out.
fn shared(xml: &str) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    let mut inside = (false, false);
    walk(xml, |event| match event {
        Seen::Start(b"si", _) => texts.push(String::new()),
        Seen::Start(b"t", _) => inside.0 = true,
        Seen::End(b"t") => inside.0 = false,
        Seen::Start(b"rPh", _) => inside.1 = true,
        Seen::End(b"rPh") => inside.1 = false,
        Seen::Text(text) if inside == (true, false) => texts.last_mut().into_iter().for_each(|last| last.push_str(text)),
        _ => {}
    })?;
    Ok(texts)
}

fn rows(xml: &str, texts: &[String]) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Row> = Vec::new();
    let (mut column, mut sort, mut inside, mut text) = (0, String::new(), false, String::new());
    walk(xml, |event| match event {
        Seen::Start(b"row", _) => {
            rows.push(Row::new());
            column = 0;
        }
        Seen::Start(b"c", start) => {
            // A cell without a reference stands beside the one before.
            column = attribute(start, "r").and_then(|place| column_of(&place)).unwrap_or(column + 1);
            sort = attribute(start, "t").unwrap_or_default();
            text.clear();
        }
        Seen::Start(b"v" | b"t", _) => inside = true,
        Seen::End(b"v" | b"t") => inside = false,
        Seen::Text(more) if inside => text.push_str(more),
        Seen::End(b"c") => {
            let value = match sort.as_str() {
                "s" => text.parse().ok().and_then(|at: usize| texts.get(at).cloned()).unwrap_or_default(),
                "b" => if text == "1" { "true" } else { "false" }.into(),
                "str" | "inlineStr" | "e" | "d" => std::mem::take(&mut text),
                // A number: 1 may be kept as 1.0.
                _ => text.parse::<f64>().map_or_else(|_| text.clone(), |number| number.to_string()),
            };
            if let Some(row) = rows.last_mut().filter(|_| !value.is_empty()) {
                row.insert(column, value);
            }
        }
        _ => {}
    })?;
    Ok(rows)
}

/// The column of a reference such as `AB7`; `A` is 1.
fn column_of(place: &str) -> Option<usize> {
    let letters = place.bytes().take_while(u8::is_ascii_uppercase);
    let number = letters.fold(0_usize, |n, letter| n.saturating_mul(26).saturating_add(usize::from(letter - b'A') + 1));
    (number > 0).then_some(number)
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.try_get_attribute(name).ok()??;
    attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok().map(|value| value.into_owned())
}

/// What is met in a part, with names as they are without their namespace.
enum Seen<'a> {
    Start(&'a [u8], &'a BytesStart<'a>),
    End(&'a [u8]),
    Text(&'a str),
}

fn walk(xml: &str, mut meet: impl FnMut(Seen<'_>)) -> Result<(), String> {
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event().map_err(|e| format!("a part of the workbook is damaged: {e}"))? {
            Event::Start(start) => meet(Seen::Start(start.local_name().as_ref().as_bytes(), &start)),
            Event::Empty(start) => {
                meet(Seen::Start(start.local_name().as_ref().as_bytes(), &start));
                meet(Seen::End(start.local_name().as_ref().as_bytes()));
            }
            Event::End(end) => meet(Seen::End(end.local_name().as_ref().as_bytes())),
            Event::Text(text) => meet(Seen::Text(&text.xml10_content())),
            Event::CData(text) => meet(Seen::Text(&text.xml10_content())),
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(c)) => meet(Seen::Text(c.encode_utf8(&mut [0; 4]))),
                _ => meet(Seen::Text(resolve_predefined_entity(&reference).unwrap_or_default())),
            },
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn truth(text: &str) -> bool {
    matches!(text.trim().to_lowercase().as_str(), "true" | "yes" | "1" | "x")
}

const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#;
const RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const BOOK: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Variables" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const BOOK_RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;
const SHEET: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>"#;

/// One sheet with the columns Name, Value, Secure.
pub(super) fn write(entries: &[Entry]) -> Result<Vec<u8>, String> {
    let mut sheet = SHEET.to_owned();
    row(&mut sheet, ["Name", "Value", "Secure"]);
    for entry in entries {
        row(&mut sheet, [&entry.name, &shown(entry), if entry.secure == Some(true) { "true" } else { "false" }]);
    }
    sheet.push_str("</sheetData></worksheet>");
    let parts = [
        ("[Content_Types].xml", CONTENT_TYPES),
        ("_rels/.rels", RELATIONS),
        ("xl/workbook.xml", BOOK),
        ("xl/_rels/workbook.xml.rels", BOOK_RELATIONS),
        ("xl/worksheets/sheet1.xml", &sheet),
    ];
    pack(&parts)
}

fn row(sheet: &mut String, cells: [&str; 3]) {
    sheet.push_str("<row>");
    for cell in cells {
        sheet.push_str(r#"<c t="inlineStr"><is><t xml:space="preserve">"#);
        for c in cell.chars() {
            match c {
                '&' => sheet.push_str("&amp;"),
                '<' => sheet.push_str("&lt;"),
                '>' => sheet.push_str("&gt;"),
                '\r' => sheet.push_str("&#13;"),
                // XML has no way to write the other control characters.
                c if c.is_control() && !matches!(c, '\n' | '\t') => sheet.push('\u{fffd}'),
                c => sheet.push(c),
            }
        }
        sheet.push_str("</t></is></c>");
    }
    sheet.push_str("</row>");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sheet as spreadsheet programs write it, compressed parts apart: shared texts, references, gaps, numbers.
    const SHARED: &str = "<sst><si><t>Name</t></si><si><r><t>Va</t></r><r><t>lue</t></r></si><si><t>SECURE</t></si><si><t>A &amp; B</t></si><si><t xml:space=\"preserve\"> x&#10;y </t></si></sst>";
    const SHEET_OF_OTHERS: &str = "<x:worksheet xmlns:x='s'><x:sheetData><x:row r='2'><x:c r='B2' t='s'><x:v>0</x:v></x:c><x:c r='C2' t='s'><x:v>1</x:v></x:c><x:c r='E2' t='s'><x:v>2</x:v></x:c></x:row><x:row><x:c r='B3' t='str'><x:v>RETRIES</x:v></x:c><x:c r='C3'><x:v>3.0</x:v></x:c><x:c r='D3' t='s'><x:v>3</x:v></x:c></x:row><x:row><x:c r='B4' t='inlineStr'><x:is><x:t>TOKEN</x:t></x:is></x:c><x:c r='C4' t='s'><x:v>4</x:v></x:c><x:c r='E4' t='b'><x:v>1</x:v></x:c></x:row></x:sheetData></x:worksheet>";

    #[test]
    fn sheets_of_other_programs_are_understood() {
        let book = pack(&[("xl/sharedStrings.xml", SHARED), ("xl/worksheets/sheet1.xml", SHEET_OF_OTHERS)]).unwrap();
        let found = read(&book).unwrap().entries;
        let seen: Vec<_> = found.iter().map(|e| (e.name.as_str(), e.value.as_ref().unwrap().reveal(), e.secure)).collect();
        assert_eq!(seen, [("RETRIES", "3", Some(false)), ("TOKEN", " x\ny ", Some(true))]);
    }

    #[test]
    fn a_workbook_without_the_columns_says_which_it_has() {
        let mut sheet = SHEET.to_owned();
        row(&mut sheet, ["Colour", "Size", "Price"]);
        sheet.push_str("</sheetData></worksheet>");
        let book = pack(&[("xl/worksheets/sheet1.xml", &sheet)]).unwrap();
        assert!(read(&book).unwrap_err().contains("(Colour, Size, Price)"));
        assert!(read(b"no workbook").unwrap_err().contains("no workbook"));
        assert_eq!((column_of("A1"), column_of("AB12"), column_of("7")), (Some(1), Some(28), None));
    }
}
