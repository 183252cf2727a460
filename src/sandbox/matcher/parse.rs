use bson::{RawArray, RawBson, RawBsonRef, RawDocument};

use super::super::error::{Code, CommandError};
use super::super::expression::{Expression, Given};
use super::super::value::{Path, shell, type_from_alias};
use super::predicate::{ElementTest, Pattern, Predicate, Range, Wanted, whole};
use super::schema::Schema;
use super::search::Regex;
use super::{Matcher, Node};

/// Nesting of `$and`, `$not`, `$elemMatch` beyond this is refused: the parser is recursive.
const MAX_DEPTH: usize = 100;

pub(super) fn filter(filter: &RawDocument, given: &Given) -> Result<Matcher, CommandError> {
    filter_at(filter, 0, given)
}

fn filter_at(filter: &RawDocument, depth: usize, given: &Given) -> Result<Matcher, CommandError> {
    if depth > MAX_DEPTH {
        return Err(CommandError::bad_value(format!("filter exceeds the maximum nesting depth of {MAX_DEPTH}")));
    }
    let mut all = Vec::new();
    for element in filter.iter() {
        let (name, value) = element?;
        match name.as_str() {
            "$and" => all.push(Node::And(list(value, depth, given)?)),
            "$or" => all.push(Node::Or(list(value, depth, given)?)),
            "$nor" => all.push(Node::Nor(list(value, depth, given)?)),
            "$comment" => {}
            "$expr" => all.push(Node::Expression(Box::new(Expression::parse(value, given)?))),
            "$jsonSchema" => all.push(Node::Schema(Box::new(Schema::parse(value)?))),
            "$sampleRate" => match value {
                RawBsonRef::Double(rate) if (0.0..=1.0).contains(&rate) => all.push(Node::Sample(rate)),
                RawBsonRef::Int32(rate @ 0..=1) => all.push(Node::Sample(rate.into())),
                _ => return Err(CommandError::bad_value("numeric argument to $sampleRate must be in [0, 1]")),
            },
            "$alwaysTrue" => {}
            "$alwaysFalse" => all.push(Node::Never),
            // There is no JavaScript engine, as in a server that was started without one, and no text index.
            "$where" => return Err(CommandError::bad_value("no globalScriptEngine in $where parsing")),
            "$text" => return Err(CommandError::new(Code::INDEX_NOT_FOUND, "text index required for $text query")),
            unknown if unknown.starts_with('$') => {
                return Err(CommandError::bad_value(format!(
                    "unknown top level operator: {unknown}. If you have a field name that starts with a '$' symbol, \
                     consider using $getField or $setField."
                )));
            }
            field => all.extend(field_tests(field, value, depth, given)?),
        }
    }
    Ok(Matcher { all })
}

fn list(value: RawBsonRef<'_>, depth: usize, given: &Given) -> Result<Vec<Matcher>, CommandError> {
    let RawBsonRef::Array(array) = value else {
        return Err(CommandError::bad_value("$and/$or/$nor must be an array"));
    };
    if array.is_empty() {
        return Err(CommandError::bad_value("$and/$or/$nor must be a nonempty array"));
    }
    array
        .into_iter()
        .map(|entry| match entry? {
            RawBsonRef::Document(entry) => filter_at(entry, depth + 1, given),
            _ => Err(CommandError::bad_value("$or/$and/$nor entries need to be full objects")),
        })
        .collect()
}

fn field_tests(field: &str, value: RawBsonRef<'_>, depth: usize, given: &Given) -> Result<Vec<Node>, CommandError> {
    match value {
        RawBsonRef::Document(operators) if is_operators(operators) => operators_of(field, operators, depth, given),
        _ => Ok(vec![Node::Field(Path::new(field), literal(value, given)?)]),
    }
}

/// A document of operators begins with a `$`; `{$ref, $id}` is a reference, which is a value.
fn is_operators(document: &RawDocument) -> bool {
    let first = document.iter().next().and_then(Result::ok);
    first.is_some_and(|(name, _)| name.as_str().starts_with('$') && !matches!(name.as_str(), "$ref" | "$id" | "$db"))
}

