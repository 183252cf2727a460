//! `$jsonSchema`: what a document must look like, in the draft 4 MongoDB knows, with `bsonType`.

use std::collections::HashSet;

use bson::{Bson, RawBson, RawBsonRef, RawDocument};

use super::super::error::{Code, CommandError};
use super::super::value::{compare, key, type_alias, type_from_alias, type_number, whole_number};
use super::search::Regex;

/// Schemas nested deeper than this are refused: the parser is recursive.
const MAX_DEPTH: usize = 100;

/// A parsed schema: all rules hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Schema(Vec<Rule>);

#[derive(Debug, Clone)]
enum Rule {
    Types(Vec<i32>),
    Enum(Vec<RawBson>),
    /// A number at least (true) or at most as large as this; equal only if it is inclusive.
    Limit {
        least: bool,
        bound: RawBson,
        inclusive: bool,
    },
    MultipleOf(f64),
    /// Characters of a string, elements of an array, fields of an object: from, to.
    Length(Counted, usize, usize),
    Pattern(Regex),
    UniqueItems,
    Items(Box<Schema>),
    /// Each element by its place; then what comes after.
    Tuple(Vec<Schema>, Option<Box<Schema>>),
    Required(Vec<String>),
    Fields(Box<Fields>),
    Dependency(String, Needs),
    AllOf(Vec<Schema>),
    AnyOf(Vec<Schema>),
    OneOf(Vec<Schema>),
    Not(Box<Schema>),
}

#[derive(Debug, Clone)]
enum Needs {
    Fields(Vec<String>),
    Schema(Box<Schema>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Characters,
    Elements,
    Fields,
}

/// What the fields of an object must be: by name, by pattern, and all others.
#[derive(Debug, Clone, Default)]
struct Fields {
    named: Vec<(String, Schema)>,
    patterns: Vec<(Regex, Schema)>,
    /// `None` if the others are free; a schema nothing passes if there may be none.
    others: Option<Schema>,
    closed: bool,
}

fn wrong(message: impl Into<String>) -> CommandError {
    CommandError::new(Code::FAILED_TO_PARSE, message)
}

fn mistyped(keyword: &str, expected: &str, value: RawBsonRef<'_>) -> CommandError {
    let message = format!("$jsonSchema keyword '{keyword}' must be {expected}, but found {}", type_alias(value));
    CommandError::new(Code::TYPE_MISMATCH, message)
}

impl Schema {
    pub(super) fn parse(value: RawBsonRef<'_>) -> Result<Self, CommandError> {
        match value {
            RawBsonRef::Document(schema) => Self::at(schema, 0),
            other => {
                Err(CommandError::new(Code::TYPE_MISMATCH, format!("$jsonSchema must be an object, found {}", type_alias(other))))
            }
        }
    }

    fn sub(keyword: &str, value: RawBsonRef<'_>, depth: usize) -> Result<Self, CommandError> {
        Self::at(value.as_document().ok_or_else(|| mistyped(keyword, "an object", value))?, depth + 1)
    }

