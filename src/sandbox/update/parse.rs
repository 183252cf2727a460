//! What an update says, understood once.

use bson::{Bson, RawBsonRef, RawDocument};

use super::super::error::{Code, CommandError};
use super::super::expression::Given;
use super::super::matcher::Matcher;
use super::super::sort::Sort;
use super::super::value::{Collation, shell, type_alias};
use super::operators::{Bits, Operation, Operator};
use super::push::{Push, PushSort};

/// The operations of an update, in the order they are applied: by name, as MongoDB adds new fields.
pub(super) fn operations(update: &RawDocument, given: &Given) -> Result<Vec<Operation>, CommandError> {
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
        check_name(name)?;
        for field in fields.iter() {
            let (path, value) = field?;
            let operation = Operation { path: path.as_str().to_owned(), operator: operator(name, path.as_str(), value, given)? };
            for path in operation.paths() {
                check_path(path)?;
                let taken = operations.iter().flat_map(Operation::paths).find(|other| collide(other, path));
                if let Some(other) = taken {
                    let shorter = if other.len() < path.len() { other } else { path };
                    let message = format!("Updating the path '{path}' would create a conflict at '{shorter}'");
                    return Err(CommandError::new(Code::CONFLICTING_UPDATE_OPERATORS, message));
                }
            }
            operations.push(operation);
        }
    }
    // By what they make: a renamed field is made at its new name.
    operations.sort_by_cached_key(|operation| {
        operation.paths().last().into_iter().flat_map(|path| path.split('.')).map(order).collect::<Vec<_>>()
    });
    Ok(operations)
}

/// Numbers sort as numbers, before names.
fn order(part: &str) -> (u64, String) {
    part.parse().map_or((u64::MAX, part.to_owned()), |number| (number, String::new()))
}

const OPERATORS: [&str; 15] = [
    "$set",
    "$unset",
    "$inc",
    "$mul",
    "$min",
    "$max",
    "$rename",
    "$currentDate",
    "$push",
    "$addToSet",
    "$pull",
    "$pullAll",
    "$pop",
    "$setOnInsert",
    "$bit",
];

fn check_name(name: &str) -> Result<(), CommandError> {
    if OPERATORS.contains(&name) {
        return Ok(());
    }
    let message =
        format!("Unknown modifier: {name}. Expected a valid update modifier or pipeline-style update specified as an array");
    Err(CommandError::new(Code::FAILED_TO_PARSE, message))
}