/// A value alone: equality, or for a regular expression its search.
fn literal(value: RawBsonRef<'_>, given: &Given) -> Result<Predicate, CommandError> {
    Ok(match value {
        RawBsonRef::RegularExpression(source) => Predicate::Pattern(pattern(source.pattern.as_str(), source.options.as_str())?),
        _ => Predicate::Equal(Wanted::new(value, given.collation())),
    })
}

fn operators_of(field: &str, operators: &RawDocument, depth: usize, given: &Given) -> Result<Vec<Node>, CommandError> {
    let path = Path::new(field);
    let mut nodes = Vec::new();
    for element in operators.iter() {
        let (name, value) = element?;
        let yes = |predicate| Node::Field(path.clone(), predicate);
        let no = |predicate| Node::NoField(path.clone(), predicate);
        match name.as_str() {
            "$ne" => {
                refuse_pattern(field, value)?;
                nodes.push(no(Predicate::Equal(Wanted::new(value, given.collation()))));
            }
            "$nin" => nodes.push(no(any_of("$nin", value, given)?)),
            "$exists" => nodes.push(if is_set(value) { yes(Predicate::Exists) } else { no(Predicate::Exists) }),
            "$not" => nodes.push(negated(field, value, depth, given)?),
            "$all" => nodes.extend(every(field, value, depth, given)?),
            "$options" => {
                if operators.get("$regex")?.is_none() {
                    return Err(CommandError::bad_value("$options needs a $regex"));
                }
            }
            other => nodes.push(yes(predicate(field, other, value, operators, depth, given)?)),
        }
    }
    Ok(nodes)
}

fn predicate(
    field: &str,
    operator: &str,
    value: RawBsonRef<'_>,
    beside: &RawDocument,
    depth: usize,
    given: &Given,
) -> Result<Predicate, CommandError> {
    let range = |range| {
        refuse_pattern(field, value)?;
        Ok(Predicate::Range(range, Wanted::new(value, given.collation())))
    };
    match operator {
        "$eq" => Ok(Predicate::Equal(Wanted::new(value, given.collation()))),
        "$gt" => range(Range::Greater),
        "$gte" => range(Range::GreaterOrEqual),
        "$lt" => range(Range::Less),
        "$lte" => range(Range::LessOrEqual),
        "$in" => any_of("$in", value, given),
        "$type" => types(value),
        "$size" => size(value),
        "$mod" => modulo(value),
        "$regex" => regex_of(value, beside),
        "$elemMatch" => element(value, depth, given),
        "$bitsAllSet" | "$bitsAnySet" | "$bitsAllClear" | "$bitsAnyClear" => bits(operator, value),
        known @ ("$geoWithin" | "$geoIntersects") => Err(CommandError::not_implemented(known)),
        "$near" | "$nearSphere" | "$geoNear" => Err(CommandError::new(
            Code::NO_QUERY_EXECUTION_PLANS,
            "error processing query: planner returned error :: caused by :: unable to find index for $geoNear query",
        )),
        unknown => Err(CommandError::bad_value(format!("unknown operator: {unknown}"))),
    }
}

fn refuse_pattern(field: &str, value: RawBsonRef<'_>) -> Result<(), CommandError> {
    match value {
        RawBsonRef::RegularExpression(_) => {
            Err(CommandError::bad_value(format!("Can't have RegEx as arg to predicate over field '{field}'.")))
        }
        _ => Ok(()),
    }
}

fn any_of(operator: &str, value: RawBsonRef<'_>, given: &Given) -> Result<Predicate, CommandError> {
    let RawBsonRef::Array(array) = value else {
        return Err(CommandError::bad_value(format!("{operator} needs an array")));
    };
    let (mut values, mut patterns) = (Vec::new(), Vec::new());
    for entry in array {
        match entry? {
            RawBsonRef::RegularExpression(r) => patterns.push(pattern(r.pattern.as_str(), r.options.as_str())?),
            RawBsonRef::Document(d) if is_operators(d) => {
                return Err(CommandError::bad_value(format!("cannot nest $ under {operator}")));
            }
            entry => values.push(Wanted::new(entry, given.collation())),
        }
    }
    Ok(Predicate::In { values, patterns })
}

