use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf};

use super::super::error::{Code, CommandError};
use super::super::expression::{Expression, Given};
use super::super::value::{Collation, whole_number};
use super::group::{Field, fields};

/// `$bucketAuto`: as many groups of about the same size as are wanted, in order.
#[derive(Debug, Clone)]
pub(super) struct BucketAuto {
    by: Expression,
    buckets: usize,
    fields: Vec<Field>,
    collation: Collation,
}

fn wrong(location: i32, message: impl Into<String>) -> CommandError {
    CommandError::new(Code::location(location), message)
}

impl BucketAuto {
    pub(super) fn parse(spec: &RawDocument, given: &Given) -> Result<Self, CommandError> {
        let known = ["groupBy", "buckets", "output", "granularity"];
        if let Some((name, _)) = spec.iter().flatten().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(wrong(40245, format!("Unrecognized option to $bucketAuto: {name}")));
        }
        let (Some(by), Some(buckets)) = (spec.get("groupBy")?, spec.get("buckets")?) else {
            return Err(wrong(40246, "$bucketAuto requires 'groupBy' and 'buckets' to be specified"));
        };
        let buckets = Bson::try_from(buckets).ok().as_ref().and_then(whole_number).and_then(|n| usize::try_from(n).ok());
        let buckets =
            buckets.filter(|n| *n > 0).ok_or_else(|| wrong(40243, "The $bucketAuto 'buckets' field must be greater than 0"))?;
        if spec.get("granularity")?.is_some() {
            return Err(CommandError::not_implemented("the granularity of $bucketAuto"));
        }
        let fields = match spec.get("output")? {
            Some(RawBsonRef::Document(output)) => fields(output, &[], given)?,
            Some(_) => return Err(wrong(40244, "The $bucketAuto 'output' field must be an object")),
            None => vec![Field::count()],
        };
        Ok(Self { by: Expression::parse(by, given)?, buckets, fields, collation: given.collation().clone() })
    }

    pub(super) fn apply(&self, documents: &[RawDocumentBuf]) -> Result<Vec<RawDocumentBuf>, CommandError> {
        let mut rows = Vec::new();
        for document in documents {
            rows.push((self.by.evaluate(document)?.unwrap_or(Bson::Null), document));
        }
        rows.sort_by(|(a, _), (b, _)| self.collation.compare_values(a, b));
        // Rounded, as MongoDB does; at least one document a bucket.
        let size = ((rows.len() + self.buckets / 2) / self.buckets).max(1);
        let mut groups: Vec<Vec<(Bson, &RawDocumentBuf)>> = Vec::new();
        for row in rows {
            let last = groups.len() == self.buckets;
            match groups.last_mut() {
                Some(group) if last || group.len() < size || self.same(group, &row.0) => group.push(row),
                _ => groups.push(vec![row]),
            }
        }
        let firsts: Vec<Bson> = groups.iter().filter_map(|group| group.first()).map(|(value, _)| value.clone()).collect();
        let mut out = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let greatest = group.last().map_or(Bson::Null, |(value, _)| value.clone());
            let min = firsts.get(index).cloned().unwrap_or(Bson::Null);
            let max = firsts.get(index + 1).cloned().unwrap_or(greatest);
            let mut whole = Document::new();
            whole.insert("_id", bson::doc! { "min": min, "max": max });
            for field in &self.fields {
                if let Some(value) = field.of(group.iter().map(|(_, document)| &***document), &self.collation)? {
                    whole.insert(field.name(), value);
                }
            }
            out.push(RawDocumentBuf::try_from(&whole)?);
        }
        Ok(out)
    }

    /// Equal values are never in two buckets.
    fn same(&self, group: &[(Bson, &RawDocumentBuf)], value: &Bson) -> bool {
        group.last().is_some_and(|(last, _)| self.collation.compare_values(last, value).is_eq())
    }
}
