use std::collections::HashSet;

use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf};

use super::super::error::{Code, CommandError};
use super::super::expression::{Expression, Given};
use super::super::value::{Leaf, Path, key};
use super::Pipeline;
use super::run::Context;
use super::stage::stages_of;
use super::unwind::put;

/// `$lookup`: documents of another collection, joined by equal fields, by a pipeline, or by both.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    from: String,
    into: Vec<String>,
    fields: Option<(Path, String)>,
    variables: Vec<(String, Expression)>,
    given: Given,
    pipeline: Option<Vec<RawDocumentBuf>>,
}

fn wrong(message: impl Into<String>) -> CommandError {
    CommandError::new(Code::FAILED_TO_PARSE, message)
}

impl Lookup {
    pub(super) fn parse(spec: &RawDocument, given: &Given) -> Result<Self, CommandError> {
        let text = |name: &str| match spec.get(name)? {
            None => Ok(None),
            Some(RawBsonRef::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(format!("$lookup argument '{name}' must be a string"))),
        };
        let known = ["from", "as", "localField", "foreignField", "let", "pipeline"];
        if let Some((name, _)) = spec.iter().flatten().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(wrong(format!("unknown argument to $lookup: {name}")));
        }
        let into = text("as")?.ok_or_else(|| wrong("must specify 'as' field for a $lookup"))?;
        let from = text("from")?.ok_or_else(|| CommandError::not_implemented("a $lookup without 'from'"))?;
        let fields = match (text("localField")?, text("foreignField")?) {
            (Some(local), Some(foreign)) => Some((Path::new(local), foreign.to_owned())),
            (None, None) => None,
            _ => return Err(wrong("$lookup requires both or neither of 'localField' and 'foreignField' to be specified")),
        };
        let pipeline = match spec.get("pipeline")? {
            None => None,
            Some(RawBsonRef::Array(stages)) => Some(stages_of(stages)?),
            Some(_) => return Err(wrong("'pipeline' option must be specified as an array")),
        };
        if fields.is_none() && pipeline.is_none() {
            return Err(wrong("$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified"));
        }
        let mut variables = Vec::new();
        if let Some(bound) = spec.get("let")? {
            let bound = bound.as_document().ok_or_else(|| wrong("$lookup argument 'let' must be an object"))?;
            for variable in bound.iter() {
                let (name, value) = variable?;
                variables.push((name.as_str().to_owned(), Expression::parse(value, given)?));
            }
        }
        // Faults of the pipeline are told now, not when the first document comes.
        let mut unknown = given.clone();
        variables.iter().for_each(|(name, _): &(String, _)| unknown.add(name, Some(Bson::Null)));
        Pipeline::parse(pipeline.iter().flatten(), &unknown)?;
        let into = into.split('.').map(str::to_owned).collect();
        Ok(Self { from: from.to_owned(), into, fields, variables, given: given.clone(), pipeline })
    }

    pub(super) fn apply(&self, context: &Context<'_>, document: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
        let mut found = match (&self.fields, &self.pipeline) {
            (None, Some(_)) => None,
            (fields, _) => Some(self.equal(context, document, fields.as_ref())?),
        };
        if let Some(stages) = &self.pipeline {
            let mut given = self.given.clone();
            for (name, expression) in &self.variables {
                given.add(name, expression.evaluate(document)?);
            }
            let pipeline = Pipeline::parse(stages, &given)?;
            found = Some(match found {
                Some(documents) => pipeline.of_documents(context, &documents)?,
                None => pipeline.of_collection_in(context, &self.from)?,
            });
        }
        let mut joined = Document::try_from(document)?;
        let documents = found.unwrap_or_default().into_iter().map(|d| Ok(Bson::Document(Document::try_from(d.as_ref())?)));
        let documents = documents.collect::<Result<Vec<_>, CommandError>>()?;
        put(&mut joined, &self.into, Some(Bson::Array(documents)));
        Ok(RawDocumentBuf::try_from(&joined)?)
    }

    /// Documents whose field equals one of the local values; what is missing equals null.
    fn equal(
        &self,
        context: &Context<'_>,
        document: &RawDocument,
        fields: Option<&(Path, String)>,
    ) -> Result<Vec<RawDocumentBuf>, CommandError> {
        let Some((local, foreign)) = fields else { return Ok(Vec::new()) };
        let (mut seen, mut values, mut any) = (HashSet::new(), bson::RawArrayBuf::new(), false);
        local.any(document, Leaf::Elements, &mut |value| {
            any = true;
            let value = value.filter(|value| *value != RawBsonRef::Undefined).unwrap_or(RawBsonRef::Null);
            if !matches!(value, RawBsonRef::RegularExpression(_)) && seen.insert(key(value)) {
                values.push(value);
            }
            false
        });
        // An empty array, or one without such a field in any element, has no values: that is as good as missing.
        if !any {
            values.push(RawBsonRef::Null);
        }
        let mut any_of = RawDocumentBuf::new();
        any_of.append(bson::raw::cstr!("$in"), values);
        let mut filter = RawDocumentBuf::new();
        filter.append(&*bson::raw::CString::try_from(foreign.as_str())?, any_of);
        let mut stage = RawDocumentBuf::new();
        stage.append(bson::raw::cstr!("$match"), filter);
        Pipeline::parse([&stage], &self.given)?.of_collection_in(context, &self.from)
    }
}

/// `$unionWith`: the documents of another collection after one's own.
#[derive(Debug, Clone)]
pub(super) struct Union {
    from: String,
    pipeline: Pipeline,
}

impl Union {
    pub(super) fn parse(spec: RawBsonRef<'_>, given: &Given) -> Result<Self, CommandError> {
        match spec {
            RawBsonRef::String(from) => Ok(Self { from: from.to_owned(), pipeline: Pipeline::parse(&[], given)? }),
            RawBsonRef::Document(spec) => {
                let Some(RawBsonRef::String(from)) = spec.get("coll")? else {
                    return Err(wrong("$unionWith needs the name of a collection: 'coll'"));
                };
                let stages = match spec.get("pipeline")? {
                    None => Vec::new(),
                    Some(RawBsonRef::Array(stages)) => stages_of(stages)?,
                    Some(_) => return Err(wrong("'pipeline' option must be specified as an array")),
                };
                Ok(Self { from: from.to_owned(), pipeline: Pipeline::parse(&stages, given)? })
            }
            _ => Err(wrong("the $unionWith stage specification must be an object or string")),
        }
    }

    pub(super) fn documents(&self, context: &Context<'_>) -> Result<Vec<RawDocumentBuf>, CommandError> {
        self.pipeline.of_collection_in(context, &self.from)
    }
}