    fn at(schema: &RawDocument, depth: usize) -> Result<Self, CommandError> {
        if depth > MAX_DEPTH {
            return Err(wrong(format!("$jsonSchema exceeds the maximum nesting depth of {MAX_DEPTH}")));
        }
        let (mut rules, mut fields) = (Vec::new(), Fields::default());
        let flag = |name: &str| Ok::<_, CommandError>(matches!(schema.get(name)?, Some(RawBsonRef::Boolean(true))));
        for element in schema.iter() {
            let (name, value) = element?;
            let keyword = name.as_str();
            match keyword {
                "title" | "description" => {
                    value.as_str().ok_or_else(|| mistyped(keyword, "a string", value))?;
                }
                "bsonType" | "type" => rules.push(Rule::Types(types(keyword, value)?)),
                "enum" => rules.push(Rule::Enum(list(keyword, value)?.into_iter().map(RawBson::from).collect())),
                "minimum" | "maximum" => {
                    let least = keyword == "minimum";
                    let exclusive = flag(if least { "exclusiveMinimum" } else { "exclusiveMaximum" })?;
                    number(keyword, value)?;
                    rules.push(Rule::Limit { least, bound: value.into(), inclusive: !exclusive });
                }
                "exclusiveMinimum" | "exclusiveMaximum" => {
                    let beside = if keyword == "exclusiveMinimum" { "minimum" } else { "maximum" };
                    value.as_bool().ok_or_else(|| mistyped(keyword, "a boolean", value))?;
                    if schema.get(beside)?.is_none() {
                        return Err(wrong(format!("$jsonSchema keyword '{beside}' must be a number if {keyword} is present")));
                    }
                }
                "multipleOf" => match number(keyword, value)? {
                    n if n > 0.0 => rules.push(Rule::MultipleOf(n)),
                    _ => return Err(wrong("$jsonSchema keyword 'multipleOf' must have a positive value")),
                },
                "minLength" => rules.push(Rule::Length(Counted::Characters, count(keyword, value)?, usize::MAX)),
                "maxLength" => rules.push(Rule::Length(Counted::Characters, 0, count(keyword, value)?)),
                "minItems" => rules.push(Rule::Length(Counted::Elements, count(keyword, value)?, usize::MAX)),
                "maxItems" => rules.push(Rule::Length(Counted::Elements, 0, count(keyword, value)?)),
                "minProperties" => rules.push(Rule::Length(Counted::Fields, count(keyword, value)?, usize::MAX)),
                "maxProperties" => rules.push(Rule::Length(Counted::Fields, 0, count(keyword, value)?)),
                "pattern" => {
                    let source = value.as_str().ok_or_else(|| mistyped(keyword, "a string", value))?;
                    rules.push(Rule::Pattern(Regex::new(source, "")?));
                }
                "uniqueItems" => match value {
                    RawBsonRef::Boolean(true) => rules.push(Rule::UniqueItems),
                    RawBsonRef::Boolean(false) => {}
                    _ => return Err(mistyped(keyword, "a boolean", value)),
                },
                "items" => rules.push(match value {
                    RawBsonRef::Array(_) => {
                        let others = match schema.get("additionalItems")? {
                            None | Some(RawBsonRef::Boolean(true)) => None,
                            Some(RawBsonRef::Boolean(false)) => Some(Box::new(Self::nothing())),
                            Some(other) => Some(Box::new(Self::sub("additionalItems", other, depth)?)),
                        };
                        Rule::Tuple(schemas(keyword, value, depth)?, others)
                    }
                    one => Rule::Items(Box::new(Self::sub(keyword, one, depth)?)),
                }),
                "additionalItems" => {}
                "required" => rules.push(Rule::Required(names(keyword, value)?)),
                "properties" => {
                    for property in value.as_document().ok_or_else(|| mistyped(keyword, "an object", value))?.iter() {
                        let (name, schema) = property?;
                        fields.named.push((name.as_str().to_owned(), Self::sub(keyword, schema, depth)?));
                    }
                }
                "patternProperties" => {
                    for property in value.as_document().ok_or_else(|| mistyped(keyword, "an object", value))?.iter() {
                        let (pattern, schema) = property?;
                        fields.patterns.push((Regex::new(pattern.as_str(), "")?, Self::sub(keyword, schema, depth)?));
                    }
                }
                "additionalProperties" => match value {
                    RawBsonRef::Boolean(others) => fields.closed = !others,
                    other => fields.others = Some(Self::sub(keyword, other, depth)?),
                },
                "dependencies" => {
                    for dependency in value.as_document().ok_or_else(|| mistyped(keyword, "an object", value))?.iter() {
                        let (name, needs) = dependency?;
                        let needs = match needs {
                            RawBsonRef::Array(_) => Needs::Fields(names(keyword, needs)?),
                            other => Needs::Schema(Box::new(Self::sub(keyword, other, depth)?)),
                        };
                        rules.push(Rule::Dependency(name.as_str().to_owned(), needs));
                    }
                }
                "allOf" => rules.push(Rule::AllOf(schemas(keyword, value, depth)?)),
                "anyOf" => rules.push(Rule::AnyOf(schemas(keyword, value, depth)?)),
                "oneOf" => rules.push(Rule::OneOf(schemas(keyword, value, depth)?)),
                "not" => rules.push(Rule::Not(Box::new(Self::sub(keyword, value, depth)?))),
                "$ref" | "$schema" | "default" | "definitions" | "format" | "id" => {
                    return Err(wrong(format!("$jsonSchema keyword '{keyword}' is not currently supported")));
                }
                _ => return Err(wrong(format!("Unknown $jsonSchema keyword: {keyword}"))),
            }
        }
        if !fields.named.is_empty() || !fields.patterns.is_empty() || fields.others.is_some() || fields.closed {
            rules.push(Rule::Fields(Box::new(fields)));
        }
        Ok(Self(rules))
    }

