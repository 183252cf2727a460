use super::super::super::text;
use super::super::Input;
use crate::storage::query::{QueryError, parse_document};
use crate::workbench::StoreQuery;

/// The fields of the query bar.
pub(crate) const FIELDS: [&str; 4] = ["FILTER", "PROJECT", "SORT", "SKIP"];

/// A query being typed.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) fields: [Input; 4],
    pub(crate) at: usize,
    /// What is wrong with the field that is typed in: where, in columns from its beginning, and why. The cursor stands there.
    pub(crate) error: Option<(usize, String)>,
    /// The place in the history that is shown; `None` for what was typed.
    pub(crate) past: Option<usize>,
}

impl Bar {
    pub(crate) fn new(query: &StoreQuery) -> Self {
        let one_line = |text: &str| Input::new(&text.replace('\n', " "));
        let skip = if query.skip == 0 { String::new() } else { query.skip.to_string() };
        let fields = [one_line(&query.filter), one_line(&query.projection), one_line(&query.sort), Input::new(&skip)];
        Self { fields, at: 0, error: None, past: None }
    }

    pub(crate) fn input(&mut self) -> &mut Input {
        self.error = None;
        let [filter, projection, sort, skip] = &mut self.fields;
        match self.at {
            0 => filter,
            1 => projection,
            2 => sort,
            _ => skip,
        }
    }

    pub(crate) fn step(&mut self, by: usize) {
        self.at = (self.at + by) % FIELDS.len();
        self.error = None;
    }

    /// Shows an older or a newer query of the history.
    pub(crate) fn recall(&mut self, recent: &[StoreQuery], older: bool) {
        let next = match (self.past, older) {
            (None, true) => Some(0),
            (Some(at), true) => Some((at + 1).min(recent.len().saturating_sub(1))),
            (Some(0) | None, false) => None,
            (Some(at), false) => Some(at - 1),
        };
        let Some(query) = next.and_then(|at| recent.get(at)) else { return };
        let at = self.at;
        *self = Self { at, past: next, ..Self::new(query) };
    }

    /// The query, if it can be read; otherwise the field that can't be is pointed at.
    pub(crate) fn read(&mut self) -> Option<StoreQuery> {
        let texts = self.fields.each_ref().map(|input| input.text().trim_end().to_owned());
        let [filter, projection, sort, skip] = texts;
        for (at, typed) in [&filter, &projection, &sort].into_iter().enumerate() {
            if let Err(error) = parse_document(typed) {
                let QueryError { offset, message, .. } = &error;
                let head = typed.get(..*offset).unwrap_or(typed);
                let before = head.chars().count();
                self.at = at;
                if let Some(input) = self.fields.get_mut(at) {
                    input.go_to(before);
                }
                let field = FIELDS.get(at).copied().unwrap_or_default().to_lowercase();
                let column = text::width(head);
                self.error = Some((column, format!("the {field} can't be read: column {}: {message}", before + 1)));
                return None;
            }
        }
        match if skip.is_empty() { Ok(0) } else { skip.parse() } {
            Ok(skip) => Some(StoreQuery { filter, projection, sort, skip, ..StoreQuery::default() }),
            Err(_) => {
                self.at = 3;
                self.error = Some((0, "how many documents to pass over is a number".into()));
                None
            }
        }
    }
}
