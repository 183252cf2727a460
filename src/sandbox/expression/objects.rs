//! Operators that take documents apart and put them together.

use bson::{Bson, Document, doc};

use super::super::error::CommandError;
use super::super::value::alias_of;
use super::Value;
use super::arrays::{alias, argument, array, elements, fault, null};
use super::logic::is_nullish;

pub(super) fn to_object(arguments: &[Value]) -> Result<Value, CommandError> {
    let wrong = |kind| format!("$arrayToObject requires an array input, found: {kind}");
    let Some(values) = elements(argument(arguments, 0), 40386, wrong)? else { return null() };
    let mut object = Document::new();
    for value in values {
        let (key, value, wrong_key) = match value {
            Bson::Array(pair) => match <[Bson; 2]>::try_from(pair) {
                Ok([key, value]) => (key, value, 40395),
                Err(pair) => {
                    let message =
                        format!("$arrayToObject requires an array of size 2 arrays,found array of size: {}", pair.len());
                    return Err(fault(40397, message));
                }
            },
            Bson::Document(mut pair) if pair.len() == 2 => match (pair.remove("k"), pair.remove("v")) {
                (Some(key), Some(value)) => (key, value, 40394),
                _ => return Err(fault(40393, "$arrayToObject requires an object with keys 'k' and 'v'.")),
            },
            Bson::Document(pair) => {
                let message = format!(
                    "$arrayToObject requires an object keys of 'k' and 'v'. Found incorrect number of keys:{}",
                    pair.len()
                );
                return Err(fault(40392, message));
            }
            other => {
                return Err(fault(40398, format!("Unrecognised input type format for $arrayToObject: {}", alias_of(&other))));
            }
        };
        match key {
            Bson::String(key) => drop(object.insert(key, value)),
            other => {
                let message = format!("$arrayToObject requires keys to be of type string, found: {}", alias_of(&other));
                return Err(fault(wrong_key, message));
            }
        }
    }
    Ok(Some(Bson::Document(object)))
}

pub(super) fn from_object(arguments: &[Value]) -> Result<Value, CommandError> {
    match argument(arguments, 0) {
        Some(Bson::Document(object)) => array(object.into_iter().map(|(k, v)| Bson::Document(doc! { "k": k, "v": v })).collect()),
        value if is_nullish(&value) => null(),
        value => Err(fault(40390, format!("$objectToArray requires a document input, found: {}", alias(&value)))),
    }
}

pub(super) fn merge_objects(arguments: &[Value]) -> Result<Value, CommandError> {
    let parts = match arguments {
        [Some(Bson::Array(parts))] => parts.iter().cloned().map(Some).collect(),
        several => several.to_vec(),
    };
    let mut merged = Document::new();
    for part in parts {
        match part {
            Some(Bson::Document(part)) => merged.extend(part),
            part if is_nullish(&part) => {}
            part => {
                return Err(fault(40400, format!("$mergeObjects requires object inputs, but input is of type {}", alias(&part))));
            }
        }
    }
    Ok(Some(Bson::Document(merged)))
}

fn field_name(value: &Value, operator: &str) -> Result<String, CommandError> {
    match value {
        Some(Bson::String(name)) => Ok(name.clone()),
        value => {
            Err(fault(5_654_602, format!("{operator} requires 'field' to evaluate to type String, but got {}", alias(value))))
        }
    }
}

/// The parser gives the document itself when no input is named.
pub(super) fn get_field(arguments: &[Value]) -> Result<Value, CommandError> {
    let name = field_name(&argument(arguments, 0), "$getField")?;
    match argument(arguments, 1) {
        Some(Bson::Document(input)) => Ok(input.get(&name).cloned()),
        Some(Bson::Null) => null(),
        _ => Ok(None),
    }
}

pub(super) fn set_field(arguments: &[Value]) -> Result<Value, CommandError> {
    let name = field_name(&argument(arguments, 0), "$setField")?;
    match (argument(arguments, 1), argument(arguments, 2)) {
        (Some(Bson::Document(mut input)), Some(value)) => {
            input.insert(name, value);
            Ok(Some(Bson::Document(input)))
        }
        (Some(Bson::Document(mut input)), None) => {
            input.remove(&name);
            Ok(Some(Bson::Document(input)))
        }
        (input, _) if is_nullish(&input) => null(),
        (input, _) => {
            Err(fault(4_161_105, format!("$setField requires 'input' to evaluate to type Object, but got {}", alias(&input))))
        }
    }
}

pub(super) fn unset_field(arguments: &[Value]) -> Result<Value, CommandError> {
    set_field(&[argument(arguments, 0), argument(arguments, 1), None])
}
