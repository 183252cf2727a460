//! Which keys a document has in an index.
//!
//! An array gives a key for each of its elements. Fields below one array are taken of the same element: of
//! `{c: [{a: 1, b: 2}, {a: 3, b: 4}]}` an index of `c.a` and `c.b` has (1, 2) and (3, 4), and no more. There can be no two
//! arrays beside each other.

use bson::{RawArray, RawBsonRef, RawDocument};

use super::super::error::{Code, CommandError};
use super::super::value::Path;

/// More keys than this of one document are refused.
const MAX_KEYS: usize = 100_000;

/// The values of a key, one for each field of the index; `None` is missing.
pub(super) type Tuple<'a> = Vec<Option<RawBsonRef<'a>>>;

/// How far the path of a field has been followed.
#[derive(Clone, Copy)]
enum Slot<'a, 'p> {
    Found(Option<RawBsonRef<'a>>),
    /// At a value, with what is left of the path.
    Under(RawBsonRef<'a>, &'p [String]),
    /// At an array, with what is left of the path below its elements.
    Array(&'a RawArray, &'p [String]),
}

/// All keys of a document; the same one may come several times.
///
/// # Errors
/// Two arrays beside each other, a field that is both the place in an array and a name below it, too many keys.
pub(super) fn tuples<'a>(document: &'a RawDocument, paths: &[(Path, bool)]) -> Result<Vec<Tuple<'a>>, CommandError> {
    let slots = paths.iter().map(|(path, _)| Slot::Under(RawBsonRef::Document(document), path.parts())).collect();
    let mut tuples = Vec::new();
    expand(slots, paths, &mut tuples)?;
    Ok(tuples)
}

fn expand<'a>(slots: Vec<Slot<'a, '_>>, paths: &[(Path, bool)], into: &mut Vec<Tuple<'a>>) -> Result<(), CommandError> {
    let slots = slots.into_iter().map(followed).collect::<Result<Vec<_>, _>>()?;
    let Some((array, first)) = slots.iter().zip(paths).find_map(|(slot, path)| match slot {
        Slot::Array(array, _) => Some((*array, path)),
        _ => None,
    }) else {
        if into.len() >= MAX_KEYS {
            return Err(CommandError::new(Code::CANNOT_CREATE_INDEX, "a document has too many index keys"));
        }
        into.push(slots.into_iter().map(|slot| if let Slot::Found(value) = slot { value } else { None }).collect());
        return Ok(());
    };
    let other = slots.iter().zip(paths).find(|(slot, _)| matches!(slot, Slot::Array(other, _) if !std::ptr::eq(*other, array)));
    if let Some((_, other)) = other {
        let dotted = |path: &(Path, bool)| path.0.parts().join(".");
        let message = format!("cannot index parallel arrays [{}] [{}]", dotted(other), dotted(first));
        return Err(CommandError::new(Code::CANNOT_INDEX_PARALLEL_ARRAYS, message));
    }
    if array.is_empty() {
        return expand(of_element(&slots, RawBsonRef::Undefined), paths, into);
    }
    array.into_iter().try_for_each(|element| expand(of_element(&slots, element?), paths, into))
}

/// The fields that wait at the array, taken of one of its elements.
fn of_element<'a, 'p>(slots: &[Slot<'a, 'p>], element: RawBsonRef<'a>) -> Vec<Slot<'a, 'p>> {
    let of = |slot: &Slot<'a, 'p>| match slot {
        Slot::Array(_, []) => Slot::Found(Some(element)),
        // An array in an array is not gone into.
        Slot::Array(_, rest) if matches!(element, RawBsonRef::Document(_)) => Slot::Under(element, rest),
        Slot::Array(..) => Slot::Found(None),
        known => *known,
    };
    slots.iter().map(of).collect()
}