fn check_path(path: &str) -> Result<(), CommandError> {
    if path.is_empty() {
        return Err(CommandError::new(Code::EMPTY_FIELD_NAME, "An empty update path is not valid."));
    }
    if path.split('.').any(str::is_empty) {
        let message = format!("The update path '{path}' contains an empty field name, which is not allowed.");
        return Err(CommandError::new(Code::EMPTY_FIELD_NAME, message));
    }
    let mut parts = path.split('.');
    if parts.next().is_some_and(|first| first == "$" || first.starts_with("$[")) {
        let message = format!("Cannot have positional (i.e. '$') element in the first position in path '{path}'");
        return Err(CommandError::bad_value(message));
    }
    match path.split('.').find(|part| part.starts_with('$') && *part != "$" && !(part.starts_with("$[") && part.ends_with(']'))) {
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

fn operator(name: &str, path: &str, value: RawBsonRef<'_>, given: &Given) -> Result<Operator, CommandError> {
    let owned = || Bson::try_from(value);
    let collation = || given.collation().clone();
    Ok(match name {
        "$set" => Operator::Set(owned()?),
        "$setOnInsert" => Operator::SetOnInsert(owned()?),
        "$unset" => Operator::Unset,
        "$inc" => Operator::Increment(number(path, value, "increment")?),
        "$mul" => Operator::Multiply(number(path, value, "multiply")?),
        "$min" => Operator::Min(owned()?, collation()),
        "$max" => Operator::Max(owned()?, collation()),
        "$rename" => rename(path, value)?,
        "$currentDate" => Operator::Now { timestamp: timestamp(value)? },
        "$push" => Operator::Push(push(value, given)?),
        "$addToSet" => Operator::AddToSet(add_to_set(value)?, collation()),
        "$pull" => Operator::Pull(condition(value, given)?),
        "$pullAll" => match owned()? {
            Bson::Array(values) => Operator::PullAll(values, collation()),
            _ => {
                let message = format!("$pullAll requires an array argument but was given a {}", type_alias(value));
                return Err(CommandError::bad_value(message));
            }
        },
        "$pop" => Operator::Pop { first: first(value)? },
        _ => Operator::Bit(bits(path, value)?),
    })
}

fn number(path: &str, value: RawBsonRef<'_>, verb: &str) -> Result<Bson, CommandError> {
    match value {
        RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_) | RawBsonRef::Decimal128(_) => {
            Ok(Bson::try_from(value)?)
        }
        _ => {
            let message = format!("Cannot {verb} with non-numeric argument: {{{path}: {}}}", shell(value));
            Err(CommandError::new(Code::TYPE_MISMATCH, message))
        }
    }
}

fn rename(path: &str, value: RawBsonRef<'_>) -> Result<Operator, CommandError> {
    let RawBsonRef::String(to) = value else {
        let message = format!("The 'to' field for $rename must be a string: {path}: {}", shell(value));
        return Err(CommandError::bad_value(message));
    };
    if to == path {
        let message = format!("The source and target field for $rename must differ: {path}: {}", shell(value));
        return Err(CommandError::bad_value(message));
    }
    let within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
    if within(path, to) || within(to, path) {
        let message = format!("The source and target field for $rename must not be on the same path: {path}: {}", shell(value));
        return Err(CommandError::bad_value(message));
    }
    if let Some(dynamic) = [path, to].into_iter().find(|path| path.split('.').any(|part| part.starts_with('$'))) {
        return Err(CommandError::bad_value(format!("The fields of $rename may not be dynamic: {dynamic}")));
    }
    Ok(Operator::Rename(to.to_owned()))
}

fn timestamp(value: RawBsonRef<'_>) -> Result<bool, CommandError> {
    match value {
        RawBsonRef::Boolean(_) => Ok(false),
        RawBsonRef::Document(kind) => match kind.get("$type")? {
            Some(RawBsonRef::String("date")) => Ok(false),
            Some(RawBsonRef::String("timestamp")) => Ok(true),
            _ => {
                let message =
                    "The '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {field : {$type: 'date'}}}";
                Err(CommandError::bad_value(message))
            }
        },
        _ => {
            let message = format!(
                "{} is not valid type for $currentDate. Please use a boolean ('true') or a $type expression ({{$type: 'timestamp/date'}}).",
                type_alias(value)
            );
            Err(CommandError::bad_value(message))
        }
    }
}

fn each(operator: &str, value: RawBsonRef<'_>) -> Result<Vec<Bson>, CommandError> {
    match Bson::try_from(value)? {
        Bson::Array(values) => Ok(values),
        _ => {
            let kind = type_alias(value);
            let message = format!("The argument to $each in {operator} must be an array but it was of type: {kind}");
            Err(CommandError::new(if operator == "$push" { Code::BAD_VALUE } else { Code::TYPE_MISMATCH }, message))
        }
    }
}

fn push(value: RawBsonRef<'_>, given: &Given) -> Result<Push, CommandError> {
    let mut push = Push { values: Vec::new(), position: None, slice: None, sort: None };
    let modifiers = match value {
        RawBsonRef::Document(modifiers) if modifiers.get("$each")?.is_some() => modifiers,
        _ => {
            push.values.push(Bson::try_from(value)?);
            return Ok(push);
        }
    };
    for modifier in modifiers.iter() {
        let (name, value) = modifier?;
        let whole = || {
            let number = Bson::try_from(value).ok().and_then(|value| super::super::value::whole_number(&value));
            let name = name.as_str();
            let message = format!("The value for {name} must be an integer value but was given type: {}", type_alias(value));
            number.ok_or_else(|| CommandError::bad_value(message))
        };
        match name.as_str() {
            "$each" => push.values = each("$push", value)?,
            "$position" => push.position = Some(whole()?),
            "$slice" => push.slice = Some(whole()?),
            "$sort" => push.sort = Some(push_sort(value, given)?),
            other => return Err(CommandError::bad_value(format!("Unrecognized clause in $push: {other}"))),
        }
    }
    Ok(push)
}

fn push_sort(value: RawBsonRef<'_>, given: &Given) -> Result<PushSort, CommandError> {
    let whole = |down| Ok(PushSort::Whole { down, collation: given.collation().clone() });
    match value {
        RawBsonRef::Document(fields) => match Sort::parse(fields, given.collation())? {
            Some(sort) => Ok(PushSort::Fields(sort)),
            None => Err(CommandError::bad_value("The $sort pattern is empty when it should be a set of fields.")),
        },
        RawBsonRef::Int32(1) | RawBsonRef::Int64(1) => whole(false),
        RawBsonRef::Int32(-1) | RawBsonRef::Int64(-1) => whole(true),
        RawBsonRef::Double(n) if n.abs().to_bits() == 1.0_f64.to_bits() => whole(n < 0.0),
        _ => Err(CommandError::bad_value("The $sort element value must be either 1 or -1")),
    }
}

fn add_to_set(value: RawBsonRef<'_>) -> Result<Vec<Bson>, CommandError> {
    match value {
        RawBsonRef::Document(modifiers) => match modifiers.iter().next().transpose()? {
            Some((name, values)) if name.as_str() == "$each" => {
                if let Some((other, _)) = modifiers.iter().flatten().nth(1) {
                    let message = format!("Found unexpected fields after $each in $addToSet: {other}");
                    return Err(CommandError::bad_value(message));
                }
                each("$addToSet", values)
            }
            _ => Ok(vec![Bson::try_from(value)?]),
        },
        _ => Ok(vec![Bson::try_from(value)?]),
    }
}

/// What `$pull` removes.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// Elements equal to this.
    Equal(Bson, Collation),
    /// Elements that are documents and pass.
    Document(Matcher),
    /// Elements that pass as the field `e` of a document.
    Element(Matcher),
}