    /// The schema nothing passes.
    fn nothing() -> Self {
        Self(vec![Rule::AnyOf(Vec::new())])
    }

    /// Whether a document passes.
    pub(super) fn matches(&self, document: &RawDocument) -> bool {
        self.holds(RawBsonRef::Document(document))
    }

    fn holds(&self, value: RawBsonRef<'_>) -> bool {
        self.0.iter().all(|rule| rule.holds(value))
    }
}

impl Rule {
    /// A rule about one kind of value says nothing about the others.
    fn holds(&self, value: RawBsonRef<'_>) -> bool {
        match (self, value) {
            (Self::Types(numbers), _) => numbers.contains(&type_number(value)),
            (Self::Enum(values), _) => values.iter().any(|known| {
                let known = known.as_raw_bson_ref();
                super::super::value::class(known) == super::super::value::class(value) && compare(known, value).is_eq()
            }),
            (Self::Limit { least, bound, inclusive }, _) if is_number(value) => {
                let order = compare(value, bound.as_raw_bson_ref());
                order.is_eq() && *inclusive || if *least { order.is_gt() } else { order.is_lt() }
            }
            (Self::MultipleOf(of), _) if is_number(value) => {
                Bson::try_from(value).ok().as_ref().and_then(super::super::value::double).is_some_and(|n| n % of == 0.0)
            }
            (Self::Length(Counted::Characters, from, to), RawBsonRef::String(text)) => {
                (*from..=*to).contains(&text.chars().count())
            }
            (Self::Length(Counted::Elements, from, to), RawBsonRef::Array(array)) => {
                (*from..=*to).contains(&array.into_iter().count())
            }
            (Self::Length(Counted::Fields, from, to), RawBsonRef::Document(document)) => {
                (*from..=*to).contains(&document.iter().count())
            }
            (Self::Pattern(pattern), RawBsonRef::String(text)) => pattern.is_match(text),
            (Self::UniqueItems, RawBsonRef::Array(array)) => {
                let mut seen = HashSet::new();
                array.into_iter().flatten().all(|element| seen.insert(key(element)))
            }
            (Self::Items(schema), RawBsonRef::Array(array)) => array.into_iter().flatten().all(|element| schema.holds(element)),
            (Self::Tuple(schemas, others), RawBsonRef::Array(array)) => {
                array.into_iter().flatten().enumerate().all(|(index, element)| match schemas.get(index) {
                    Some(schema) => schema.holds(element),
                    None => others.as_ref().is_none_or(|schema| schema.holds(element)),
                })
            }
            (Self::Required(names), RawBsonRef::Document(document)) => names.iter().all(|name| has(document, name)),
            (Self::Fields(fields), RawBsonRef::Document(document)) => {
                document.iter().flatten().all(|(name, value)| fields.hold(name.as_str(), value))
            }
            (Self::Dependency(name, needs), RawBsonRef::Document(document)) => {
                !has(document, name)
                    || match needs {
                        Needs::Fields(names) => names.iter().all(|name| has(document, name)),
                        Needs::Schema(schema) => schema.holds(value),
                    }
            }
            (Self::AllOf(schemas), _) => schemas.iter().all(|schema| schema.holds(value)),
            (Self::AnyOf(schemas), _) => schemas.iter().any(|schema| schema.holds(value)),
            (Self::OneOf(schemas), _) => schemas.iter().filter(|schema| schema.holds(value)).count() == 1,
            (Self::Not(schema), _) => !schema.holds(value),
            _ => true,
        }
    }
}

impl Fields {
    fn hold(&self, name: &str, value: RawBsonRef<'_>) -> bool {
        let mut known = false;
        for (_, schema) in self.named.iter().filter(|(named, _)| named == name) {
            known = true;
            if !schema.holds(value) {
                return false;
            }
        }
        for (_, schema) in self.patterns.iter().filter(|(pattern, _)| pattern.is_match(name)) {
            known = true;
            if !schema.holds(value) {
                return false;
            }
        }
        known || !self.closed && self.others.as_ref().is_none_or(|schema| schema.holds(value))
    }
}

fn is_number(value: RawBsonRef<'_>) -> bool {
    matches!(value, RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_) | RawBsonRef::Decimal128(_))
}