/// Follows a path to its end or to an array.
fn followed<'a, 'p>(slot: Slot<'a, 'p>) -> Result<Slot<'a, 'p>, CommandError> {
    let Slot::Under(mut value, mut rest) = slot else { return Ok(slot) };
    loop {
        match (value, rest) {
            (RawBsonRef::Array(array), []) => return Ok(Slot::Array(array, rest)),
            (_, []) => return Ok(Slot::Found(Some(value))),
            (RawBsonRef::Document(document), [name, after @ ..]) => match document.get(name)? {
                Some(inner) => (value, rest) = (inner, after),
                None => return Ok(Slot::Found(None)),
            },
            (RawBsonRef::Array(array), [name, after @ ..]) => match by_place(array, name)? {
                Some(element) => (value, rest) = (element, after),
                None => return Ok(Slot::Array(array, rest)),
            },
            _ => return Ok(Slot::Found(None)),
        }
    }
}

fn by_place<'a>(array: &'a RawArray, name: &str) -> Result<Option<RawBsonRef<'a>>, CommandError> {
    let Some(element) = name.parse::<usize>().ok().map(|place| array.get(place)).transpose()?.flatten() else { return Ok(None) };
    for inner in array {
        if let RawBsonRef::Document(inner) = inner?
            && inner.get(name)?.is_some()
        {
            let message = format!(
                "Ambiguous field name found in array (do not use numeric field names in embedded elements in an array), \
                 field: '{name}'"
            );
            return Err(CommandError::new(Code::location(16746), message));
        }
    }
    Ok(Some(element))
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, rawdoc};
    use rstest::rstest;

    use super::super::super::value::shell;
    use super::*;

    fn keys(document: &RawDocument, fields: &[&str]) -> Result<Vec<String>, i32> {
        let paths: Vec<_> = fields.iter().map(|field| (Path::new(field), false)).collect();
        let text = |tuple: Tuple<'_>| tuple.into_iter().map(|v| v.map_or("-".into(), shell)).collect::<Vec<_>>().join(" ");
        Ok(tuples(document, &paths).map_err(|error| error.code.number)?.into_iter().map(text).collect())
    }

    #[rstest]
    #[case::of_one_element(rawdoc! { "c": [{ "a": 1, "b": 2 }, { "a": 3, "b": 4 }] }, &["c.a", "c.b"], &["1 2", "3 4"])]
    #[case::beside_an_array(rawdoc! { "a": [1, 2], "b": 5 }, &["a", "b"], &["1 5", "2 5"])]
    #[case::without_the_field(rawdoc! { "c": [{ "a": 1 }, 7] }, &["c.a", "c.b"], &["1 -", "- -"])]
    #[case::empty(rawdoc! { "c": [], "b": 1 }, &["c", "b"], &["undefined 1"])]
    #[case::by_place(rawdoc! { "c": [{ "a": 1 }, { "a": 2 }] }, &["c.1.a"], &["2"])]
    #[case::array_in_array(rawdoc! { "c": [[1, 2], 3] }, &["c"], &["[ 1, 2 ]", "3"])]
    #[case::deeper(rawdoc! { "c": [{ "a": [1, 2], "b": 3 }, { "a": 4, "b": 5 }] }, &["c.a", "c.b"], &["1 3", "2 3", "4 5"])]
    #[case::whole_and_below(rawdoc! { "c": [{ "a": 1 }] }, &["c", "c.a"], &["{ a: 1 } 1"])]
    fn a_key_takes_its_fields_of_one_element(
        #[case] document: RawDocumentBuf,
        #[case] fields: &[&str],
        #[case] expected: &[&str],
    ) {
        assert_eq!(keys(&document, fields).unwrap(), expected);
    }

    #[rstest]
    #[case::beside(rawdoc! { "a": [1], "b": [2] }, &["a", "b"], 171)]
    #[case::below(rawdoc! { "x": { "a": [1, 2], "b": [3, 4] } }, &["x.a", "x.b"], 171)]
    #[case::in_an_element(rawdoc! { "x": [{ "a": [1], "b": [] }] }, &["x.a", "x.b"], 171)]
    #[case::ambiguous(rawdoc! { "a": [{ "0": 1 }] }, &["a.0"], 16746)]
    fn what_has_no_keys_is_refused(#[case] document: RawDocumentBuf, #[case] fields: &[&str], #[case] code: i32) {
        assert_eq!(keys(&document, fields).unwrap_err(), code);
    }
}
