//! The text of a query, read in one pass with a bounded depth.

use super::{Comparison, Filter, Operand, Query, RqlError};

/// Deeper nesting than anybody writes, shallow enough for every stack.
const MAX_DEPTH: usize = 48;

impl Query {
    /// Reads a query string as it stands in a URL, percent-encoding and all.
    ///
    /// # Errors
    /// [`RqlError`] says what is wrong, and where.
    pub(crate) fn parse(query: &str) -> Result<Self, RqlError> {
        let decoded = percent_decode(query);
        let mut parser = Parser { chars: decoded.chars().collect(), at: 0, query: Query::default() };
        let filter = parser.alternatives(0, false)?;
        if parser.at < parser.chars.len() {
            return Err(parser.error("something is left over"));
        }
        parser.query.filter = match filter {
            Some(Filter::And(all)) => all,
            other => other.into_iter().collect(),
        };
        Ok(parser.query)
    }
}

/// `%41` is `A`; a percent sign that encodes nothing stands for itself, and what is not UTF-8 is replaced.
pub(crate) fn percent_decode(text: &str) -> String {
    let hex = |byte: Option<&u8>| byte.and_then(|b| char::from(*b).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    query: Query,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    fn need(&mut self, wanted: char) -> Result<(), RqlError> {
        if self.eat(wanted) { Ok(()) } else { Err(self.error(&format!("`{wanted}` is missing"))) }
    }

    fn error(&self, reason: &str) -> RqlError {
        RqlError { reason: reason.into(), offset: self.at }
    }

    /// `a|b`, `a;b`. A part may be no condition at all (`limit=10`): then there is nothing to hold.
    fn alternatives(&mut self, depth: usize, comma_taken: bool) -> Result<Option<Filter>, RqlError> {
        if depth > MAX_DEPTH {
            return Err(self.error("the query is nested too deeply"));
        }
        let mut any = Vec::new();
        loop {
            any.extend(self.conjunction(depth, comma_taken)?);
            if !self.eat('|') && !self.eat(';') {
                break;
            }
        }
        Ok(if any.len() > 1 { Some(Filter::Or(any)) } else { any.pop() })
    }

    /// `a&b`, and `a,b` where the comma is nobody else's.
    fn conjunction(&mut self, depth: usize, comma_taken: bool) -> Result<Option<Filter>, RqlError> {
        let mut all = Vec::new();
        loop {
            all.extend(self.term(depth)?);
            if !self.eat('&') && (comma_taken || !self.eat(',')) {
                break;
            }
        }
        Ok(if all.len() > 1 { Some(Filter::And(all)) } else { all.pop() })
    }

    fn term(&mut self, depth: usize) -> Result<Option<Filter>, RqlError> {
        if matches!(self.peek(), None | Some('&' | '|' | ';')) {
            return Ok(None);
        }
        if self.eat('(') {
            let inner = self.alternatives(depth + 1, false)?;
            self.need(')')?;
            return Ok(inner);
        }
        let name = self.word();
        if name.is_empty() {
            return Err(self.error("a condition is missing"));
        }
        if self.eat('(') {
            return self.function(&name, depth);
        }
        self.need('=')?;
        self.assignment(&name)
    }

    /// `name(`...
    fn function(&mut self, name: &str, depth: usize) -> Result<Option<Filter>, RqlError> {
        let filter = match name {
            "and" | "or" => {
                let mut parts = Vec::new();
                loop {
                    parts.extend(self.element(depth)?);
                    if !self.eat(',') {
                        break;
                    }
                }
                Some(if name == "and" { Filter::And(parts) } else { Filter::Or(parts) })
            }
            "not" => self.element(depth)?.map(|inner| Filter::Not(Box::new(inner))),
            "in" | "out" => {
                let path = self.path()?;
                self.need(',')?;
                self.need('(')?;
                let values = self.values()?;
                self.need(')')?;
                let within = Filter::In(path, values);
                Some(if name == "in" { within } else { Filter::Not(Box::new(within)) })
            }
            "ordering" => {
                for field in self.values()? {
                    self.order_by(&field)?;
                }
                None
            }
            "select" => {
                for field in self.values()? {
                    self.select(&field)?;
                }
                None
            }
            _ => {
                let path = self.path()?;
                self.need(',')?;
                let value = self.operand()?;
                Some(self.comparison(name, path, value)?)
            }
        };
        self.need(')')?;
        Ok(filter)
    }

    /// One argument of `and`, `or`, `not`: alternatives joined by `&`, `|` or `;`, but the comma belongs to the function.
    fn element(&mut self, depth: usize) -> Result<Option<Filter>, RqlError> {
        match self.alternatives(depth + 1, true)? {
            Some(filter) => Ok(Some(filter)),
            None => Err(self.error("a condition is missing")),
        }
    }

    /// `limit=10`, `field=value`, `field=like=*x*`
    fn assignment(&mut self, name: &str) -> Result<Option<Filter>, RqlError> {
        if name == "limit" || name == "offset" {
            let word = self.word();
            let number = word.parse().map_err(|_| self.error(&format!("`{name}` must be a whole number, not `{word}`")))?;
            if name == "limit" {
                self.query.limit = Some(number);
            } else {
                self.query.offset = number;
            }
            return Ok(None);
        }
        if name == "ordering" {
            loop {
                let field = Operand::Text(self.word());
                self.order_by(&field)?;
                if !self.eat(',') {
                    return Ok(None);
                }
            }
        }
        let path = path_of(name).ok_or_else(|| self.error(&format!("`{name}` is no name of a field")))?;
        let value = self.operand()?;
        match value {
            Operand::Text(op) if self.eat('=') => {
                if op == "in" || op == "out" {
                    self.need('(')?;
                    let within = Filter::In(path, self.values()?);
                    self.need(')')?;
                    return Ok(Some(if op == "in" { within } else { Filter::Not(Box::new(within)) }));
                }
                let value = self.operand()?;
                Ok(Some(self.comparison(&op, path, value)?))
            }
            value => Ok(Some(Filter::Compare(path, Comparison::Equal, value))),
        }
    }

    fn comparison(&self, name: &str, path: Vec<String>, value: Operand) -> Result<Filter, RqlError> {
        let how = match name {
            "eq" | "ne" => Comparison::Equal,
            "gt" => Comparison::Greater,
            "ge" => Comparison::GreaterOrEqual,
            "lt" => Comparison::Less,
            "le" => Comparison::LessOrEqual,
            "like" => Comparison::Like,
            "ilike" => Comparison::Ilike,
            _ => return Err(self.error(&format!("there is no operator `{name}`"))),
        };
        let compare = Filter::Compare(path, how, value);
        Ok(if name == "ne" { Filter::Not(Box::new(compare)) } else { compare })
    }

    fn order_by(&mut self, field: &Operand) -> Result<(), RqlError> {
        let Operand::Text(field) = field else { return Err(self.error("`ordering` needs names of fields")) };
        let (name, descending) = match field.strip_prefix('-') {
            Some(name) => (name, true),
            None => (field.strip_prefix('+').unwrap_or(field), false),
        };
        let path = path_of(name).ok_or_else(|| self.error(&format!("`{name}` is no name of a field")))?;
        self.query.ordering.push((path, descending));
        Ok(())
    }

    /// `select(+a,-b)`: what is asked for in addition is there already; what is left out is left out.
    fn select(&mut self, field: &Operand) -> Result<(), RqlError> {
        let Operand::Text(field) = field else { return Err(self.error("`select` needs names of fields")) };
        let name = field.strip_prefix(['+', '-']).unwrap_or(field);
        let path = path_of(name).ok_or_else(|| self.error(&format!("`{name}` is no name of a field")))?;
        if field.starts_with('-') {
            self.query.without.push(path);
        }
        Ok(())
    }

    fn path(&mut self) -> Result<Vec<String>, RqlError> {
        let word = self.word();
        path_of(&word).ok_or_else(|| self.error(&format!("`{word}` is no name of a field")))
    }

    fn values(&mut self) -> Result<Vec<Operand>, RqlError> {
        let mut values = Vec::new();
        if self.peek() == Some(')') {
            return Ok(values);
        }
        loop {
            values.push(self.operand()?);
            if !self.eat(',') {
                return Ok(values);
            }
        }
    }

    fn operand(&mut self) -> Result<Operand, RqlError> {
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            return self.quoted(quote);
        }
        let word = self.word();
        if matches!(word.as_str(), "null" | "empty") && self.eat('(') {
            self.need(')')?;
            return Ok(if word == "null" { Operand::Null } else { Operand::Empty });
        }
        Ok(Operand::Text(word))
    }

    fn quoted(&mut self, quote: char) -> Result<Operand, RqlError> {
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '\\' => {
                    text.extend(self.peek());
                    self.at += 1;
                }
                c if c == quote => return Ok(Operand::Text(text)),
                c => text.push(c),
            }
        }
        Err(self.error("a quotation mark is not closed"))
    }

    /// Up to the next character that means something.
    fn word(&mut self) -> String {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let word: String = rest.iter().take_while(|c| !matches!(c, '(' | ')' | ',' | '&' | '|' | ';' | '=')).collect();
        self.at += word.chars().count();
        word
    }
}

fn path_of(name: &str) -> Option<Vec<String>> {
    let good = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    name.split('.').all(good).then(|| name.split('.').map(Into::into).collect())
}