fn has(document: &RawDocument, name: &str) -> bool {
    document.get(name).is_ok_and(|value| value.is_some())
}

fn list<'a>(keyword: &str, value: RawBsonRef<'a>) -> Result<Vec<RawBsonRef<'a>>, CommandError> {
    let array = value.as_array().ok_or_else(|| mistyped(keyword, "an array", value))?;
    let values = array.into_iter().collect::<Result<Vec<_>, _>>()?;
    if values.is_empty() { Err(wrong(format!("$jsonSchema keyword '{keyword}' cannot be an empty array"))) } else { Ok(values) }
}

fn schemas(keyword: &str, value: RawBsonRef<'_>, depth: usize) -> Result<Vec<Schema>, CommandError> {
    list(keyword, value)?.into_iter().map(|schema| Schema::sub(keyword, schema, depth)).collect()
}

fn names(keyword: &str, value: RawBsonRef<'_>) -> Result<Vec<String>, CommandError> {
    let one =
        |name: RawBsonRef<'_>| name.as_str().map(str::to_owned).ok_or_else(|| mistyped(keyword, "an array of strings", name));
    list(keyword, value)?.into_iter().map(one).collect()
}

fn number(keyword: &str, value: RawBsonRef<'_>) -> Result<f64, CommandError> {
    let number = Bson::try_from(value).ok().as_ref().and_then(super::super::value::double);
    number.ok_or_else(|| mistyped(keyword, "a number", value))
}

fn count(keyword: &str, value: RawBsonRef<'_>) -> Result<usize, CommandError> {
    let number = Bson::try_from(value).ok().as_ref().and_then(whole_number).and_then(|n| usize::try_from(n).ok());
    number.ok_or_else(|| wrong(format!("$jsonSchema keyword '{keyword}' must be a non-negative whole number")))
}

