use bson::{Bson, DateTime, Document, RawDocumentBuf, Timestamp};

use super::super::error::{Code, CommandError};
use super::super::value::{Collation, Op, Trouble, alias_of, calculate, double, is_number, long, shell_of};
use super::edit::{array_on_the_way, check_way, edit, find};
use super::parse::Condition;
use super::push::Push;

/// One operator at one path.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Operation {
    pub(super) path: String,
    pub(super) operator: Operator,
}

#[derive(Debug, Clone)]
pub(super) enum Operator {
    Set(Bson),
    SetOnInsert(Bson),
    Unset,
    Increment(Bson),
    Multiply(Bson),
    Min(Bson, Collation),
    Max(Bson, Collation),
    Rename(String),
    Now { timestamp: bool },
    Push(Push),
    AddToSet(Vec<Bson>, Collation),
    Pull(Condition),
    PullAll(Vec<Bson>, Collation),
    Pop { first: bool },
    Bit(Vec<(Bits, Bson)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bits {
    And,
    Or,
    Xor,
}

impl Operation {
    /// The paths it changes.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let target = match &self.operator {
            Operator::Rename(to) => Some(to.as_str()),
            _ => None,
        };
        std::iter::once(self.path.as_str()).chain(target)
    }

    /// Whether it calculated NaN, which is another value than any, itself too: what had it counts as changed.
    pub(super) fn calculated_no_number(&self, document: &Document, path: &str) -> bool {
        matches!(self.operator, Operator::Increment(_) | Operator::Multiply(_))
            && find(document, path).and_then(double).is_some_and(f64::is_nan)
    }

    /// Applies it to `document`, which an upsert is just making if `inserting`. `path` is the operation's own, without
    /// positional parts.
    pub(super) fn apply(&self, document: &mut Document, path: &str, inserting: bool) -> Result<(), CommandError> {
        let id = document.get("_id").map(shell_of).unwrap_or_default();
        let at = Place { path, id: &id };
        match &self.operator {
            Operator::Set(value) => edit(document, path, true, &mut |_| Ok(Some(value.clone()))),
            Operator::SetOnInsert(value) if inserting => edit(document, path, true, &mut |_| Ok(Some(value.clone()))),
            Operator::SetOnInsert(_) => Ok(()),
            Operator::Unset => edit(document, path, false, &mut |_| Ok(None)),
            Operator::Increment(by) => edit(document, path, true, &mut |old| at.calculated(Op::Add, old, by).map(Some)),
            Operator::Multiply(by) => edit(document, path, true, &mut |old| at.calculated(Op::Multiply, old, by).map(Some)),
            Operator::Min(value, collation) => {
                edit(document, path, true, &mut |old| Ok(Some(better(old, value, collation, |order| order.is_lt()))))
            }
            Operator::Max(value, collation) => {
                edit(document, path, true, &mut |old| Ok(Some(better(old, value, collation, |order| order.is_gt()))))
            }
            Operator::Rename(to) => rename(document, path, to, at.id),
            Operator::Now { timestamp } => edit(document, path, true, &mut |_| Ok(Some(now(*timestamp)))),
            Operator::Push(push) => edit(document, path, true, &mut |old| {
                let mut array = at.array(old, "")?.unwrap_or_default();
                push.apply(&mut array);
                Ok(Some(Bson::Array(array)))
            }),
            Operator::AddToSet(values, collation) => edit(document, path, true, &mut |old| {
                let mut array = at.array(old, "$addToSet")?.unwrap_or_default();
                for value in values {
                    if !contains(&array, value, collation) {
                        array.push(value.clone());
                    }
                }
                Ok(Some(Bson::Array(array)))
            }),
            Operator::Pull(condition) => at.removing(document, "$pull", &mut |element| condition.holds(element)),
            Operator::PullAll(values, collation) => {
                at.removing(document, "$pullAll", &mut |element| contains(values, element, collation))
            }
            Operator::Pop { first } => edit(document, path, false, &mut |old| {
                let Some(mut array) = at.array(old, "$pop")? else { return Ok(None) };
                if *first && !array.is_empty() {
                    array.remove(0);
                } else {
                    array.pop();
                }
                Ok(Some(Bson::Array(array)))
            }),
            Operator::Bit(operations) => edit(document, path, true, &mut |old| at.bits(old, operations).map(Some)),
        }
    }
}

/// Where a value stands, for the messages.
struct Place<'a> {
    path: &'a str,
    id: &'a str,
}

