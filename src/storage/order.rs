//! Going through a collection in the order of `_id`, page by page, without passing over what was seen already.
//!
//! `$gt` compares within one type only, so where the ids of one type end, those of the later types must be asked for by
//! name: MongoDB's order of types is fixed.

use bson::{Bson, Document, doc};

/// The types an `_id` can have, in MongoDB's order, by the names `$type` knows them under.
const ORDER: [&[&str]; 12] = [
    &["minKey"],
    &["null"],
    &["number"],
    &["string", "symbol"],
    &["object"],
    &["binData"],
    &["objectId"],
    &["bool"],
    &["date"],
    &["timestamp"],
    &["regex", "javascript"],
    &["maxKey"],
];

fn rank(id: &Bson) -> usize {
    match id {
        Bson::MinKey => 0,
        Bson::Null | Bson::Undefined => 1,
        Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Decimal128(_) => 2,
        Bson::String(_) | Bson::Symbol(_) => 3,
        Bson::Document(_) | Bson::Array(_) => 4,
        Bson::Binary(_) => 5,
        Bson::ObjectId(_) => 6,
        Bson::Boolean(_) => 7,
        Bson::DateTime(_) => 8,
        Bson::Timestamp(_) => 9,
        Bson::RegularExpression(_) | Bson::JavaScriptCode(_) | Bson::JavaScriptCodeWithScope(_) | Bson::DbPointer(_) => 10,
        Bson::MaxKey => 11,
    }
}

/// Where a walk through a collection stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Place {
    /// Before the first.
    #[default]
    Start,
    /// Behind this one, within its type.
    After(Bson),
    /// Behind all of this one's type.
    Beyond(Bson),
    /// Behind the last.
    End,
}

impl Place {
    /// The filter for what comes next; `None` at the end.
    pub(super) fn filter(&self, filter: &Document) -> Option<Document> {
        let further = match self {
            Self::Start => return Some(filter.clone()),
            Self::End => return None,
            Self::After(id) => doc! {"_id": {"$gt": id.clone()}},
            Self::Beyond(id) => {
                let later: Vec<&str> = ORDER.iter().skip(rank(id) + 1).flat_map(|names| names.iter().copied()).collect();
                if later.is_empty() {
                    return None;
                }
                doc! {"_id": {"$type": later}}
            }
        };
        Some(if filter.is_empty() {
            further
        } else {
            doc! {"$and": [filter.clone(), further]}
        })
    }

    /// Where it stands after a page of at most `wanted` documents, of which this was the last.
    pub(super) fn after(self, last: Option<Bson>, got: u64, wanted: u64) -> Self {
        match (self, last) {
            (_, Some(last)) if got >= wanted => Self::After(last),
            // The whole collection was asked for and came to an end.
            (Self::Start, _) => Self::End,
            (Self::After(_), Some(last)) => Self::Beyond(last),
            (Self::After(id), None) => Self::Beyond(id),
            // All later types were asked for at once.
            (Self::Beyond(_) | Self::End, _) => Self::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_one_type_are_followed_by_those_of_the_later_ones() {
        let place = Place::Start.after(Some(Bson::Int32(5)), 10, 10);
        assert_eq!(place.filter(&doc! {"a": 1}), Some(doc! {"$and": [{"a": 1}, {"_id": {"$gt": 5}}]}));
        let beyond = place.after(Some(Bson::Int32(7)), 2, 10);
        let filter = beyond.filter(&doc! {}).unwrap();
        let types = filter.get_document("_id").unwrap().get_array("$type").unwrap();
        assert!(types.contains(&"objectId".into()) && !types.contains(&"number".into()));
        assert_eq!(beyond.after(None, 0, 10), Place::End);
        assert_eq!(Place::Beyond(Bson::MaxKey).filter(&doc! {}), None);
    }
}