/// The numbers of the types a keyword names; `type` knows JSON's names, which stand for several of BSON's.
fn types(keyword: &str, value: RawBsonRef<'_>) -> Result<Vec<i32>, CommandError> {
    let names = match value {
        RawBsonRef::String(name) => vec![name.to_owned()],
        other => names(keyword, other)?,
    };
    let mut numbers = Vec::new();
    for name in names {
        let alias = match (keyword, name.as_str()) {
            ("type", "boolean") => "bool",
            ("type", known @ ("object" | "array" | "number" | "string" | "null")) => known,
            ("type", "integer") => return Err(wrong("$jsonSchema type 'integer' is not currently supported.")),
            ("type", _) => return Err(wrong(format!("Unknown type name alias: {name}"))),
            (_, known) => known,
        };
        let found = type_from_alias(RawBsonRef::String(alias))
            .ok_or_else(|| CommandError::bad_value(format!("Unknown type name alias: {name}")))?;
        numbers.extend(found);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, rawdoc};
    use rstest::rstest;

    use super::*;

    fn passes(schema: &RawDocumentBuf, document: &RawDocumentBuf) -> bool {
        Schema::parse(RawBsonRef::Document(schema)).unwrap().matches(document)
    }

    #[rstest]
    #[case::required(rawdoc! { "required": ["a"] }, rawdoc! { "a": null }, rawdoc! { "b": 1 })]
    #[case::bson_type(rawdoc! { "properties": { "a": { "bsonType": ["int", "string"] } } }, rawdoc! { "a": "x" }, rawdoc! { "a": 1.5 })]
    #[case::json_type(rawdoc! { "properties": { "a": { "type": "number" } } }, rawdoc! { "a": 1_i64 }, rawdoc! { "a": "1" })]
    #[case::limits(rawdoc! { "properties": { "a": { "minimum": 1, "maximum": 5, "exclusiveMaximum": true } } }, rawdoc! { "a": 1 }, rawdoc! { "a": 5 })]
    #[case::lengths(rawdoc! { "properties": { "a": { "minLength": 2 } } }, rawdoc! { "a": "äö" }, rawdoc! { "a": "ä" })]
    #[case::pattern(rawdoc! { "properties": { "a": { "pattern": "^PR-" } } }, rawdoc! { "a": "PR-1" }, rawdoc! { "a": "AS-1" })]
    #[case::items(rawdoc! { "properties": { "a": { "items": { "bsonType": "int" }, "uniqueItems": true } } }, rawdoc! { "a": [1, 2] }, rawdoc! { "a": [1, 1.0] })]
    #[case::tuple(rawdoc! { "properties": { "a": { "items": [{ "type": "string" }], "additionalItems": false } } }, rawdoc! { "a": ["x"] }, rawdoc! { "a": ["x", 1] })]
    #[case::closed(rawdoc! { "properties": { "a": {} }, "additionalProperties": false }, rawdoc! { "a": 1 }, rawdoc! { "b": 1 })]
    #[case::by_pattern(rawdoc! { "patternProperties": { "^n": { "type": "number" } } }, rawdoc! { "n1": 1, "x": "" }, rawdoc! { "n1": "" })]
    #[case::one_of(rawdoc! { "oneOf": [{ "required": ["a"] }, { "required": ["b"] }] }, rawdoc! { "a": 1 }, rawdoc! { "a": 1, "b": 1 })]
    #[case::not(rawdoc! { "not": { "required": ["a"] } }, rawdoc! { "b": 1 }, rawdoc! { "a": 1 })]
    #[case::dependency(rawdoc! { "dependencies": { "a": ["b"] } }, rawdoc! { "a": 1, "b": 1 }, rawdoc! { "a": 1 })]
    #[case::among(rawdoc! { "properties": { "a": { "enum": [1, "x"] } } }, rawdoc! { "a": 1.0 }, rawdoc! { "a": 2 })]
    fn a_document_must_keep_every_rule(
        #[case] schema: RawDocumentBuf,
        #[case] good: RawDocumentBuf,
        #[case] bad: RawDocumentBuf,
    ) {
        assert!(passes(&schema, &good));
        assert!(!passes(&schema, &bad));
    }

    #[rstest]
    #[case(rawdoc! { "foo": 1 }, 9)]
    #[case(rawdoc! { "required": [] }, 9)]
    #[case(rawdoc! { "minimum": "1" }, 14)]
    #[case(rawdoc! { "bsonType": "foo" }, 2)]
    fn a_wrong_schema_is_refused_with_mongodbs_code(#[case] schema: RawDocumentBuf, #[case] code: i32) {
        assert_eq!(Schema::parse(RawBsonRef::Document(&schema)).unwrap_err().code.number, code);
    }
}