impl Place<'_> {
    fn field(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    fn calculated(&self, op: Op, old: Option<Bson>, by: &Bson) -> Result<Bson, CommandError> {
        let name = if op == Op::Add { "$inc" } else { "$mul" };
        let old = match old {
            None if op == Op::Add => return Ok(by.clone()),
            None => Bson::Int32(0),
            Some(old) if is_number(&old) => old,
            Some(other) => {
                let message = format!(
                    "Cannot apply {name} to a value of non-numeric type. {{_id: {}}} has the field '{}' of non-numeric type {}",
                    self.id,
                    self.field(),
                    alias_of(&other)
                );
                return Err(CommandError::new(Code::TYPE_MISMATCH, message));
            }
        };
        calculate(op, &old, by).map_err(|_: Trouble| {
            let message = format!(
                "Failed to apply {name} operations to current value ({}) for document {{_id: {}}}",
                shell_of(&old),
                self.id
            );
            CommandError::bad_value(message)
        })
    }

    /// The array that is there, if one is.
    fn array(&self, old: Option<Bson>, operator: &str) -> Result<Option<Vec<Bson>>, CommandError> {
        let (path, id) = (self.path, self.id);
        match old {
            None => Ok(None),
            Some(Bson::Array(array)) => Ok(Some(array)),
            Some(other) => {
                let kind = alias_of(&other);
                Err(match operator {
                    "$pop" => {
                        let message = format!("Path '{path}' contains an element of non-array type '{kind}'");
                        CommandError::new(Code::TYPE_MISMATCH, message)
                    }
                    "$pull" | "$pullAll" => CommandError::bad_value(format!("Cannot apply {operator} to a non-array value")),
                    "$addToSet" => CommandError::bad_value(format!(
                        "Cannot apply $addToSet to non-array field. Field named '{}' has non-array type {kind}",
                        self.field()
                    )),
                    _ => CommandError::bad_value(format!(
                        "The field '{path}' must be an array but is of type {kind} in document {{_id: {id}}}"
                    )),
                })
            }
        }
    }

    fn removing(&self, document: &mut Document, operator: &str, gone: &mut dyn FnMut(&Bson) -> bool) -> Result<(), CommandError> {
        edit(document, self.path, false, &mut |old| {
            let Some(mut array) = self.array(old, operator)? else { return Ok(None) };
            array.retain(|element| !gone(element));
            Ok(Some(Bson::Array(array)))
        })
    }

    fn bits(&self, old: Option<Bson>, operations: &[(Bits, Bson)]) -> Result<Bson, CommandError> {
        let mut value = old.unwrap_or(Bson::Int32(0));
        for (bits, by) in operations {
            let (Some(a), Some(b)) = (long(&value), long(by)) else {
                let message = format!(
                    "Cannot apply $bit to a value of non-integral type._id: {} has the field {} of non-integer type {}",
                    self.id,
                    self.field(),
                    alias_of(&value)
                );
                return Err(CommandError::bad_value(message));
            };
            let result = match bits {
                Bits::And => a & b,
                Bits::Or => a | b,
                Bits::Xor => a ^ b,
            };
            value = match (&value, by, i32::try_from(result)) {
                (Bson::Int32(_), Bson::Int32(_), Ok(result)) => Bson::Int32(result),
                _ => Bson::Int64(result),
            };
        }
        Ok(value)
    }
}

impl Condition {
    fn holds(&self, element: &Bson) -> bool {
        match self {
            Self::Equal(value, collation) => collation.compare_values(value, element).is_eq(),
            Self::Document(matcher) => element
                .as_document()
                .and_then(|document| RawDocumentBuf::try_from(document).ok())
                .is_some_and(|document| matcher.matches(&document)),
            Self::Element(matcher) => {
                let wrapped = bson::doc! { "e": element.clone() };
                RawDocumentBuf::try_from(&wrapped).is_ok_and(|document| matcher.matches(&document))
            }
        }
    }
}

fn contains(values: &[Bson], value: &Bson, collation: &Collation) -> bool {
    values.iter().any(|known| collation.compare_values(known, value).is_eq())
}

fn better(old: Option<Bson>, value: &Bson, collation: &Collation, wins: impl Fn(std::cmp::Ordering) -> bool) -> Bson {
    match old {
        Some(old) if !wins(collation.compare_values(value, &old)) => old,
        _ => value.clone(),
    }
}

fn rename(document: &mut Document, from: &str, to: &str, id: &str) -> Result<(), CommandError> {
    // Also where the array has no such element.
    in_no_array(document, from, "source", id)?;
    check_way(document, from)?;
    let Some(value) = find(document, from).cloned() else { return Ok(()) };
    in_no_array(document, to, "destination", id)?;
    edit(document, from, false, &mut |_| Ok(None))?;
    super::edit::set(document, to, value)
}

fn in_no_array(document: &Document, path: &str, end: &str, id: &str) -> Result<(), CommandError> {
    let Some(array) = array_on_the_way(document, path) else { return Ok(()) };
    let message =
        format!("The {end} field cannot be an array element, '{path}' in doc with _id: {id} has an array field called '{array}'");
    Err(CommandError::bad_value(message))
}

fn now(timestamp: bool) -> Bson {
    let now = DateTime::now();
    if timestamp {
        let time = u32::try_from(now.timestamp_millis() / 1_000).unwrap_or(u32::MAX);
        Bson::Timestamp(Timestamp { time, increment: 1 })
    } else {
        Bson::DateTime(now)
    }
}
