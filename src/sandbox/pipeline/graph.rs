use std::collections::{HashSet, VecDeque};

use bson::raw::{CString, cstr};
use bson::{Bson, Document, RawArrayBuf, RawBson, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use super::super::error::{Code, CommandError};
use super::super::expression::{Expression, Given};
use super::super::value::{Leaf, Path, whole_number};
use super::Pipeline;
use super::run::Context;
use super::unwind::put;

/// `$graphLookup`: the documents of a collection that can be reached from one, from value to value.
#[derive(Debug, Clone)]
pub(super) struct GraphLookup {
    from: String,
    into: Vec<String>,
    start: Expression,
    /// The field whose values lead on.
    leads_on: Path,
    /// The field that has them.
    reached_by: String,
    most: Option<i64>,
    depth: Option<String>,
    only: Option<RawDocumentBuf>,
    given: Given,
}

fn wrong(location: i32, message: impl Into<String>) -> CommandError {
    CommandError::new(Code::location(location), message)
}

impl GraphLookup {
    pub(super) fn parse(spec: &RawDocument, given: &Given) -> Result<Self, CommandError> {
        let known = [
            "from",
            "as",
            "startWith",
            "connectFromField",
            "connectToField",
            "maxDepth",
            "depthField",
            "restrictSearchWithMatch",
        ];
        if let Some((name, _)) = spec.iter().flatten().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(wrong(40104, format!("Unknown argument to $graphLookup: {name}")));
        }
        let missing = || {
            wrong(
                40105,
                "$graphLookup requires 'from', 'as', 'startWith', 'connectFromField', and 'connectToField' to be specified.",
            )
        };
        let text = |name: &str| match spec.get(name)? {
            Some(RawBsonRef::String(text)) => Ok(text.to_owned()),
            Some(_) => Err(wrong(40103, format!("$graphLookup argument '{name}' must be a string"))),
            None => Err(missing()),
        };
        let most = match spec.get("maxDepth")? {
            None => None,
            Some(value) => match Bson::try_from(value).ok().as_ref().and_then(whole_number).filter(|n| *n >= 0) {
                Some(n) => Some(n),
                None => return Err(wrong(40101, "maxDepth requires a nonnegative whole number")),
            },
        };
        let only = match spec.get("restrictSearchWithMatch")? {
            None => None,
            Some(RawBsonRef::Document(only)) => Some(only.to_owned()),
            Some(_) => return Err(wrong(40185, "restrictSearchWithMatch must be an object")),
        };
        let depth = spec.get("depthField")?.map(|_| text("depthField")).transpose()?;
        Ok(Self {
            from: text("from")?,
            into: text("as")?.split('.').map(str::to_owned).collect(),
            start: Expression::parse(spec.get("startWith")?.ok_or_else(missing)?, given)?,
            leads_on: Path::new(&text("connectFromField")?),
            reached_by: text("connectToField")?,
            most,
            depth,
            only,
            given: given.clone(),
        })
    }

    pub(super) fn apply(&self, context: &Context<'_>, document: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
        let mut seen_values = HashSet::new();
        let mut frontier: Vec<RawBson> = Vec::new();
        let mut lead = |value: RawBsonRef<'_>, into: &mut Vec<RawBson>| {
            if seen_values.insert(self.given.collation().key(value)) {
                into.push(value.into());
            }
        };
        match self.start.evaluate(document)? {
            Some(Bson::Array(values)) => {
                for value in values {
                    lead(RawBson::try_from(value)?.as_raw_bson_ref(), &mut frontier);
                }
            }
            value => lead(RawBson::try_from(value.unwrap_or(Bson::Null))?.as_raw_bson_ref(), &mut frontier),
        }
        let (mut seen, mut found, mut depth) = (HashSet::new(), VecDeque::new(), 0_i64);
        while !frontier.is_empty() && self.most.is_none_or(|most| depth <= most) {
            let mut next = Vec::new();
            for reached in self.reached(context, &frontier)? {
                let id = reached.get("_id")?.unwrap_or(RawBsonRef::Null);
                if !seen.insert(self.given.collation().key(id)) {
                    continue;
                }
                self.leads_on.any(&reached, Leaf::Elements, &mut |value| {
                    if let Some(value) = value.filter(|value| *value != RawBsonRef::Undefined) {
                        lead(value, &mut next);
                    }
                    false
                });
                context.hold(reached.as_bytes().len())?;
                let mut answered = Document::try_from(reached.as_ref())?;
                if let Some(name) = &self.depth {
                    let path: Vec<String> = name.split('.').map(str::to_owned).collect();
                    put(&mut answered, &path, Some(Bson::Int64(depth)));
                }
                found.push_back(Bson::Document(answered));
            }
            (frontier, depth) = (next, depth + 1);
        }
        let mut joined = Document::try_from(document)?;
        put(&mut joined, &self.into, Some(Bson::Array(found.into())));
        Ok(RawDocumentBuf::try_from(&joined)?)
    }

    /// The documents that have one of the values.
    fn reached(&self, context: &Context<'_>, values: &[RawBson]) -> Result<Vec<RawDocumentBuf>, CommandError> {
        let values: RawArrayBuf = values.iter().cloned().collect();
        let mut any_of = RawDocumentBuf::new();
        any_of.append(&*CString::try_from(self.reached_by.as_str())?, rawdoc! { "$in": values });
        let mut filters = RawArrayBuf::new();
        filters.push(any_of);
        self.only.iter().for_each(|only| filters.push(only.clone()));
        let mut stage = RawDocumentBuf::new();
        stage.append(cstr!("$match"), rawdoc! { "$and": filters });
        Pipeline::parse([&stage], &self.given)?.of_collection_in(context, &self.from)
    }
}
