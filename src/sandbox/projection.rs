//! Which fields of a document are answered, and which are computed.

use bson::raw::{CStr, CString};
use bson::{Bson, RawArray, RawArrayBuf, RawBson, RawBsonRef, RawDocument, RawDocumentBuf};

use super::error::{Code, CommandError};
use super::expression::{Expression, Given, sliced};
use super::matcher::Matcher;
use super::value::whole_number;

/// Whose projection it is: that of a find knows forms that an aggregation's does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Find,
    Aggregation,
}

/// A parsed projection.
#[derive(Debug, Clone)]
pub(super) struct Projection {
    /// Whether fields that are not named are answered.
    others: bool,
    id: bool,
    fields: Fields,
    positional: bool,
}

/// What happens to the fields that are named.
#[derive(Debug, Clone, Default)]
struct Fields(Vec<(String, Rule)>);

#[derive(Debug, Clone)]
enum Rule {
    Keep,
    Drop,
    Compute(Expression),
    /// Some elements of the array: how many to pass over, how many to take.
    Slice(i64, i64),
    /// The first element that passes.
    Element(Matcher),
    /// The element the query's filter found.
    Found,
    Inside(Fields),
}

fn fault(location: i32, message: impl Into<String>) -> CommandError {
    CommandError::new(Code::location(location), message)
}

impl Fields {
    fn get(&self, name: &str) -> Option<&Rule> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, rule)| rule)
    }

    /// Adds a path; a path that ends inside another one, or goes on beyond it, collides.
    fn add(&mut self, whole: &str, path: &str, rule: Rule) -> Result<(), CommandError> {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        if first.is_empty() {
            return Err(fault(15998, "FieldPath field names may not be empty strings."));
        }
        if first.starts_with('$') {
            return Err(fault(16410, "FieldPath field names may not start with '$'. Consider using $getField or $setField."));
        }
        match (self.0.iter_mut().find(|(known, _)| known == first), rest) {
            (Some((_, Rule::Inside(inner))), Some(rest)) => inner.add(whole, rest, rule),
            (Some(_), Some(rest)) => Err(fault(31249, format!("Path collision at {whole} remaining portion {rest}"))),
            (Some(_), None) => Err(fault(31250, format!("Path collision at {whole}"))),
            (None, None) => {
                self.0.push((first.to_owned(), rule));
                Ok(())
            }
            (None, Some(rest)) => {
                let mut inner = Self::default();
                inner.add(whole, rest, rule)?;
                self.0.push((first.to_owned(), Rule::Inside(inner)));
                Ok(())
            }
        }
    }

    fn computes(&self) -> bool {
        self.0.iter().any(|(_, rule)| match rule {
            Rule::Compute(_) => true,
            Rule::Inside(inner) => inner.computes(),
            _ => false,
        })
    }
}

/// What has been seen of a projection while it is read.
struct Reading<'g> {
    language: Language,
    given: &'g Given,
    /// Whether fields are named to be answered; `None` until one says so.
    include: Option<bool>,
    id: Option<bool>,
    fields: Fields,
    positional: bool,
}

