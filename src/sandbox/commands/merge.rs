//! Where the answer of an aggregation goes that does not go to the client: `$out` and `$merge`.

use std::ops::ControlFlow;

use bson::oid::ObjectId;
use bson::raw::{CString, cstr};
use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf};
use rusqlite::Connection;

use super::super::engine::{Catalog, Collection, Namespace, Query};
use super::super::error::{Code, CommandError};
use super::super::expression::{Expression, Given};
use super::super::matcher::Matcher;
use super::super::pipeline::Pipeline;
use super::super::value::{shell, type_alias, with_id_first};

/// The last stage of a pipeline that writes.
#[derive(Debug)]
pub(super) enum Target {
    /// The documents become the collection's only ones; its indexes stay.
    Out(Namespace),
    Merge(Merge),
}

/// `$merge`.
#[derive(Debug)]
pub(super) struct Merge {
    into: Namespace,
    on: Vec<String>,
    variables: Option<RawDocumentBuf>,
    matched: Matched,
    unmatched: Unmatched,
}

#[derive(Debug)]
enum Matched {
    Replace,
    KeepExisting,
    Merge,
    Fail,
    Pipeline(Vec<RawDocumentBuf>),
}

#[derive(Debug, Clone, Copy)]
enum Unmatched {
    Insert,
    Discard,
    Fail,
}

fn fault(location: i32, message: impl Into<String>) -> CommandError {
    CommandError::new(Code::location(location), message)
}

impl Target {
    /// The target that the last stage names, if it is one that writes.
    pub(super) fn of(stages: &[RawDocumentBuf], namespace: &Namespace) -> Result<Option<Self>, CommandError> {
        let Some(last) = stages.last() else { return Ok(None) };
        if let Some(out) = last.get("$out")? {
            return place("$out", out, "db", "coll", namespace).map(|place| Some(Self::Out(place)));
        }
        match last.get("$merge")? {
            None => Ok(None),
            Some(spec) => Merge::parse(spec, namespace).map(|merge| Some(Self::Merge(merge))),
        }
    }

    /// Writes the answer of the pipeline.
    pub(super) fn write(&self, connection: &Connection, documents: &[RawDocumentBuf], given: &Given) -> Result<(), CommandError> {
        match self {
            Self::Out(target) => replace_all(connection, target, documents),
            Self::Merge(merge) => merge.write(connection, documents, given),
        }
    }
}

fn place(stage: &str, value: RawBsonRef<'_>, db: &str, coll: &str, beside: &Namespace) -> Result<Namespace, CommandError> {
    match value {
        RawBsonRef::String(collection) => Namespace::new(&beside.db, collection),
        RawBsonRef::Document(place) => match (place.get(db)?, place.get(coll)?) {
            (Some(RawBsonRef::String(db)), Some(RawBsonRef::String(collection))) => Namespace::new(db, collection),
            (None, Some(RawBsonRef::String(collection))) if stage == "$merge" => Namespace::new(&beside.db, collection),
            _ => Err(CommandError::new(Code::FAILED_TO_PARSE, format!("{stage} needs '{db}' and '{coll}'"))),
        },
        other => {
            let message = format!("{stage} only supports a string or object argument, but found {}", type_alias(other));
            Err(fault(if stage == "$out" { 16990 } else { 51178 }, message))
        }
    }
}

fn replace_all(connection: &Connection, target: &Namespace, documents: &[RawDocumentBuf]) -> Result<(), CommandError> {
    let collection = Catalog(connection).find_or_create(target)?;
    let mut old = Vec::new();
    collection.scan(connection, &mut |seq, _| {
        old.push(seq);
        Ok(ControlFlow::Continue(()))
    })?;
    old.into_iter().try_for_each(|seq| collection.delete(connection, seq))?;
    documents.iter().try_for_each(|document| collection.insert(connection, document).map(drop))
}

