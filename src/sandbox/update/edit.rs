use bson::{Bson, Document};

use super::super::error::{Code, CommandError};
use super::super::value::shell_of;

/// What an operator makes of the value at its path: from `None` if it is missing, to `None` to remove it.
pub(super) type Change<'a> = &'a mut dyn FnMut(Option<Bson>) -> Result<Option<Bson>, CommandError>;

/// Sets the value at a dotted path, making the documents on the way.
pub(super) fn set(document: &mut Document, path: &str, value: Bson) -> Result<(), CommandError> {
    let mut value = Some(value);
    edit(document, path, true, &mut |_| Ok(value.take()))
}

/// The value at a dotted path, by names and by indexes.
pub(super) fn find<'a>(document: &'a Document, path: &str) -> Option<&'a Bson> {
    let mut parts = path.split('.');
    let mut value = document.get(parts.next()?)?;
    for part in parts {
        value = match value {
            Bson::Document(inner) => inner.get(part)?,
            Bson::Array(array) => array.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

/// # Errors
/// `PathNotViable`: the path leads on from a value that has nothing in it.
pub(super) fn check_way(document: &Document, path: &str) -> Result<(), CommandError> {
    let mut parts = path.split('.');
    let Some(mut name) = parts.next() else { return Ok(()) };
    let Some(mut value) = document.get(name) else { return Ok(()) };
    for part in parts {
        let next = match value {
            Bson::Document(inner) => inner.get(part),
            Bson::Array(array) if part.parse::<usize>().is_ok() => part.parse().ok().and_then(|at: usize| array.get(at)),
            other => {
                let other = shell_of(other);
                let message = format!("cannot use the part ({name} of {path}) to traverse the element ({{{name}: {other}}})");
                return Err(CommandError::new(Code::PATH_NOT_VIABLE, message));
            }
        };
        let Some(next) = next else { return Ok(()) };
        (name, value) = (part, next);
    }
    Ok(())
}

/// The name of the first array that holds an element at the path.
pub(super) fn array_on_the_way<'p>(document: &Document, path: &'p str) -> Option<&'p str> {
    path.match_indices('.').find_map(|(end, _)| {
        let way = path.get(..end)?;
        matches!(find(document, way), Some(Bson::Array(_))).then(|| way.rsplit('.').next().unwrap_or(way))
    })
}

/// Changes the value at a dotted path. With `create` the way there is made, without it a missing way changes nothing.
pub(super) fn edit(document: &mut Document, path: &str, create: bool, change: Change<'_>) -> Result<(), CommandError> {
    let (first, rest) = split(path);
    let Some(rest) = rest else {
        match document.get_mut(first) {
            Some(value) => match change(Some(std::mem::replace(value, Bson::Null)))? {
                Some(new) => *value = new,
                None => drop(document.remove(first)),
            },
            None => {
                if let Some(new) = change(None)? {
                    document.insert(first, new);
                }
            }
        }
        return Ok(());
    };
    match document.get_mut(first) {
        Some(value) => inside(value, first, rest, create, change),
        None if create => {
            let mut inner = Document::new();
            edit(&mut inner, rest, true, change)?;
            document.insert(first, inner);
            Ok(())
        }
        None => Ok(()),
    }
}

fn inside(value: &mut Bson, name: &str, rest: &str, create: bool, change: Change<'_>) -> Result<(), CommandError> {
    match value {
        Bson::Document(inner) => edit(inner, rest, create, change),
        Bson::Array(array) => in_array(array, name, rest, create, change),
        _ if !create => Ok(()),
        other => {
            let (field, _) = split(rest);
            let message = format!("Cannot create field '{field}' in element {{{name}: {other}}}");
            Err(CommandError::new(Code::PATH_NOT_VIABLE, message))
        }
    }
}

/// No array is filled up with more nulls than this to reach an index.
const MAX_PADDING: usize = 1_500_000;

fn in_array(array: &mut Vec<Bson>, name: &str, path: &str, create: bool, change: Change<'_>) -> Result<(), CommandError> {
    let (first, rest) = split(path);
    let Ok(index) = first.parse::<usize>() else {
        if !create {
            return Ok(());
        }
        let message = format!("Cannot create field '{first}' in element {{{name}: {}}}", Bson::Array(array.clone()));
        return Err(CommandError::new(Code::PATH_NOT_VIABLE, message));
    };
    if index >= array.len() {
        if !create {
            return Ok(());
        }
        if index - array.len() > MAX_PADDING {
            return Err(CommandError::bad_value(format!("can't backfill more than {MAX_PADDING} elements")));
        }
        let new = match rest {
            None => change(None)?,
            Some(rest) => {
                let mut inner = Document::new();
                edit(&mut inner, rest, true, change)?;
                Some(Bson::Document(inner))
            }
        };
        if let Some(new) = new {
            array.resize(index, Bson::Null);
            array.push(new);
        }
        return Ok(());
    }
    match (array.get_mut(index), rest) {
        (Some(value), None) => {
            // What is removed from an array leaves a null: the others keep their places.
            *value = change(Some(std::mem::replace(value, Bson::Null)))?.unwrap_or(Bson::Null);
            Ok(())
        }
        (Some(value), Some(rest)) => inside(value, first, rest, create, change),
        (None, _) => Ok(()),
    }
}

fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)))
}