impl Reading<'_> {
    fn document(&mut self, prefix: &str, spec: &RawDocument) -> Result<(), CommandError> {
        for element in spec.iter() {
            let (name, value) = element?;
            let path = if prefix.is_empty() { name.as_str().to_owned() } else { format!("{prefix}.{name}") };
            self.field(&path, value)?;
        }
        Ok(())
    }

    fn field(&mut self, path: &str, value: RawBsonRef<'_>) -> Result<(), CommandError> {
        if path.is_empty() {
            return Err(fault(40352, "FieldPath cannot be constructed with empty string"));
        }
        if path.ends_with('.') {
            return Err(fault(40353, "FieldPath must not end with a '.'."));
        }
        if path.contains(".$.") && self.language == Language::Find {
            let message = "As of 4.4, it's illegal to specify positional operator in the middle of a path. Positional projection \
                           may only be used at the end, for example: a.b.$.";
            return Err(fault(31394, message));
        }
        if let Some(array) = path.strip_suffix(".$").filter(|_| self.language == Language::Find) {
            if self.positional {
                return Err(fault(31276, "Cannot specify more than one positional projection per query."));
            }
            self.positional = true;
            self.wants(path, true)?;
            return self.fields.add(path, array, Rule::Found);
        }
        let flag = match value {
            RawBsonRef::Boolean(flag) => Some(flag),
            RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_) | RawBsonRef::Decimal128(_) => {
                Some(super::expression::truth(&Some(Bson::try_from(value)?)))
            }
            _ => None,
        };
        match (flag, value) {
            (Some(flag), _) if path == "_id" => {
                self.id = Some(flag);
                Ok(())
            }
            (Some(flag), _) => {
                self.wants(path, flag)?;
                self.fields.add(path, path, if flag { Rule::Keep } else { Rule::Drop })
            }
            (None, RawBsonRef::Document(inner)) => self.inner(path, inner),
            (None, _) => self.computed(path, value),
        }
    }

    fn inner(&mut self, path: &str, inner: &RawDocument) -> Result<(), CommandError> {
        let Some((operator, operand)) = inner.iter().next().transpose()? else {
            let message = format!("An empty sub-projection is not a valid value. Found empty object at path {path}");
            return Err(fault(51270, message));
        };
        let find = self.language == Language::Find;
        match operator.as_str() {
            "$slice" if find => match slice(operand)? {
                Some((skip, take)) => self.fields.add(path, path, Rule::Slice(skip, take)),
                None => self.computed(path, RawBsonRef::Document(inner)),
            },
            "$elemMatch" if find => {
                let RawBsonRef::Document(filter) = operand else {
                    return Err(fault(31274, "elemMatch: Invalid argument, object required"));
                };
                if path.contains('.') {
                    return Err(fault(31275, "Cannot use $elemMatch projection on a nested field."));
                }
                self.wants(path, true)?;
                self.fields.add(path, path, Rule::Element(element_filter(filter, self.given)?))
            }
            "$meta" => Err(CommandError::not_implemented("$meta")),
            operator if operator.starts_with('$') => {
                let unknown = format!("'{operator}'");
                self.computed(path, RawBsonRef::Document(inner)).map_err(|error| {
                    let is_this = error.code == Code::INVALID_PIPELINE_OPERATOR && error.message.contains(&unknown);
                    if is_this { fault(31325, format!("Unknown expression {operator}")) } else { error }
                })
            }
            _ => self.document(path, inner),
        }
    }

    fn computed(&mut self, path: &str, value: RawBsonRef<'_>) -> Result<(), CommandError> {
        self.wants(path, true)?;
        self.fields.add(path, path, Rule::Compute(Expression::parse(value, self.given)?))
    }

    fn wants(&mut self, path: &str, include: bool) -> Result<(), CommandError> {
        match (self.include, include) {
            (Some(false), true) => Err(fault(31253, format!("Cannot do inclusion on field {path} in exclusion projection"))),
            (Some(true), false) => Err(fault(31254, format!("Cannot do exclusion on field {path} in inclusion projection"))),
            _ => {
                self.include = Some(include);
                Ok(())
            }
        }
    }
}

/// An `$elemMatch` may test elements that are documents, or values.
fn element_filter(filter: &RawDocument, given: &Given) -> Result<Matcher, CommandError> {
    let mut wrapped = RawDocumentBuf::new();
    let mut inner = RawDocumentBuf::new();
    inner.append(bson::raw::cstr!("$elemMatch"), filter.to_owned());
    wrapped.append(bson::raw::cstr!("e"), inner);
    Matcher::parse_given(&wrapped, given)
}