fn negated(field: &str, value: RawBsonRef<'_>, depth: usize, given: &Given) -> Result<Node, CommandError> {
    let inner = match value {
        RawBsonRef::RegularExpression(_) => vec![Node::Field(Path::new(field), literal(value, given)?)],
        RawBsonRef::Document(operators) if operators.is_empty() => {
            return Err(CommandError::bad_value("$not cannot be empty"));
        }
        RawBsonRef::Document(operators) if depth <= MAX_DEPTH => operators_of(field, operators, depth + 1, given)?,
        _ => return Err(CommandError::bad_value("$not needs a regex or a document")),
    };
    Ok(Node::Not(Box::new(Matcher { all: inner })))
}

fn every(field: &str, value: RawBsonRef<'_>, depth: usize, given: &Given) -> Result<Vec<Node>, CommandError> {
    let RawBsonRef::Array(array) = value else {
        return Err(CommandError::bad_value("$all needs an array"));
    };
    if array.is_empty() {
        return Ok(vec![Node::Never]);
    }
    let path = Path::new(field);
    let of_entry = |entry: RawBsonRef<'_>| match entry {
        RawBsonRef::Document(d) if is_operators(d) => match d.get("$elemMatch")? {
            Some(inner) => element(inner, depth, given),
            None => Err(CommandError::bad_value("no $ expressions in $all")),
        },
        entry => literal(entry, given),
    };
    array.into_iter().map(|entry| Ok(Node::Field(path.clone(), of_entry(entry?)?))).collect()
}

fn element(value: RawBsonRef<'_>, depth: usize, given: &Given) -> Result<Predicate, CommandError> {
    let RawBsonRef::Document(inner) = value else {
        return Err(CommandError::bad_value("$elemMatch needs an Object"));
    };
    let first = inner.iter().next().and_then(Result::ok).map_or("", |(name, _)| name.as_str());
    if !is_operators(inner) || matches!(first, "$and" | "$or" | "$nor" | "$where") {
        let matcher = filter_at(inner, depth + 1, given)?;
        if matcher.has_expression() {
            let message = "$expr can only be applied to the top-level document";
            return Err(CommandError::new(Code::QUERY_FEATURE_NOT_ALLOWED, message));
        }
        return Ok(Predicate::ElementDocument(Box::new(matcher)));
    }
    if depth > MAX_DEPTH {
        return Err(CommandError::bad_value(format!("filter exceeds the maximum nesting depth of {MAX_DEPTH}")));
    }
    let tests = operators_of("", inner, depth + 1, given)?.into_iter().map(element_test);
    Ok(Predicate::ElementValue(tests.collect::<Result<_, _>>()?))
}

/// What an operator at a path asks, of an element instead.
fn element_test(node: Node) -> Result<ElementTest, CommandError> {
    Ok(match node {
        Node::Field(_, test) => ElementTest::Passes(test),
        Node::NoField(_, test) => ElementTest::Fails(test),
        Node::Not(inner) => ElementTest::NotAll(inner.all.into_iter().map(element_test).collect::<Result<_, _>>()?),
        Node::Never => ElementTest::Never,
        _ => return Err(CommandError::not_implemented("this operator inside $elemMatch")),
    })
}

fn types(value: RawBsonRef<'_>) -> Result<Predicate, CommandError> {
    let one = |value: RawBsonRef<'_>| {
        type_from_alias(value).ok_or_else(|| match value {
            RawBsonRef::String(alias) => CommandError::bad_value(format!("Unknown type name alias: {alias}")),
            RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_) => {
                CommandError::bad_value("Invalid numerical type code")
            }
            _ => CommandError::new(Code::TYPE_MISMATCH, "type must be represented as a number or a string"),
        })
    };
    let numbers = match value {
        RawBsonRef::Array(array) => {
            let mut numbers = Vec::new();
            for entry in array {
                numbers.extend(one(entry?)?);
            }
            if numbers.is_empty() {
                return Err(CommandError::new(Code::FAILED_TO_PARSE, "$type must match at least one type"));
            }
            numbers
        }
        _ => one(value)?,
    };
    Ok(Predicate::Type(numbers))
}

