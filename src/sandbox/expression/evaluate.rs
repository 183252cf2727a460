use bson::{Bson, Document, RawBsonRef, RawDocument};

use super::super::error::{Code, CommandError};
use super::super::value::{alias_of, whole_number};
use super::logic::{is_nullish, truth};
use super::{Bound, Expression, Scope, Value};

pub(super) fn evaluate(expression: &Expression, scope: &Scope<'_>) -> Result<Value, CommandError> {
    match expression {
        Expression::Literal(value) => Ok(Some(value.clone())),
        Expression::Field(path) => field(scope.root, path),
        Expression::Variable(name, path) => variable(scope, name, path),
        Expression::Object(fields) => {
            let mut object = Document::new();
            for (name, value) in fields {
                if let Some(value) = evaluate(value, scope)? {
                    object.insert(name, value);
                }
            }
            Ok(Some(Bson::Document(object)))
        }
        Expression::Array(elements) => {
            let elements = elements.iter().map(|element| Ok(evaluate(element, scope)?.unwrap_or(Bson::Null)));
            elements.collect::<Result<_, CommandError>>().map(|array| Some(Bson::Array(array)))
        }
        Expression::Call(function, arguments, collation) => {
            let mut values = Vec::with_capacity(arguments.len());
            for argument in arguments {
                let value = argument.as_ref().map(|argument| evaluate(argument, scope)).transpose()?.flatten();
                let ends = function.ends_at_null() && is_nullish(&value);
                values.push(value);
                if ends {
                    break;
                }
            }
            function.call(&values, collation)
        }
        Expression::And(parts) => every(parts, scope, true),
        Expression::Or(parts) => every(parts, scope, false),
        Expression::Cond(parts) => {
            let [test, then, otherwise] = parts.as_ref();
            evaluate(if truth(&evaluate(test, scope)?) { then } else { otherwise }, scope)
        }
        Expression::IfNull(parts) => {
            let mut value = None;
            for part in parts {
                value = evaluate(part, scope)?;
                if !is_nullish(&value) {
                    break;
                }
            }
            Ok(value)
        }
        Expression::Switch { branches, otherwise } => {
            for (case, then) in branches {
                if truth(&evaluate(case, scope)?) {
                    return evaluate(then, scope);
                }
            }
            match otherwise {
                Some(otherwise) => evaluate(otherwise, scope),
                None => {
                    let message = "$switch could not find a matching branch for an input, and no default was specified.";
                    Err(CommandError::new(Code::location(40066), message))
                }
            }
        }
        Expression::Let { variables, within } => {
            let values = variables.iter().map(|(_, value)| evaluate(value, scope)).collect::<Result<Vec<_>, _>>()?;
            let bound: Vec<_> = variables.iter().map(|(name, _)| name.as_str()).zip(&values).collect();
            bind_all(scope, &bound, within)
        }
        Expression::Map { input, name, within } => {
            let Some(elements) = array_of("$map", 16883, evaluate(input, scope)?)? else { return Ok(Some(Bson::Null)) };
            let mapped = elements.into_iter().map(|element| {
                let element = Some(element);
                Ok(bind(scope, name, &element, within)?.unwrap_or(Bson::Null))
            });
            mapped.collect::<Result<_, CommandError>>().map(|array| Some(Bson::Array(array)))
        }
        Expression::Filter { input, name, keep, limit } => filter(scope, input, name, keep, limit.as_deref()),
        Expression::Reduce { input, initial, within } => {
            let Some(elements) = array_of("$reduce", 40080, evaluate(input, scope)?)? else { return Ok(Some(Bson::Null)) };
            let mut value = evaluate(initial, scope)?;
            for element in elements {
                let element = Some(element);
                value = bind_all(scope, &[("this", &element), ("value", &value)], within)?;
            }
            Ok(value)
        }
    }
}

/// Whether all parts are `wanted`, or the first one that is not.
fn every(parts: &[Expression], scope: &Scope<'_>, wanted: bool) -> Result<Value, CommandError> {
    for part in parts {
        if truth(&evaluate(part, scope)?) != wanted {
            return Ok(Some(Bson::Boolean(!wanted)));
        }
    }
    Ok(Some(Bson::Boolean(wanted)))
}