impl Merge {
    fn parse(spec: RawBsonRef<'_>, beside: &Namespace) -> Result<Self, CommandError> {
        let id = || vec!["_id".to_owned()];
        let spec = match spec {
            RawBsonRef::Document(spec) => spec,
            short => {
                let into = place("$merge", short, "db", "coll", beside)?;
                return Ok(Self { into, on: id(), variables: None, matched: Matched::Merge, unmatched: Unmatched::Insert });
            }
        };
        let known = ["into", "on", "let", "whenMatched", "whenNotMatched"];
        if let Some((name, _)) = spec.iter().flatten().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(fault(40415, format!("BSON field '$merge.{name}' is an unknown field.")));
        }
        let into = spec.get("into")?.ok_or_else(|| fault(40414, "BSON field '$merge.into' is missing but a required field"))?;
        let on = match spec.get("on")? {
            None => id(),
            Some(RawBsonRef::String(field)) => vec![field.to_owned()],
            Some(RawBsonRef::Array(fields)) if !fields.is_empty() => {
                let one = |field: RawBsonRef<'_>| {
                    field.as_str().map(str::to_owned).ok_or_else(|| {
                        fault(51134, format!("$merge 'on' array elements must be strings, but found {}", type_alias(field)))
                    })
                };
                fields.into_iter().map(|field| one(field?)).collect::<Result<_, _>>()?
            }
            Some(RawBsonRef::Array(_)) => {
                return Err(fault(51187, "If explicitly specifying $merge 'on', must include at least one field"));
            }
            Some(other) => {
                return Err(fault(
                    51186,
                    format!("$merge 'on' field  must be either a string or an array of strings, but found {}", type_alias(other)),
                ));
            }
        };
        let unknown = |name: &str, value: RawBsonRef<'_>| {
            let value = shell(value);
            CommandError::bad_value(format!(
                "Enumeration value '{}' for field '$merge.{name}' is not a valid value.",
                value.trim_matches('"')
            ))
        };
        let matched = match spec.get("whenMatched")? {
            None | Some(RawBsonRef::String("merge")) => Matched::Merge,
            Some(RawBsonRef::String("replace")) => Matched::Replace,
            Some(RawBsonRef::String("keepExisting")) => Matched::KeepExisting,
            Some(RawBsonRef::String("fail")) => Matched::Fail,
            Some(RawBsonRef::Array(stages)) => {
                let one = |stage: RawBsonRef<'_>| {
                    stage.as_document().map(ToOwned::to_owned).ok_or_else(|| unknown("whenMatched", stage))
                };
                Matched::Pipeline(stages.into_iter().map(|stage| one(stage?)).collect::<Result<_, CommandError>>()?)
            }
            Some(other) => return Err(unknown("whenMatched", other)),
        };
        let unmatched = match spec.get("whenNotMatched")? {
            None | Some(RawBsonRef::String("insert")) => Unmatched::Insert,
            Some(RawBsonRef::String("discard")) => Unmatched::Discard,
            Some(RawBsonRef::String("fail")) => Unmatched::Fail,
            Some(other) => return Err(unknown("whenNotMatched", other)),
        };
        let variables = match spec.get("let")? {
            Some(RawBsonRef::Document(variables)) if matches!(matched, Matched::Pipeline(_)) => Some(variables.to_owned()),
            Some(_) => return Err(fault(51199, "Cannot use 'let' variables with 'whenMatched' other than a pipeline")),
            None => None,
        };
        Ok(Self { into: place("$merge", into, "db", "coll", beside)?, on, variables, matched, unmatched })
    }

    fn write(&self, connection: &Connection, documents: &[RawDocumentBuf], given: &Given) -> Result<(), CommandError> {
        let collection = Catalog(connection).find_or_create(&self.into)?;
        self.check_unique(&collection)?;
        documents.iter().try_for_each(|document| self.one(connection, &collection, document, given))
    }

    /// A document must have at most one that it is merged with: a unique index sees to that.
    fn check_unique(&self, collection: &Collection) -> Result<(), CommandError> {
        let mut wanted: Vec<&str> = self.on.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        let fits = collection.all_indexes().filter(|index| index.unique && index.partial.is_none()).any(|index| {
            let mut fields: Vec<String> = index.paths.iter().map(|(path, _)| path.parts().join(".")).collect();
            fields.sort_unstable();
            fields == wanted
        });
        if fits { Ok(()) } else { Err(fault(51183, "Cannot find index to verify that join fields will be unique")) }
    }

    fn one(
        &self,
        connection: &Connection,
        collection: &Collection,
        document: &RawDocument,
        given: &Given,
    ) -> Result<(), CommandError> {
        let document = if self.on.iter().any(|field| field == "_id") && document.get("_id")?.is_none() {
            let mut with_id = RawDocumentBuf::new();
            with_id.append(cstr!("_id"), ObjectId::new());
            document.iter().flatten().for_each(|(name, value)| with_id.append(name, value));
            with_id
        } else {
            document.to_owned()
        };
        let query = Query::all(Matcher::parse_given(&self.same_fields(&document)?, given)?);
        match (query.first(connection, collection)?, &self.matched) {
            (None, _) => match self.unmatched {
                Unmatched::Insert => collection.insert(connection, &with_id_first(&document)?).map(drop),
                Unmatched::Discard => Ok(()),
                Unmatched::Fail => {
                    let message = "$merge could not find a matching document in the target collection for at least one document in the source collection";
                    Err(CommandError::new(Code::MERGE_STAGE_NO_MATCHING_DOCUMENT, message))
                }
            },
            (Some(_), Matched::KeepExisting) => Ok(()),
            (Some((_, old)), Matched::Fail) => Err(collection.duplicate(old.get("_id")?.unwrap_or(RawBsonRef::Null))),
            (Some((seq, old)), matched) => {
                let new = self.merged(matched, &old, &document, given)?;
                let new = keeping_id(&old, &new)?;
                collection.replace(connection, seq, &old, &new)
            }
        }
    }

    /// The filter that finds what a document is merged with.
    fn same_fields(&self, document: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
        let mut filter = RawDocumentBuf::new();
        for field in &self.on {
            let path: Vec<String> = field.split('.').map(str::to_owned).collect();
            match Expression::Field(path).evaluate(document)? {
                None | Some(Bson::Null | Bson::Undefined) => {
                    return Err(fault(51132, "$merge write error: 'on' field cannot be missing, null, undefined or an array"));
                }
                Some(Bson::Array(_)) => return Err(fault(51185, "$merge write error: 'on' field cannot be an array")),
                Some(value) => {
                    let mut equal = RawDocumentBuf::new();
                    equal.append(cstr!("$eq"), bson::RawBson::try_from(value)?);
                    filter.append(&*CString::try_from(field.as_str())?, equal);
                }
            }
        }
        Ok(filter)
    }

    fn merged(
        &self,
        matched: &Matched,
        old: &RawDocument,
        new: &RawDocument,
        given: &Given,
    ) -> Result<RawDocumentBuf, CommandError> {
        match matched {
            Matched::Merge => {
                let mut merged = Document::try_from(old)?;
                merged.extend(Document::try_from(new)?);
                Ok(RawDocumentBuf::try_from(&merged)?)
            }
            Matched::Pipeline(stages) => {
                let mut within = given.clone();
                within.add("new", Some(Bson::Document(Document::try_from(new)?)));
                for variable in self.variables.iter().flat_map(|variables| variables.iter()) {
                    let (name, value) = variable?;
                    let value = Expression::parse(value, given)?.evaluate(new)?;
                    within.add(name.as_str(), value);
                }
                Pipeline::parse_update(stages, &within)?.change(old)
            }
            _ => Ok(new.to_owned()),
        }
    }
}

/// A merged document keeps the `_id` of that which was there; another one is refused.
fn keeping_id(old: &RawDocument, new: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
    let id = old.get("_id")?.unwrap_or(RawBsonRef::Null);
    if let Some(other) = new.get("_id")?
        && super::super::value::compare(id, other).is_ne()
    {
        let message = "$merge failed to update the matching document, did you attempt to modify the _id or the shard key? :: caused by :: \
             Performing an update on the path '_id' would modify the immutable field '_id'";
        return Err(CommandError::new(Code::IMMUTABLE_FIELD, message));
    }
    let mut kept = RawDocumentBuf::new();
    kept.append(cstr!("_id"), id);
    new.iter().flatten().filter(|(name, _)| name.as_str() != "_id").for_each(|(name, value)| kept.append(name, value));
    Ok(kept)
}
