//! The expression language of aggregations, of `$expr` and of computed projections.
//!
//! An expression is [parsed](Expression::parse) once and then evaluated for every document. Most operators are functions of
//! their arguments' values: they stand in the table of `functions`. Those that decide which argument to evaluate, or bind
//! a variable, are forms of [`Expression`] itself.

mod arithmetic;
mod arrays;
mod bits;
mod convert;
mod date_parts;
mod dates;
mod evaluate;
mod functions;
mod given;
mod logic;
mod objects;
mod parse;
mod sets;
mod strings;
#[cfg(test)]
mod tests;
mod trigonometry;

use bson::{Bson, DateTime, RawBsonRef, RawDocument};

use super::error::CommandError;
use super::value::Collation;
use functions::Function;

pub(super) use arithmetic::mean;
pub(super) use arrays::sliced;
pub(super) use given::Given;
pub(super) use logic::truth;

/// What an expression evaluates to; `None` is a missing field.
pub(super) type Value = Option<Bson>;

/// A parsed expression.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Literal(Bson),
    /// A path in the document: `$a.b`.
    Field(Vec<String>),
    /// A variable, or a path in one: `$$this.a`.
    Variable(String, Vec<String>),
    Object(Vec<(String, Expression)>),
    Array(Vec<Expression>),
    /// A function of its arguments' values, some of which it may compare; an argument that is not given is missing.
    Call(&'static Function, Vec<Option<Expression>>, Collation),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Cond(Box<[Expression; 3]>),
    IfNull(Vec<Expression>),
    Switch {
        branches: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
    Let {
        variables: Vec<(String, Expression)>,
        within: Box<Expression>,
    },
    Map {
        input: Box<Expression>,
        name: String,
        within: Box<Expression>,
    },
    Filter {
        input: Box<Expression>,
        name: String,
        keep: Box<Expression>,
        limit: Option<Box<Expression>>,
    },
    Reduce {
        input: Box<Expression>,
        initial: Box<Expression>,
        within: Box<Expression>,
    },
}

/// Variables that are bound, the innermost first.
#[derive(Debug, Clone, Copy)]
struct Bound<'a> {
    name: &'a str,
    value: &'a Value,
    outer: Option<&'a Bound<'a>>,
}

/// What an expression can see.
#[derive(Debug, Clone, Copy)]
struct Scope<'a> {
    root: &'a RawDocument,
    bound: Option<&'a Bound<'a>>,
    now: DateTime,
}

impl<'a> Scope<'a> {
    fn new(root: &'a RawDocument) -> Self {
        Self { root, bound: None, now: DateTime::now() }
    }
}

impl Expression {
    /// Understands an expression that can use the variables `given`, beside MongoDB's own: they stand for their values.
    ///
    /// # Errors
    /// What is wrong with it, with MongoDB's code and words.
    pub(super) fn parse(value: RawBsonRef<'_>, given: &Given) -> Result<Self, CommandError> {
        parse::Parser::new(given).value(value)
    }

    /// A call of the function `name`.
    ///
    /// # Errors
    /// There is no such function.
    pub(super) fn call(name: &str, arguments: Vec<Self>, given: &Given) -> Result<Self, CommandError> {
        let function = functions::find(name).ok_or_else(|| CommandError::not_implemented(name))?;
        Ok(Self::Call(function, arguments.into_iter().map(Some).collect(), given.collation().clone()))
    }

    /// The value for one document.
    ///
    /// # Errors
    /// An operator that cannot work with what it finds.
    pub(super) fn evaluate(&self, document: &RawDocument) -> Result<Value, CommandError> {
        evaluate::evaluate(self, &Scope::new(document))
    }
}
