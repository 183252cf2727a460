use bson::{Bson, Document, RawBsonRef, RawDocument};

use super::super::error::{Code, CommandError};
use super::super::value::{shell, type_alias};
use super::edit::edit;

/// One operator at one path.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Operation {
    path: String,
    operator: Operator,
}

#[derive(Debug, Clone)]
enum Operator {
    Set(Bson),
    SetOnInsert(Bson),
    Unset,
    Increment(Bson),
    Push(Vec<Bson>),
}

pub(super) fn parse(update: &RawDocument) -> Result<Vec<Operation>, CommandError> {
    let mut operations: Vec<Operation> = Vec::new();
    for element in update.iter() {
        let (name, fields) = element?;
        let name = name.as_str();
        let RawBsonRef::Document(fields) = fields else {
            let message = format!(
                "Modifiers operate on fields but we found type {} instead. For example: {{$mod: {{<field>: ...}}}} not {{{name}: {}}}",
                type_alias(fields),
                shell(fields)
            );
            return Err(CommandError::new(Code::FAILED_TO_PARSE, message));
        };
        for field in fields.iter() {
            let (path, value) = field?;
            let path = path.as_str();
            check_path(path)?;
            if let Some(other) = operations.iter().find(|other| collide(&other.path, path)) {
                let shorter = if other.path.len() < path.len() { &other.path } else { path };
                let message = format!("Updating the path '{path}' would create a conflict at '{shorter}'");
                return Err(CommandError::new(Code::CONFLICTING_UPDATE_OPERATORS, message));
            }
            operations.push(Operation { path: path.to_owned(), operator: operator(name, path, value)? });
        }
        if fields.is_empty() {
            operator(name, "", RawBsonRef::Int32(0))?;
        }
    }
    Ok(operations)
}

fn check_path(path: &str) -> Result<(), CommandError> {
    if path.split('.').any(str::is_empty) {
        let message = format!("The update path '{path}' contains an empty field name, which is not allowed.");
        return Err(CommandError::new(Code::EMPTY_FIELD_NAME, message));
    }
    match path.split('.').find(|part| part.starts_with('$')) {
        Some(part) if part == "$" || part.starts_with("$[") => {
            Err(CommandError::not_implemented(&format!("the positional operator in '{path}'")))
        }
        Some(part) => {
            let message =
                format!("The dollar ($) prefixed field '{part}' in '{path}' is not allowed in the context of an update.");
            Err(CommandError::new(Code::DOLLAR_PREFIXED_FIELD_NAME, message))
        }
        None => Ok(()),
    }
}

/// Two paths collide when they are one, or one leads through the other.
fn collide(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn operator(name: &str, path: &str, value: RawBsonRef<'_>) -> Result<Operator, CommandError> {
    let owned = || Bson::try_from(value);
    match name {
        "$set" => Ok(Operator::Set(owned()?)),
        "$setOnInsert" => Ok(Operator::SetOnInsert(owned()?)),
        "$unset" => Ok(Operator::Unset),
        "$inc" => match value {
            RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_) => Ok(Operator::Increment(owned()?)),
            RawBsonRef::Decimal128(_) => Err(CommandError::not_implemented("$inc by a Decimal128")),
            _ => {
                let message = format!("Cannot increment with non-numeric argument: {{{path}: {}}}", shell(value));
                Err(CommandError::new(Code::TYPE_MISMATCH, message))
            }
        },
        "$push" => push(path, value),
        known
        @ ("$mul" | "$min" | "$max" | "$rename" | "$currentDate" | "$addToSet" | "$pop" | "$pull" | "$pullAll" | "$bit") => {
            Err(CommandError::not_implemented(known))
        }
        unknown => {
            let message = format!(
                "Unknown modifier: {unknown}. Expected a valid update modifier or pipeline-style update specified as an array"
            );
            Err(CommandError::new(Code::FAILED_TO_PARSE, message))
        }
    }
}