/// The two numbers of a find's `$slice`; `None` if it is meant as an expression.
fn slice(operand: RawBsonRef<'_>) -> Result<Option<(i64, i64)>, CommandError> {
    let number = |value: RawBsonRef<'_>| Bson::try_from(value).ok().as_ref().and_then(whole_number);
    match operand {
        RawBsonRef::Array(parts) => {
            let parts: Vec<_> = parts.into_iter().collect::<Result<_, _>>()?;
            match parts.as_slice() {
                [skip, take] => match (number(*skip), number(*take)) {
                    (Some(_), Some(take)) if take <= 0 => {
                        Err(fault(28724, format!("First argument to $slice must be an array, and the limit positive: {take}")))
                    }
                    (Some(skip), Some(take)) => Ok(Some((skip, take))),
                    _ => Ok(None),
                },
                _ => Ok(None),
            }
        }
        value => match number(value) {
            Some(n) if n < 0 => Ok(Some((n, i64::MAX))),
            Some(n) => Ok(Some((0, n))),
            None => Ok(None),
        },
    }
}

impl Projection {
    /// Understands a projection; `None` for one that changes nothing.
    ///
    /// # Errors
    /// Inclusion mixed with exclusion, colliding paths, a wrong expression.
    pub(super) fn parse(spec: &RawDocument, language: Language, given: &Given) -> Result<Option<Self>, CommandError> {
        let mut reading = Reading { language, given, include: None, id: None, fields: Fields::default(), positional: false };
        reading.document("", spec)?;
        let Reading { include, id, fields, positional, .. } = reading;
        let others = match (include, id) {
            (Some(include), _) => !include,
            (None, Some(id)) => !(id && fields.0.is_empty()),
            (None, None) if fields.0.is_empty() => return Ok(None),
            (None, None) => true,
        };
        Ok(Some(Self { others, id: id.unwrap_or(true), fields, positional }))
    }

    /// The document with the projected fields only, in the order it has them, then the computed ones. `found_by` is the
    /// filter that found it.
    ///
    /// # Errors
    /// A field that cannot be computed; a positional projection of what no element was found in.
    pub(super) fn apply(&self, document: &RawDocument, found_by: Option<&Matcher>) -> Result<RawDocumentBuf, CommandError> {
        let found = if self.positional { found_by.and_then(|matcher| matcher.position(document)) } else { None };
        let projecting = Projecting { others: self.others, root: document, found };
        let mut out = RawDocumentBuf::new();
        for (name, value) in document.iter().flatten() {
            if name.as_str() == "_id" && self.fields.get("_id").is_none() {
                if self.id {
                    out.append(name, value);
                }
                continue;
            }
            projecting.field(&self.fields, name, value, &mut out)?;
        }
        projecting.computed(&self.fields, document, &mut out)?;
        Ok(out)
    }
}

/// One document on its way.
struct Projecting<'a> {
    others: bool,
    root: &'a RawDocument,
    found: Option<usize>,
}

