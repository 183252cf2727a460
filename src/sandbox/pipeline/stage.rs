use bson::raw::CString;
use bson::{Bson, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use super::super::error::{Code, CommandError};
use super::super::expression::{Expression, Given};
use super::super::matcher::Matcher;
use super::super::projection::{Language, Projection};
use super::super::sort::Sort;
use super::super::value::{alias_of, shell_of, type_alias, whole_number};
use super::Pipeline;
use super::assign::Assign;
use super::bucket_auto::BucketAuto;
use super::graph::GraphLookup;
use super::group::Group;
use super::lookup::{Lookup, Union};
use super::unwind::Unwind;
use super::window::Windows;

/// A parsed stage.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    Match(Matcher),
    Sort(Sort),
    Skip(usize),
    Limit(usize),
    Project(Projection),
    Assign(Assign),
    Replace(Expression),
    Group(Group),
    Count(CString),
    Unwind(Unwind),
    Lookup(Box<Lookup>),
    GraphLookup(Box<GraphLookup>),
    Redact(Expression),
    BucketAuto(BucketAuto),
    Windows(Box<Windows>),
    Union(Union),
    Facet(Vec<(CString, Pipeline)>),
    Sample(usize),
}

/// Stages MongoDB has and this sandbox has not: they are refused by name.
const MISSING: &[&str] = &["$changeStream", "$densify", "$fill", "$geoNear", "$planCacheStats", "$search", "$vectorSearch"];

fn fault(location: i32, message: impl Into<String>) -> CommandError {
    CommandError::new(Code::location(location), message)
}

/// Understands one stage; some are written as several.
pub(super) fn parse(stage: &RawDocument, given: &Given, into: &mut Vec<Stage>) -> Result<(), CommandError> {
    let mut fields = stage.iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return Err(fault(40323, "A pipeline stage specification object must contain exactly one field."));
    };
    let (name, value) = field?;
    let name = name.as_str();
    let document = |location: i32| {
        let refused = || fault(location, format!("the {name} specification must be an object, but found {}", type_alias(value)));
        value.as_document().ok_or_else(refused)
    };
    let parsed = match name {
        "$match" => Stage::Match(Matcher::parse_given(document(15959)?, given)?),
        "$sort" => match Sort::parse(document(15973)?, given.collation())? {
            Some(sort) => Stage::Sort(sort),
            None => return Err(fault(15976, "$sort stage must have at least one sort key")),
        },
        "$skip" => Stage::Skip(size(name, value, 0)?),
        "$limit" => Stage::Limit(size(name, value, 1)?),
        "$project" => match Projection::parse(document(15969)?, Language::Aggregation, given)? {
            Some(projection) => Stage::Project(projection),
            None => {
                return Err(fault(
                    51272,
                    "Invalid $project :: caused by :: projection specification must have at least one field",
                ));
            }
        },
        "$unset" => Stage::Project(unset(value)?),
        "$addFields" | "$set" => Stage::Assign(Assign::parse(name, document(40272)?, given)?),
        "$replaceRoot" => {
            let spec = document(40229)?;
            let root = spec.get("newRoot")?.ok_or_else(|| fault(40231, "no newRoot specified for the $replaceRoot stage"))?;
            Stage::Replace(Expression::parse(root, given)?)
        }
        "$replaceWith" => Stage::Replace(Expression::parse(value, given)?),
        "$group" => Stage::Group(Group::parse(document(15947)?, given)?),
        "$bucket" => {
            let (group, sort) = Group::parse_bucket(document(40201)?, given)?;
            into.push(Stage::Group(group));
            Stage::Sort(sort)
        }
        "$sortByCount" => {
            check_counted(value)?;
            into.push(Stage::Group(Group::counting(Expression::parse(value, given)?, given)));
            match Sort::parse(&rawdoc! { "count": -1 }, given.collation())? {
                Some(sort) => Stage::Sort(sort),
                None => return Ok(()),
            }
        }
        "$count" => match value {
            RawBsonRef::String("") => return Err(fault(40157, "the count field must be a non-empty string")),
            RawBsonRef::String(field) if field.starts_with('$') => {
                return Err(fault(40158, "the count field cannot be a $-prefixed path"));
            }
            RawBsonRef::String(field) if field.contains('.') => {
                return Err(fault(40160, "the count field cannot contain '.'"));
            }
            RawBsonRef::String(field) => Stage::Count(CString::try_from(field)?),
            _ => return Err(fault(40156, "the count field must be a non-empty string")),
        },
        "$unwind" => Stage::Unwind(Unwind::parse(value)?),
        "$graphLookup" => Stage::GraphLookup(Box::new(GraphLookup::parse(document(40327)?, given)?)),
        "$redact" => {
            let mut given = given.clone();
            for name in ["KEEP", "PRUNE", "DESCEND"] {
                given.add(name, Some(Bson::String(name.to_lowercase())));
            }
            Stage::Redact(Expression::parse(value, &given)?)
        }
        "$bucketAuto" => Stage::BucketAuto(BucketAuto::parse(document(40240)?, given)?),
        "$setWindowFields" => Stage::Windows(Box::new(Windows::parse(document(9)?, given)?)),
        "$lookup" => Stage::Lookup(Box::new(Lookup::parse(document(9)?, given)?)),
        "$unionWith" => Stage::Union(Union::parse(value, given)?),
        "$facet" => Stage::Facet(facet(document(40169)?, given)?),
        "$sample" => {
            let spec = document(28745)?;
            let size = spec.get("size")?.ok_or_else(|| fault(28749, "$sample stage must specify a size"))?;
            Stage::Sample(self::size("$sample", size, 1)?)
        }
        "$out" | "$merge" => return Err(fault(40601, format!("{name} can only be the final stage in the pipeline"))),
        "$collStats" | "$currentOp" | "$documents" | "$indexStats" | "$listLocalSessions" | "$listSessions" => {
            return Err(fault(40602, format!("{name} is only valid as the first stage in a pipeline")));
        }
        missing if MISSING.contains(&missing) => return Err(CommandError::not_implemented(missing)),
        unknown => return Err(fault(40324, format!("Unrecognized pipeline stage name: '{unknown}'"))),
    };
    into.push(parsed);
    Ok(())
}