fn push(path: &str, value: RawBsonRef<'_>) -> Result<Operator, CommandError> {
    let RawBsonRef::Document(modifiers) = value else { return Ok(Operator::Push(vec![Bson::try_from(value)?])) };
    let Some(each) = modifiers.get("$each")? else { return Ok(Operator::Push(vec![Bson::try_from(value)?])) };
    if let Some((name, _)) = modifiers.iter().flatten().find(|(name, _)| name.as_str() != "$each") {
        return Err(CommandError::not_implemented(&format!("{name} in the $push of '{path}'")));
    }
    match Bson::try_from(each)? {
        Bson::Array(values) => Ok(Operator::Push(values)),
        _ => {
            let message = format!("The argument to $each in $push must be an array but it was of type: {}", type_alias(each));
            Err(CommandError::bad_value(message))
        }
    }
}

impl Operation {
    /// Applies it to `document`, which an upsert is just making if `inserting`.
    pub(super) fn apply(&self, document: &mut Document, inserting: bool) -> Result<(), CommandError> {
        let path = &self.path;
        match &self.operator {
            Operator::Set(value) => edit(document, path, true, &mut |_| Ok(Some(value.clone()))),
            Operator::SetOnInsert(value) if inserting => edit(document, path, true, &mut |_| Ok(Some(value.clone()))),
            Operator::SetOnInsert(_) => Ok(()),
            Operator::Unset => edit(document, path, false, &mut |_| Ok(None)),
            Operator::Increment(by) => {
                let id = document.get("_id").map(ToString::to_string).unwrap_or_default();
                edit(document, path, true, &mut |old| increment(old, by, path, &id).map(Some))
            }
            Operator::Push(values) => {
                let id = document.get("_id").map(ToString::to_string).unwrap_or_default();
                edit(document, path, true, &mut |old| match old {
                    None => Ok(Some(Bson::Array(values.clone()))),
                    Some(Bson::Array(mut array)) => {
                        array.extend(values.iter().cloned());
                        Ok(Some(Bson::Array(array)))
                    }
                    Some(other) => {
                        let kind = alias(&other);
                        let message =
                            format!("The field '{path}' must be an array but is of type {kind} in document {{_id: {id}}}");
                        Err(CommandError::bad_value(message))
                    }
                })
            }
        }
    }
}

fn increment(old: Option<Bson>, by: &Bson, path: &str, id: &str) -> Result<Bson, CommandError> {
    let overflow =
        || CommandError::bad_value(format!("Failed to apply $inc operations to current value for document {{_id: {id}}}"));
    let long = |a: i64, b: i64| a.checked_add(b).map(Bson::Int64).ok_or_else(overflow);
    #[allow(clippy::cast_precision_loss)] // as the server adds a long to a double
    Ok(match (old, by) {
        (None, by) => by.clone(),
        (Some(Bson::Int32(a)), Bson::Int32(b)) => {
            a.checked_add(*b).map_or_else(|| Bson::Int64(i64::from(a) + i64::from(*b)), Bson::Int32)
        }
        (Some(Bson::Int32(a)), Bson::Int64(b)) => long(i64::from(a), *b)?,
        (Some(Bson::Int64(a)), Bson::Int32(b)) => long(a, i64::from(*b))?,
        (Some(Bson::Int64(a)), Bson::Int64(b)) => long(a, *b)?,
        (Some(Bson::Double(a)), Bson::Double(b)) => Bson::Double(a + b),
        (Some(Bson::Double(a)), Bson::Int32(b)) => Bson::Double(a + f64::from(*b)),
        (Some(Bson::Double(a)), Bson::Int64(b)) => Bson::Double(a + *b as f64),
        (Some(Bson::Int32(a)), Bson::Double(b)) => Bson::Double(f64::from(a) + b),
        (Some(Bson::Int64(a)), Bson::Double(b)) => Bson::Double(a as f64 + b),
        (Some(Bson::Decimal128(_)), _) => return Err(CommandError::not_implemented("$inc of a Decimal128")),
        (Some(other), _) => {
            let message = format!(
                "Cannot apply $inc to a value of non-numeric type. {{_id: {id}}} has the field '{path}' of non-numeric type {}",
                alias(&other)
            );
            return Err(CommandError::new(Code::TYPE_MISMATCH, message));
        }
    })
}

fn alias(value: &Bson) -> &'static str {
    bson::RawBson::try_from(value.clone()).map_or("unknown", |raw| type_alias(raw.as_raw_bson_ref()))
}