fn condition(value: RawBsonRef<'_>, given: &Given) -> Result<Condition, CommandError> {
    let element = || {
        let mut wrapped = bson::RawDocumentBuf::new();
        wrapped.append(bson::raw::cstr!("e"), value);
        Matcher::parse_given(&wrapped, given).map(Condition::Element)
    };
    match value {
        RawBsonRef::Document(filter) => {
            let first = filter.iter().next().transpose()?.map_or("", |(name, _)| name.as_str());
            let on_element = first.starts_with('$') && !matches!(first, "$and" | "$or" | "$nor" | "$expr" | "$where");
            if on_element { element() } else { Matcher::parse_given(filter, given).map(Condition::Document) }
        }
        RawBsonRef::RegularExpression(_) => element(),
        _ => Ok(Condition::Equal(Bson::try_from(value)?, given.collation().clone())),
    }
}

fn first(value: RawBsonRef<'_>) -> Result<bool, CommandError> {
    match Bson::try_from(value).ok().as_ref().and_then(super::super::value::whole_number) {
        Some(1) => Ok(false),
        Some(-1) => Ok(true),
        Some(other) => Err(CommandError::new(Code::FAILED_TO_PARSE, format!("$pop expects 1 or -1, found: {other}"))),
        None => {
            let message = format!("Expected a number in: $pop, found {}", type_alias(value));
            Err(CommandError::new(Code::FAILED_TO_PARSE, message))
        }
    }
}

fn bits(path: &str, value: RawBsonRef<'_>) -> Result<Vec<(Bits, Bson)>, CommandError> {
    let RawBsonRef::Document(operations) = value else {
        let message = format!(
            "The $bit modifier is not compatible with a {}. You must pass in an embedded document: {{$bit: {{field: {{and/or/xor: #}}}}}}",
            type_alias(value)
        );
        return Err(CommandError::bad_value(message));
    };
    let mut bits = Vec::new();
    for operation in operations.iter() {
        let (name, value) = operation?;
        let bit = match name.as_str() {
            "and" => Bits::And,
            "or" => Bits::Or,
            "xor" => Bits::Xor,
            other => {
                let message = format!(
                    "The $bit modifier only supports 'and', 'or', and 'xor', not '{other}' which is an unknown operator: {{{other}: {}}}",
                    shell(value)
                );
                return Err(CommandError::bad_value(message));
            }
        };
        match value {
            RawBsonRef::Int32(_) | RawBsonRef::Int64(_) => bits.push((bit, Bson::try_from(value)?)),
            _ => {
                let message = format!(
                    "The $bit modifier field must be an Integer(32/64 bit); a '{}' is not supported here: {{{path}: {}}}",
                    type_alias(value),
                    shell(value)
                );
                return Err(CommandError::bad_value(message));
            }
        }
    }
    if bits.is_empty() {
        let message =
            format!("You must pass in at least one bitwise operation. The format is: {{$bit: {{{path}: {{and/or/xor: #}}}}}}");
        return Err(CommandError::bad_value(message));
    }
    Ok(bits)
}
