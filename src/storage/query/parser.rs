use bson::{Bson, Document};

use super::cursor::Cursor;
use super::{QueryError, construct, literal};

/// MongoDB's own servers refuse what is nested deeper; and a stack has an end.
const DEEPEST: usize = 200;

pub(super) fn document(text: &str) -> Result<Document, QueryError> {
    let mut parser = Parser::new(text);
    parser.cursor.blank()?;
    if parser.cursor.peek().is_none() {
        return Ok(Document::new());
    }
    let start = parser.cursor.at();
    if parser.cursor.peek() != Some('{') {
        let found = parser.cursor.found();
        return Err(parser.cursor.error(format!("expected a document, like {{ status: \"pending\" }}, found {found}")));
    }
    let value = parser.value(0)?;
    parser.end("document")?;
    match value {
        Bson::Document(document) => Ok(document),
        other => Err(parser.cursor.error_at(start, format!("expected a document, found a value of type {}", name(&other)))),
    }
}

pub(super) fn single(text: &str) -> Result<Bson, QueryError> {
    let mut parser = Parser::new(text);
    let value = parser.value(0)?;
    parser.end("value")?;
    Ok(value)
}

/// MongoDB's name of a value's type.
fn name(value: &Bson) -> String {
    let name = format!("{:?}", value.element_type());
    name.chars().next().map(|c| c.to_ascii_lowercase()).into_iter().chain(name.chars().skip(1)).collect()
}

pub(super) struct Parser<'a> {
    pub(super) cursor: Cursor<'a>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self { cursor: Cursor::new(text) }
    }

    fn end(&mut self, of: &str) -> Result<(), QueryError> {
        self.cursor.blank()?;
        match self.cursor.peek() {
            None => Ok(()),
            Some(_) => Err(self.cursor.error(format!("{} stands after the end of the {of}", self.cursor.found()))),
        }
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<Bson, QueryError> {
        self.cursor.blank()?;
        if depth > DEEPEST {
            return Err(self.cursor.error(format!("nested deeper than {DEEPEST} levels")));
        }
        let start = self.cursor.at();
        match self.cursor.peek() {
            Some('{') => {
                let document = self.object(depth)?;
                construct::extended(document).map_err(|message| self.cursor.error_at(start, message))
            }
            Some('[') => Ok(Bson::Array(self.list('[', ']', depth)?)),
            Some('"' | '\'') => literal::string(&mut self.cursor).map(Bson::String),
            Some('/') => literal::regex(&mut self.cursor),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => literal::number(&mut self.cursor),
            Some(c) if literal::begins_word(c) => self.word(depth),
            _ => Err(self.cursor.error(format!("expected a value, found {}", self.cursor.found()))),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Document, QueryError> {
        let mut document = Document::new();
        self.cursor.eat('{');
        loop {
            self.cursor.blank()?;
            if self.cursor.eat('}') {
                return Ok(document);
            }
            let start = self.cursor.at();
            let key = self.key()?;
            if document.contains_key(&key) {
                return Err(self.cursor.error_at(start, format!("the key `{key}` stands here a second time")));
            }
            self.cursor.blank()?;
            if !self.cursor.eat(':') {
                let dotted = if self.cursor.peek() == Some('.') { "; a key with dots needs quotes" } else { "" };
                let found = self.cursor.found();
                return Err(self.cursor.error(format!("expected `:` after the key `{key}`, found {found}{dotted}")));
            }
            let value = self.value(depth + 1)?;
            self.cursor.blank()?;
            if !self.cursor.eat(',') && self.cursor.peek() != Some('}') {
                let found = self.cursor.found();
                return Err(self.cursor.error(format!("expected `,` or `}}` after the value of `{key}`, found {found}")));
            }
            document.insert(key, value);
        }
    }

    fn key(&mut self) -> Result<String, QueryError> {
        match self.cursor.peek() {
            Some('"' | '\'') => {
                let start = self.cursor.at();
                let key = literal::string(&mut self.cursor)?;
                // BSON ends a key with NUL.
                if key.contains('\0') {
                    return Err(self.cursor.error_at(start, "a key can't contain the character NUL"));
                }
                Ok(key)
            }
            Some(c) if literal::in_word(c) => Ok(self.cursor.take_while(literal::in_word).to_owned()),
            _ => Err(self.cursor.error(format!("expected a key or `}}`, found {}", self.cursor.found()))),
        }
    }

    fn list(&mut self, open: char, close: char, depth: usize) -> Result<Vec<Bson>, QueryError> {
        let mut values = Vec::new();
        self.cursor.eat(open);
        loop {
            self.cursor.blank()?;
            if self.cursor.eat(close) {
                return Ok(values);
            }
            values.push(self.value(depth + 1)?);
            self.cursor.blank()?;
            if !self.cursor.eat(',') && self.cursor.peek() != Some(close) {
                return Err(self.cursor.error(format!("expected `,` or `{close}`, found {}", self.cursor.found())));
            }
        }
    }

    /// `true`, `null`, `ObjectId("...")`, `new Date(...)`, ...
    fn word(&mut self, depth: usize) -> Result<Bson, QueryError> {
        let start = self.cursor.at();
        let mut word = self.cursor.take_while(literal::in_word);
        let new = word == "new";
        if new {
            self.cursor.blank()?;
            word = self.cursor.take_while(literal::in_word);
        }
        self.cursor.blank()?;
        let value = if self.cursor.peek() == Some('(') {
            construct::call(word, self.list('(', ')', depth)?)
        } else if new {
            Err(format!("expected `(` after `new {word}`"))
        } else {
            construct::constant(word)
        };
        value.map_err(|message| self.cursor.error_at(start, message))
    }
}