fn size(value: RawBsonRef<'_>) -> Result<Predicate, CommandError> {
    let refused = |why: &str| CommandError::bad_value(format!("Failed to parse $size. {why}"));
    let size = whole(value).ok_or_else(|| refused("Expected a number"))?;
    if matches!(value, RawBsonRef::Double(n) if n.fract() != 0.0) {
        return Err(refused("Expected an integer"));
    }
    if size < 0 { Err(refused("Expected a non-negative number")) } else { Ok(Predicate::Size(size)) }
}

/// The bits as a mask; given as a number, or by their positions.
fn bits(operator: &str, value: RawBsonRef<'_>) -> Result<Predicate, CommandError> {
    let refused =
        || CommandError::bad_value(format!("{operator} takes an Array, a number, or a BinData but received: {}", shell(value)));
    let mask = match value {
        RawBsonRef::Array(positions) => {
            let mut mask = 0_u64;
            for position in positions {
                let position = whole(position?).and_then(|n| u32::try_from(n).ok()).ok_or_else(refused)?;
                // Beyond the 64th bit is the sign's.
                mask |= 1 << position.min(63);
            }
            mask
        }
        RawBsonRef::Binary(_) => return Err(CommandError::not_implemented(&format!("{operator} with a BinData"))),
        number => whole(number).and_then(|n| u64::try_from(n).ok()).ok_or_else(refused)?,
    };
    Ok(Predicate::Bits { mask, all: operator.contains("All"), set: operator.ends_with("Set") })
}

fn modulo(value: RawBsonRef<'_>) -> Result<Predicate, CommandError> {
    let RawBsonRef::Array(array) = value else {
        return Err(CommandError::bad_value("malformed mod, needs to be an array"));
    };
    let part = |index: usize, what: &str| -> Result<i64, CommandError> {
        let value = array.get(index)?.ok_or_else(|| CommandError::bad_value("malformed mod, not enough elements"))?;
        whole(value).ok_or_else(|| CommandError::bad_value(format!("malformed mod, {what} not a number")))
    };
    let (divisor, remainder) = (part(0, "divisor")?, part(1, "remainder")?);
    if RawArray::get(array, 2)?.is_some() {
        return Err(CommandError::bad_value("malformed mod, too many elements"));
    }
    if divisor == 0 { Err(CommandError::bad_value("divisor cannot be 0")) } else { Ok(Predicate::Mod { divisor, remainder }) }
}

fn regex_of(value: RawBsonRef<'_>, beside: &RawDocument) -> Result<Predicate, CommandError> {
    let options = match beside.get("$options")? {
        None => None,
        Some(RawBsonRef::String(options)) => Some(options),
        Some(_) => return Err(CommandError::bad_value("$options has to be a string")),
    };
    let (source, own) = match value {
        RawBsonRef::String(source) => (source, ""),
        RawBsonRef::RegularExpression(r) if options.is_some() && !r.options.is_empty() => {
            return Err(CommandError::new(Code::location(51074), "options set in both $regex and $options"));
        }
        RawBsonRef::RegularExpression(r) => (r.pattern.as_str(), r.options.as_str()),
        _ => return Err(CommandError::bad_value("$regex has to be a string")),
    };
    Ok(Predicate::Pattern(pattern(source, options.unwrap_or(own))?))
}

fn pattern(source: &str, options: &str) -> Result<Pattern, CommandError> {
    let regex = Regex::new(source, options)?;
    let source = bson::Regex { pattern: cstring(source)?, options: cstring(options)? };
    Ok(Pattern { regex, source: RawBson::RegularExpression(source) })
}

fn cstring(text: &str) -> Result<bson::raw::CString, CommandError> {
    bson::raw::CString::try_from(text)
        .map_err(|_| CommandError::bad_value("Regular expression cannot contain an embedded null byte"))
}

/// What counts as true in an option: everything but `false`, `null` and zero.
pub(in crate::sandbox) fn is_set(value: RawBsonRef<'_>) -> bool {
    match value {
        RawBsonRef::Boolean(b) => b,
        RawBsonRef::Null | RawBsonRef::Undefined => false,
        RawBsonRef::Double(n) => n != 0.0,
        other => whole(other) != Some(0),
    }
}