fn filter(
    scope: &Scope<'_>,
    input: &Expression,
    name: &str,
    keep: &Expression,
    limit: Option<&Expression>,
) -> Result<Value, CommandError> {
    let Some(elements) = array_of("$filter", 28651, evaluate(input, scope)?)? else { return Ok(Some(Bson::Null)) };
    let most = match limit.map(|limit| evaluate(limit, scope)).transpose()?.flatten() {
        None | Some(Bson::Null) => usize::MAX,
        Some(limit) => {
            whole_number(&limit).and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0).ok_or_else(|| {
                CommandError::new(
                    Code::location(327_392),
                    format!("$filter: limit must be a positive 32-bit integer, found {limit}"),
                )
            })?
        }
    };
    let mut kept = Vec::new();
    for element in elements {
        if kept.len() >= most {
            break;
        }
        let element = Some(element);
        if truth(&bind(scope, name, &element, keep)?) {
            kept.extend(element);
        }
    }
    Ok(Some(Bson::Array(kept)))
}

fn bind(scope: &Scope<'_>, name: &str, value: &Value, within: &Expression) -> Result<Value, CommandError> {
    let bound = Bound { name, value, outer: scope.bound };
    evaluate(within, &Scope { bound: Some(&bound), ..*scope })
}

fn bind_all(scope: &Scope<'_>, variables: &[(&str, &Value)], within: &Expression) -> Result<Value, CommandError> {
    match variables.split_first() {
        None => evaluate(within, scope),
        Some(((name, value), rest)) => {
            let bound = Bound { name, value, outer: scope.bound };
            bind_all(&Scope { bound: Some(&bound), ..*scope }, rest, within)
        }
    }
}

/// The elements; `None` for null or missing.
fn array_of(operator: &str, location: i32, value: Value) -> Result<Option<Vec<Bson>>, CommandError> {
    match value {
        Some(Bson::Array(array)) => Ok(Some(array)),
        value if is_nullish(&value) => Ok(None),
        value => {
            let kind = value.as_ref().map_or("missing", alias_of);
            Err(CommandError::new(Code::location(location), format!("input to {operator} must be an array not {kind}")))
        }
    }
}

fn variable(scope: &Scope<'_>, name: &str, path: &[String]) -> Result<Value, CommandError> {
    let mut bound = scope.bound;
    while let Some(this) = bound {
        if this.name == name {
            return Ok(this.value.as_ref().and_then(|value| within_value(value, path)));
        }
        bound = this.outer;
    }
    match name {
        "ROOT" | "CURRENT" => Ok(Some(Bson::Document(Document::try_from(scope.root)?))),
        "NOW" | "CLUSTER_TIME" => Ok(Some(Bson::DateTime(scope.now))),
        _ => Ok(None),
    }
}

/// The value at a path; through an array it leads to the array of what its documents have there.
fn field(document: &RawDocument, path: &[String]) -> Result<Value, CommandError> {
    let Some((first, rest)) = path.split_first() else { return Ok(None) };
    let Some(value) = document.get(first)? else { return Ok(None) };
    match value {
        value if rest.is_empty() => Ok(Some(Bson::try_from(value)?)),
        RawBsonRef::Document(inner) => field(inner, rest),
        RawBsonRef::Array(array) => {
            let mut values = Vec::new();
            for element in array {
                if let RawBsonRef::Document(inner) = element? {
                    values.extend(field(inner, rest)?);
                }
            }
            Ok(Some(Bson::Array(values)))
        }
        _ => Ok(None),
    }
}

/// The same in a value that was made.
pub(super) fn within_value(value: &Bson, path: &[String]) -> Value {
    let Some((first, rest)) = path.split_first() else { return Some(value.clone()) };
    match value {
        Bson::Document(inner) => within_value(inner.get(first)?, rest),
        Bson::Array(array) => {
            let documents = array.iter().filter(|element| element.as_document().is_some());
            Some(Bson::Array(documents.filter_map(|inner| within_value(inner, path)).collect()))
        }
        _ => None,
    }
}