fn size(name: &str, value: RawBsonRef<'_>, least: i64) -> Result<usize, CommandError> {
    let number = Bson::try_from(value).ok().as_ref().and_then(whole_number).filter(|n| *n >= least);
    let (location, kind) = match (name, least) {
        ("$limit", _) => (15958, "the limit must be positive"),
        ("$skip", _) => (5_107_200, "invalid argument to $skip stage: Expected a non-negative number"),
        _ => (28747, "size argument to $sample must be a positive integer"),
    };
    number.and_then(|n| usize::try_from(n).ok()).ok_or_else(|| fault(location, kind))
}

fn unset(value: RawBsonRef<'_>) -> Result<Projection, CommandError> {
    let mut spec = RawDocumentBuf::new();
    let mut add = |value: RawBsonRef<'_>| match value {
        RawBsonRef::String(field) => {
            spec.append(&*CString::try_from(field)?, 0);
            Ok(())
        }
        _ => Err(fault(31120, "$unset specification must be a string or an array containing only string values")),
    };
    match value {
        RawBsonRef::Array(fields) => fields.into_iter().try_for_each(|field| add(field?))?,
        field => add(field)?,
    }
    let refused = || fault(31119, "$unset specification must be a string or an array with at least one field");
    Projection::parse(&spec, Language::Aggregation, Given::nothing())?.ok_or_else(refused)
}

/// Stages that have no place in a `$facet`.
const ALONE: [&str; 9] =
    ["$changeStream", "$collStats", "$documents", "$facet", "$geoNear", "$indexStats", "$merge", "$out", "$planCacheStats"];

fn facet(spec: &RawDocument, given: &Given) -> Result<Vec<(CString, Pipeline)>, CommandError> {
    let mut facets = Vec::new();
    for facet in spec.iter() {
        let (name, pipeline) = facet?;
        let RawBsonRef::Array(stages) = pipeline else {
            return Err(fault(40170, format!("arguments to $facet must be arrays, {name} is type {}", type_alias(pipeline))));
        };
        let stages = stages_of(stages)?;
        let alone = stages.iter().filter_map(|stage| stage.iter().next()?.ok()).find(|(name, _)| ALONE.contains(&name.as_str()));
        if let Some((stage, _)) = alone {
            return Err(fault(40600, format!("{stage} is not allowed to be used within a $facet stage")));
        }
        facets.push((name.into(), Pipeline::parse(&stages, given)?));
    }
    if facets.is_empty() {
        return Err(fault(40169, "the $facet specification must be a non-empty object"));
    }
    Ok(facets)
}

/// The stages of a pipeline inside another one.
pub(super) fn stages_of(stages: &bson::RawArray) -> Result<Vec<RawDocumentBuf>, CommandError> {
    let one = |stage: RawBsonRef<'_>| match stage {
        RawBsonRef::Document(stage) => Ok(stage.to_owned()),
        _ => Err(CommandError::new(Code::TYPE_MISMATCH, "Each element of the 'pipeline' array must be an object")),
    };
    stages.into_iter().map(|stage| one(stage?)).collect()
}

impl Stage {
    pub(super) fn is_of_an_update(&self) -> bool {
        matches!(self, Self::Project(_) | Self::Assign(_) | Self::Replace(_))
    }

    /// What a stage that makes one document of one makes of this.
    pub(super) fn one_of_one(&self, document: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
        match self {
            Self::Project(projection) => projection.apply(document, None),
            Self::Assign(assign) => assign.apply(document),
            Self::Replace(root) => match root.evaluate(document)? {
                Some(Bson::Document(root)) => Ok(RawDocumentBuf::try_from(&root)?),
                other => {
                    let (kind, text) =
                        other.as_ref().map_or(("missing", "MISSING".into()), |value| (alias_of(value), shell_of(value)));
                    let message = format!(
                        "'newRoot' expression must evaluate to an object, but resulting value was: {text}. Type of resulting value: '{kind}'."
                    );
                    Err(fault(40228, message))
                }
            },
            _ => Ok(document.to_owned()),
        }
    }
}

/// What `$sortByCount` counts is computed: a constant is a mistake.
fn check_counted(value: RawBsonRef<'_>) -> Result<(), CommandError> {
    let computed = match value {
        RawBsonRef::String(path) => path.starts_with('$'),
        RawBsonRef::Document(spec) => {
            spec.iter().next().and_then(Result::ok).is_some_and(|(name, _)| name.as_str().starts_with('$'))
        }
        _ => return Err(fault(40149, "the sortByCount field must be specified as a string or as an object")),
    };
    let number = if matches!(value, RawBsonRef::String(_)) { 40148 } else { 40147 };
    let words = "the sortByCount field must be defined as a $-prefixed path or an expression inside an object";
    if computed { Ok(()) } else { Err(fault(number, words)) }
}