impl Projecting<'_> {
    fn field(&self, fields: &Fields, name: &CStr, value: RawBsonRef<'_>, out: &mut RawDocumentBuf) -> Result<(), CommandError> {
        match fields.get(name.as_str()) {
            None if self.others => out.append(name, value),
            Some(Rule::Keep) => out.append(name, value),
            None | Some(Rule::Drop | Rule::Compute(_)) => {}
            Some(Rule::Inside(inner)) => {
                if let Some(value) = self.inside(inner, value)? {
                    out.append(name, value);
                }
            }
            Some(Rule::Slice(skip, take)) => match value {
                RawBsonRef::Array(array) => {
                    let values: Vec<Bson> =
                        array.into_iter().map(|value| Ok(Bson::try_from(value?)?)).collect::<Result<_, CommandError>>()?;
                    out.append(name, RawBson::try_from(Bson::Array(sliced(&values, *skip, *take)))?);
                }
                value => out.append(name, value),
            },
            Some(Rule::Element(matcher)) => {
                if let RawBsonRef::Array(array) = value
                    && let Some(element) = first_passing(array, matcher)?
                {
                    out.append(name, RawArrayBuf::from_iter([element]));
                }
            }
            Some(Rule::Found) => match value {
                RawBsonRef::Array(array) => {
                    let element = self.found.and_then(|index| array.get(index).ok().flatten());
                    let message = "Executor error during find command :: caused by :: positional operator '.$' couldn't find a matching element in the array";
                    let element = element.ok_or_else(|| fault(51246, message))?;
                    out.append(name, RawArrayBuf::from_iter([RawBson::from(element)]));
                }
                value => out.append(name, value),
            },
        }
        Ok(())
    }

    /// A value whose parts are projected; what has no parts is left out of an inclusion.
    fn inside(&self, fields: &Fields, value: RawBsonRef<'_>) -> Result<Option<RawBson>, CommandError> {
        Ok(match value {
            RawBsonRef::Document(inner) => {
                let mut out = RawDocumentBuf::new();
                for (name, value) in inner.iter().flatten() {
                    self.field(fields, name, value, &mut out)?;
                }
                self.computed(fields, inner, &mut out)?;
                Some(RawBson::Document(out))
            }
            RawBsonRef::Array(array) => {
                let mut out = RawArrayBuf::new();
                for element in array.into_iter().flatten() {
                    if let Some(element) = self.inside(fields, element)? {
                        out.push(element);
                    }
                }
                Some(RawBson::Array(out))
            }
            // What is computed needs a place.
            _ if fields.computes() => self.inside(fields, RawBsonRef::Document(&RawDocumentBuf::new()))?,
            value => self.others.then(|| value.into()),
        })
    }

    /// Appends the computed fields, and documents for those inside of what is not there.
    fn computed(&self, fields: &Fields, here: &RawDocument, out: &mut RawDocumentBuf) -> Result<(), CommandError> {
        for (name, rule) in &fields.0 {
            let value = match rule {
                Rule::Compute(expression) => match expression.evaluate(self.root)? {
                    Some(value) => RawBson::try_from(value)?,
                    None => continue,
                },
                Rule::Inside(inner) if inner.computes() && here.get(name)?.is_none() => {
                    match self.inside(inner, RawBsonRef::Document(&RawDocumentBuf::new()))? {
                        Some(made) => made,
                        None => continue,
                    }
                }
                _ => continue,
            };
            out.append(&*CString::try_from(name.as_str())?, value);
        }
        Ok(())
    }
}

fn first_passing(array: &RawArray, matcher: &Matcher) -> Result<Option<RawBson>, CommandError> {
    for element in array {
        let element = element?;
        let mut wrapped = RawDocumentBuf::new();
        wrapped.append(bson::raw::cstr!("e"), RawArrayBuf::from_iter([RawBson::from(element)]));
        if matcher.matches(&wrapped) {
            return Ok(Some(element.into()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::inclusion_keeps_the_id(rawdoc! { "b": 1 }, rawdoc! { "_id": 1, "b": 3 })]
    #[case::inclusion_without_the_id(rawdoc! { "b": 1, "_id": 0 }, rawdoc! { "b": 3 })]
    #[case::only_the_id(rawdoc! { "_id": 1 }, rawdoc! { "_id": 1 })]
    #[case::everything_but_the_id(rawdoc! { "_id": 0 }, rawdoc! { "b": 3, "a": { "x": 1, "y": [{ "z": 1, "w": 2 }, 5] } })]
    #[case::exclusion(rawdoc! { "a": 0 }, rawdoc! { "_id": 1, "b": 3 })]
    #[case::dotted_inclusion(rawdoc! { "a.x": true }, rawdoc! { "_id": 1, "a": { "x": 1 } })]
    #[case::dotted_exclusion(rawdoc! { "a.y": false }, rawdoc! { "_id": 1, "b": 3, "a": { "x": 1 } })]
    #[case::inclusion_inside_arrays_drops_scalars(rawdoc! { "a.y.z": 1 }, rawdoc! { "_id": 1, "a": { "y": [{ "z": 1 }] } })]
    #[case::exclusion_inside_arrays_keeps_scalars(
        rawdoc! { "a.y.z": 0 },
        rawdoc! { "_id": 1, "b": 3, "a": { "x": 1, "y": [{ "w": 2 }, 5] } }
    )]
    #[case::slice_keeps_the_rest(
        rawdoc! { "a.y": { "$slice": -1 } },
        rawdoc! { "_id": 1, "b": 3, "a": { "x": 1, "y": [5] } }
    )]
    #[case::slice_beside_inclusion(rawdoc! { "b": 1, "a.y": { "$slice": [0, 1] } }, rawdoc! { "_id": 1, "b": 3, "a": { "y": [{ "z": 1, "w": 2 }] } })]
    #[case::computed(rawdoc! { "sum": { "$add": ["$b", "$a.x"] } }, rawdoc! { "_id": 1, "sum": 4 })]
    #[case::renamed(rawdoc! { "_id": 0, "n": { "of": "$b" } }, rawdoc! { "n": { "of": 3 } })]
    #[case::nested(rawdoc! { "a": { "x": 1 } }, rawdoc! { "_id": 1, "a": { "x": 1 } })]
    fn a_projection_answers_what_it_names(#[case] spec: RawDocumentBuf, #[case] expected: RawDocumentBuf) {
        let document = rawdoc! { "_id": 1, "b": 3, "a": { "x": 1, "y": [{ "z": 1, "w": 2 }, 5] } };
        let projection = Projection::parse(&spec, Language::Find, Given::nothing()).unwrap().unwrap();
        assert_eq!(projection.apply(&document, None).unwrap(), expected);
    }

    #[rstest]
    #[case(rawdoc! { "a": 1, "b": 0 }, 31254)]
    #[case(rawdoc! { "a": 0, "b": 1 }, 31253)]
    #[case(rawdoc! { "a": 1, "a.b": 1 }, 31249)]
    #[case(rawdoc! { "a.b": 1, "a": 1 }, 31250)]
    #[case(rawdoc! { "": 1 }, 40352)]
    #[case(rawdoc! { "a.": 1 }, 40353)]
    #[case(rawdoc! { "g.$.n": 1 }, 31394)]
    #[case(rawdoc! { "a": { "$meta": "textScore" } }, 238)]
    #[case(rawdoc! { "a": { "$foo": 1 } }, 31325)]
    #[case(rawdoc! { "a": { "$slice": "x" } }, 28667)]
    #[case(rawdoc! { "a": {} }, 51270)]
    fn a_projection_that_makes_no_sense_is_refused_with_the_servers_code(#[case] spec: RawDocumentBuf, #[case] code: i32) {
        assert_eq!(Projection::parse(&spec, Language::Find, Given::nothing()).unwrap_err().code.number, code);
    }

    #[test]
    fn the_element_that_was_found_can_be_answered_alone() {
        let document = rawdoc! { "_id": 1, "list": [{ "k": 1 }, { "k": 2, "n": 5 }, { "k": 2, "n": 6 }] };
        let apply = |spec: RawDocumentBuf, filter: RawDocumentBuf| {
            let projection = Projection::parse(&spec, Language::Find, Given::nothing()).unwrap().unwrap();
            projection.apply(&document, Some(&Matcher::parse(&filter).unwrap()))
        };
        let expected = rawdoc! { "_id": 1, "list": [{ "k": 2, "n": 5 }] };
        assert_eq!(apply(rawdoc! { "list.$": 1 }, rawdoc! { "list.k": 2 }).unwrap(), expected);
        assert_eq!(apply(rawdoc! { "list": { "$elemMatch": { "n": { "$gt": 4 } } } }, rawdoc! {}).unwrap(), expected);
        assert_eq!(apply(rawdoc! { "list.$": 1 }, rawdoc! {}).unwrap_err().code.number, 51246);
    }
}
