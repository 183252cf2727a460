//! What of an answer is compared, and which differences are SecantusDB's.
//!
//! Each of those is a function that is as narrow as it can be: what was asked, of which documents, and what exactly is different.
//! Where it can, it asks one of the two servers something else, which shows whose fault it is.

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};

use super::values::{Alike, batch, is_large, operands, strictly_the_same};

/// What of an answer must be equal.
pub(crate) fn comparable(command: &Document, answer: &Document) -> Document {
    let refused = answer.get("code").filter(|_| command.contains_key("update") || command.contains_key("delete"));
    // An operation of a batch that fails is an entry of the answer; SecantusDB fails the whole command for some.
    if let Some(code) = refused {
        return doc! { "writeErrors": [code.clone()] };
    }
    if let Ok(errors) = answer.get_array("writeErrors") {
        let codes = errors.iter().filter_map(Bson::as_document).map(|error| error.get("code").cloned().unwrap_or(Bson::Null));
        return doc! { "writeErrors": codes.collect::<Vec<_>>() };
    }
    let mut kept: Vec<(String, Bson)> = Vec::new();
    for (name, value) in answer {
        let value = match name.as_str() {
            // Each says it in its own words; only a member of a replica set has times.
            "errmsg" | "$clusterTime" | "operationTime" | "electionId" => continue,
            "cursor" => {
                let batch =
                    value.as_document().and_then(|cursor| cursor.get_array("firstBatch").ok()).cloned().unwrap_or_default();
                let batch =
                    if joins_by_a_field(command) { batch.into_iter().map(without_order_of_found).collect() } else { batch };
                if is_unordered(command) { sorted(batch) } else { batch.into() }
            }
            "values" => sorted(value.as_array().cloned().unwrap_or_default()),
            _ => value.clone(),
        };
        kept.push((name.clone(), without_made_ids(value)));
    }
    kept.sort_by(|(a, _), (b, _)| a.cmp(b));
    kept.into_iter().collect()
}

fn sorted(mut values: Vec<Bson>) -> Bson {
    values.sort_by_key(|value| format!("{value:?}"));
    values.into()
}

/// Whether nobody promises an order.
fn is_unordered(command: &Document) -> bool {
    command.get_array("pipeline").into_iter().flatten().filter_map(Bson::as_document).any(groups)
}

/// Whether a stage makes groups.
fn groups(stage: &Document) -> bool {
    stage.keys().next().is_some_and(|name| ["$group", "$sortByCount", "$bucket"].contains(&name.as_str()))
}

/// Whether documents are found for which nobody promises an order.
fn joins_by_a_field(command: &Document) -> bool {
    operands(command, "$lookup").iter().any(|(_, how)| how.as_document().is_some_and(|how| how.contains_key("localField")))
}

fn without_order_of_found(value: Bson) -> Bson {
    match value {
        Bson::Document(document) => {
            let within = |(name, value): (String, Bson)| {
                let value = without_order_of_found(value);
                let found = if name == "found" { value.as_array().cloned() } else { None };
                (name, found.map_or(value, sorted))
            };
            document.into_iter().map(within).collect::<Document>().into()
        }
        Bson::Array(values) => values.into_iter().map(without_order_of_found).collect::<Vec<_>>().into(),
        other => other,
    }
}

/// Ids that a server made are different each time.
fn without_made_ids(value: Bson) -> Bson {
    match value {
        Bson::ObjectId(id) if ![[1; 12], [2; 12]].map(ObjectId::from_bytes).contains(&id) => "made".into(),
        Bson::Array(values) => values.into_iter().map(without_made_ids).collect::<Vec<_>>().into(),
        Bson::Document(document) => {
            document.into_iter().map(|(name, value)| (name, without_made_ids(value))).collect::<Document>().into()
        }
        other => other,
    }
}

/// A difference between two answers, and where more can be asked.
pub(crate) struct Difference<'a> {
    /// The command that began the case.
    pub(crate) inserted: &'a Document,
    /// That and what came after it.
    pub(crate) before: &'a [Document],
    pub(crate) command: &'a Document,
    pub(crate) ours: &'a Document,
    pub(crate) theirs: &'a Document,
    /// Asks the sandbox, or SecantusDB.
    pub(crate) ask: &'a dyn Fn(Server, Document) -> Document,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Server {
    Ours,
    Theirs,
}

type Deviation = (&'static str, fn(&Difference<'_>) -> bool);

/// Differences that are no fault of the sandbox, by their names. What comes after one in the same case is not compared.
const DEVIATIONS: [Deviation; 26] = [
    ("both refuse it", |d| d.both_refuse()),
    ("index of arrays in arrays", |d| d.takes_an_array_in_an_array_for_its_elements()),
    // Only documents can be merged, which it takes an empty array for.
    ("$mergeObjects of an empty array", |d| d.we_say("$mergeObjects requires object inputs, but input is of type array")),
    // A field cannot be taken from the filter of an upsert together with a path below it.
    ("upsert of a field and below it", |d| d.we_say("cannot infer query fields to set")),
    ("expression nobody needs", |d| d.computes_what_is_not_needed()),
    ("operand behind a null", |d| d.computes_what_stands_behind_a_null()),
    ("$all of an empty array", |d| wants_all_of_an_empty_array(&Bson::Document(d.command.clone()))),
    // Numbers within documents are equal across their types, too; its `$lookup` tells decimals there from others.
    ("decimals in $lookup", |d| d.asks("$lookup") && format!("{:?}", d.ours).contains("Decimal128")),
    ("keys of groups", |d| d.takes_keys_for_one_or_makes_two_of_one()),
    ("values of distinct", |d| d.takes_values_for_one_or_lists_them_twice()),
    ("$mod of what is large", |d| d.has_a_remainder_of_what_is_large()),
    ("sort by what elements lack", |d| d.passes_elements_over_that_lack_what_it_sorts_by()),
    ("null for missing", |d| d.makes_null_of_what_is_missing()),
    ("truth of what is missing", |d| d.contradicts_its_own_filter()),
    ("documents an index hides", |d| d.finds_more_without_an_index()),
    // What is constant it computes beforehand, and fails where no document would have come to it.
    ("constants beforehand", |d| d.they_say("Failed to optimize pipeline")),
    ("zeros of a decimal", |d| d.has_other_zeros_behind_a_decimal()),
    ("last digit of a deviation", |d| d.has_other_last_digits()),
    ("internal error", |d| d.has_an_internal_error()),
    // `_id` cannot be an array, also where an upsert would take it from the filter.
    ("an array as _id", |d| d.we_say("'_id' value cannot be of type array")),
    // To go through an array that is not there, or is none, is an error; SecantusDB does nothing.
    ("$[] of nothing", |d| d.we_say("must exist in the document in order to apply array updates")),
    ("$[] of no array", |d| d.we_say("Cannot apply array updates to non-array element")),
    // Of a null array `$arrayElemAt` is null, whatever the index.
    ("$arrayElemAt of null", |d| d.they_say("$arrayElemAt's second argument")),
    // An array is true, whatever is in it. It looks inside.
    ("$not of an array", |d| operands(d.command, "$not").iter().any(|(_, not)| is_an_array_alone(not))),
    // An array of one date is no date. It takes it out.
    ("a date in an array", |d| d.we_say("can't convert from BSON type array to Date")),
    ("$elemMatch of arrays", |d| d.looks_into_elements_that_are_arrays()),
];

/// The name of what a difference is known for.
pub(crate) fn known(difference: &Difference<'_>) -> Option<&'static str> {
    DEVIATIONS.iter().find(|(_, is)| is(difference)).map(|(name, _)| *name)
}

fn refused(answer: &Document) -> bool {
    answer.contains_key("code") || answer.contains_key("writeErrors")
}

/// The code of an error, of the command or of its first operation.
fn code(answer: &Document) -> Option<&Bson> {
    let first = || answer.get_array("writeErrors").ok()?.first()?.as_document()?.get("code");
    answer.get("code").or_else(first)
}

impl Difference<'_> {
    fn we_say(&self, words: &str) -> bool {
        format!("{}", self.ours).contains(words)
    }

    fn they_say(&self, words: &str) -> bool {
        format!("{}", self.theirs).contains(words)
    }

    fn asks(&self, operator: &str) -> bool {
        !operands(self.command, operator).is_empty()
    }

    /// They alone refuse it.
    fn they_refuse(&self) -> bool {
        refused(self.theirs) && !refused(self.ours)
    }

    /// What a server makes of its documents as they are before this stage of the command's pipeline.
    fn aggregated(&self, server: Server, stages: usize, last: Document) -> Document {
        let collection = self.command.values().next().cloned().unwrap_or_default();
        let before = self.command.get_array("pipeline").into_iter().flatten().take(stages).cloned();
        let pipeline: Vec<Bson> = before.chain([last.into()]).collect();
        (self.ask)(server, doc! { "aggregate": collection, "pipeline": pipeline, "cursor": {} })
    }

    /// Where several things are wrong each names one; SecantusDB has codes of its own for some.
    fn both_refuse(&self) -> bool {
        refused(self.ours) && refused(self.theirs)
    }

    /// An index has the elements of an array, an empty one as undefined, and an array within an array as that; it takes `[[2]]` and
    /// `[2]` for equal, and `[[]]` and `[]`.
    fn takes_an_array_in_an_array_for_its_elements(&self) -> bool {
        let inner =
            |value: &Bson| value.as_array().is_some_and(|all| all.is_empty() || all.iter().any(|one| one.as_array().is_some()));
        let mut written = self.before.iter().chain([self.command]).flat_map(|command| operands(command, "c"));
        self.they_refuse() && self.they_say("dup key: { c: [") && written.any(|(_, value)| inner(value))
    }

    /// It computes an expression of a filter also for documents that do not fit otherwise, or come after the first that does: the
    /// same expression alone fails here as well, over all documents.
    fn computes_what_is_not_needed(&self) -> bool {
        let alone = |expression: &Bson| self.aggregated(Server::Ours, 0, doc! { "$project": { "v": expression } });
        let same = |expression: &Bson| code(&alone(expression)).is_some_and(|ours| Some(ours) == code(self.theirs));
        self.they_refuse() && operands(self.command, "$expr").into_iter().any(|(_, expression)| same(expression))
    }

    /// These are null at the first null, and do not look at what follows: that alone fails here, too.
    fn computes_what_stands_behind_a_null(&self) -> bool {
        let is_behind_a_null = |operator: &str, stage: usize, operands: &[Bson]| {
            (1..operands.len()).any(|at| {
                let is_null = doc! { "$in": [{ "$type": &operands[at - 1] }, ["missing", "null", "undefined"]] };
                let nulls = self.aggregated(Server::Ours, stage, doc! { "$match": { "$expr": is_null } });
                let rest =
                    self.aggregated(Server::Ours, stage, doc! { "$project": { "v": { operator: operands[at..].to_vec() } } });
                !batch(&nulls).is_empty() && code(&rest).is_some_and(|ours| Some(ours) == code(self.theirs))
            })
        };
        let all = ["$add", "$multiply", "$concat"].map(|operator| (operator, operands(self.command, operator)));
        self.they_refuse()
            && all.iter().any(|(operator, found)| {
                found.iter().any(|(stage, operands)| {
                    operands.as_array().is_some_and(|operands| is_behind_a_null(operator, *stage, operands))
                })
            })
    }

    /// Values of different types are different (the manual, "Comparison/Sort Order"): as the key of a group it takes `{}` for `[]`,
    /// and within one `true` for 1. And what is missing is null as a key; it makes two groups of them.
    fn takes_keys_for_one_or_makes_two_of_one(&self) -> bool {
        let stages = self.command.get_array("pipeline").into_iter().flatten().filter_map(Bson::as_document).enumerate();
        let keys = |server, at, stage: &Document| -> Vec<Bson> {
            let groups = self.aggregated(server, at, stage.clone());
            batch(&groups).into_iter().map(|group| group.get("_id").cloned().unwrap_or(Bson::Null)).collect()
        };
        stages.filter(|(_, stage)| groups(stage)).any(|(at, stage)| {
            let (ours, theirs) = (keys(Server::Ours, at, stage), keys(Server::Theirs, at, stage));
            let joins = ours.len() > theirs.len() && Alike::LOOSELY.pair(&ours);
            !strictly_the_same(&ours) && (joins || strictly_the_same(&theirs))
        })
    }

    /// The same of the values of `distinct`, where it also tells equal numbers from each other.
    fn takes_values_for_one_or_lists_them_twice(&self) -> bool {
        let values = |answer: &Document| answer.get_array("values").cloned().unwrap_or_default();
        let (ours, theirs) = (values(self.ours), values(self.theirs));
        strictly_the_same(&theirs) || (ours.len() > theirs.len() && Alike::LOOSELY.pair(&ours) && !strictly_the_same(&ours))
    }

    /// What is too large for a double has a remainder all the same, and what is too large for 64 bits none; it computes with doubles.
    fn has_a_remainder_of_what_is_large(&self) -> bool {
        self.asks("$mod") && self.before.iter().chain([self.command]).any(|asked| is_large(&Bson::Document(asked.clone())))
    }

    /// An element of an array that lacks the field is null there (the manual, "Sort by an array"); it passes it over.
    fn passes_elements_over_that_lack_what_it_sorts_by(&self) -> bool {
        let lacks = |values: &[Bson], field: &str| {
            values.iter().any(|element| element.as_document().is_none_or(|element| !element.contains_key(field)))
        };
        let was_written = |path: &String| {
            path.split_once('.').is_some_and(|(array, field)| {
                let written = self.before.iter().flat_map(|command| operands(command, array));
                written.into_iter().any(|(_, value)| value.as_array().is_some_and(|values| lacks(values, field)))
            })
        };
        let stages = self.command.get_array("pipeline").into_iter().flatten().filter_map(Bson::as_document);
        let sorts = stages.filter_map(|stage| stage.get_document("$sort").ok()).chain(self.command.get_document("sort"));
        let mut sorts = sorts.flat_map(Document::keys);
        let whole = [self.ours, self.theirs].map(|answer| sorted(batch(answer).into_iter().cloned().map(Bson::from).collect()));
        let is_cut = ["skip", "limit"].iter().any(|cut| self.command.get_i32(cut).is_ok_and(|n| n > 0))
            || !operands(self.command, "$skip").is_empty()
            || !operands(self.command, "$limit").is_empty()
            || self.command.contains_key("findAndModify");
        (is_cut || whole[0] == whole[1]) && sorts.any(was_written)
    }

    /// What is missing stays missing in a variable of `$let` and as what `$switch` answers, and `$first` and `$last` of an empty
    /// array are missing; it makes them null.
    fn makes_null_of_what_is_missing(&self) -> bool {
        let without = |answer: &Document| -> Vec<String> {
            let there = |document: &Document| -> Document {
                document
                    .iter()
                    .filter(|(_, value)| **value != Bson::Null)
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect()
            };
            batch(answer)
                .into_iter()
                .map(|document| format!("{:?}", there(document)).replace("\"missing\"", "\"null\""))
                .collect()
        };
        ["$let", "$switch", "$first", "$last"].iter().any(|operator| self.asks(operator))
            && without(self.ours) == without(self.theirs)
    }

    /// Its filter finds other documents than those of which it says itself that the filter's expression is true.
    fn contradicts_its_own_filter(&self) -> bool {
        let true_of = |server, expression: &Bson| {
            let yes = self.aggregated(server, 0, doc! { "$project": { "yes": { "$cond": [expression, true, false] } } });
            (code(&yes).cloned(), batch(&yes).into_iter().cloned().collect::<Vec<_>>())
        };
        let own = |expression: &Bson| -> bool {
            let (theirs, ours) = (true_of(Server::Theirs, expression), true_of(Server::Ours, expression));
            let alone = (self.ask)(
                Server::Theirs,
                doc! {
                    "find": self.command.values().next().cloned().unwrap_or_default(), "filter": { "$expr": expression },
                },
            );
            let found: Vec<&Bson> = batch(&alone).into_iter().filter_map(|document| document.get("_id")).collect();
            let yes = theirs.1.iter().filter(|document| document.get_bool("yes").is_ok_and(|yes| yes));
            theirs == ours && found != yes.filter_map(|document| document.get("_id")).collect::<Vec<_>>()
        };
        operands(self.command, "$expr").into_iter().any(|(_, expression)| own(expression))
    }

    /// Through an index it does not find documents it finds itself where it cannot use one: `{ b: [""] }` by `{ b: { $lt: "a" } }`
    /// with a descending index.
    fn finds_more_without_an_index(&self) -> bool {
        let ids = |answer: &Document| -> Vec<Bson> { batch(answer).into_iter().filter_map(|d| d.get("_id").cloned()).collect() };
        let filters = ["filter", "query", "q"].map(|name| operands(self.command, name));
        filters.into_iter().flatten().any(|(_, filter)| {
            let collection = self.command.values().next().cloned().unwrap_or_default();
            let through = (self.ask)(Server::Theirs, doc! { "find": &collection, "filter": filter, "sort": { "_id": 1 } });
            let stages = [doc! { "$sort": { "_id": 1 } }, doc! { "$limit": 1_000 }, doc! { "$match": filter }];
            let whole = doc! { "aggregate": collection, "pipeline": stages.to_vec(), "cursor": {} };
            let without = (self.ask)(Server::Theirs, whole);
            !refused(&through) && !refused(&without) && ids(&through).len() < ids(&without).len()
        })
    }

    /// An error of its own, maybe only to be seen where the command ends with the stage that has it.
    fn has_an_internal_error(&self) -> bool {
        let says = |answer: &Document| format!("{answer}").contains("internal server error");
        let mut stages = self.command.get_array("pipeline").into_iter().flatten().filter_map(Bson::as_document).enumerate();
        says(self.theirs) || stages.any(|(at, stage)| says(&self.aggregated(Server::Theirs, at, stage.clone())))
    }

    /// A whole double in a sum of decimals is a decimal without a point (`Decimal128` of a double, in the server); it has one zero
    /// behind it.
    fn has_other_zeros_behind_a_decimal(&self) -> bool {
        let both = [self.ours, self.theirs].map(|answer| {
            let all = batch(answer).into_iter().map(|document| without_zeros_behind_decimals(document.clone().into()));
            format!("{:?}", all.collect::<Vec<_>>())
        });
        (self.asks("$avg") || self.asks("$sum")) && both[0] == both[1]
    }

    /// The last digit of a deviation, which depends on the order of the sums.
    fn has_other_last_digits(&self) -> bool {
        let short = |answer: &Document| -> Vec<Bson> {
            let mut all: Vec<Bson> =
                batch(answer).into_iter().map(|document| Alike::SHORT.of(&document.clone().into())).collect();
            all.sort_by_key(|value| format!("{value:?}"));
            all
        };
        self.asks("$stdDevPop") && short(self.ours) == short(self.theirs)
    }

    /// `$elemMatch` looks at the elements of one array; it looks at those of an element that is an array, too.
    fn looks_into_elements_that_are_arrays(&self) -> bool {
        let nested = |value: &Bson| value.as_array().is_some_and(|all| all.iter().any(|one| one.as_array().is_some()));
        let documents = self.inserted.get_array("documents").into_iter().flatten().filter_map(Bson::as_document);
        let found: Vec<&Document> = documents.filter(|document| document.values().any(nested)).collect();
        self.asks("$elemMatch") && !found.is_empty() && {
            let ids = |answer| -> Vec<&Document> { batch(answer) };
            let (ours, theirs) = (ids(self.ours), ids(self.theirs));
            let id = |document: &Document| document.get("_id").cloned();
            let only = ours.iter().filter(|one| !theirs.contains(one)).chain(theirs.iter().filter(|one| !ours.contains(one)));
            let only: Vec<_> = only.collect();
            !only.is_empty() && only.iter().all(|one| found.iter().any(|nested| id(nested) == id(one)))
        }
    }
}

fn without_zeros_behind_decimals(value: Bson) -> Bson {
    match value {
        Bson::Decimal128(number) => {
            let text = number.to_string();
            let short =
                if text.contains('.') && !text.contains('E') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
            format!("decimal {short}").into()
        }
        Bson::Array(values) => values.into_iter().map(without_zeros_behind_decimals).collect::<Vec<_>>().into(),
        Bson::Document(document) => {
            document.into_iter().map(|(name, value)| (name, without_zeros_behind_decimals(value))).collect::<Document>().into()
        }
        other => other,
    }
}

/// Whether the one operand is an array that is written down.
fn is_an_array_alone(operands: &Bson) -> bool {
    matches!(operands, Bson::Array(operands) if matches!(operands[..], [Bson::Array(_)]))
}

/// `{$all: [[]]}` is `{$eq: []}`, which an empty array is too; it wants the empty array for an element.
fn wants_all_of_an_empty_array(asked: &Bson) -> bool {
    let is_empty = |value: &Bson| matches!(value, Bson::Array(values) if values.is_empty());
    match asked {
        Bson::Document(asked) => asked.iter().any(|(name, value)| {
            let all = value.as_array().filter(|_| name == "$all");
            all.is_some_and(|all| all.iter().any(is_empty)) || wants_all_of_an_empty_array(value)
        }),
        Bson::Array(values) => values.iter().any(wants_all_of_an_empty_array),
        _ => false,
    }
}

/// Whether what an update did to the documents before the one that failed is still to be seen: it stays (the manual,
/// "behaviors of update operations": nothing but the write to one document is atomic). SecantusDB takes it back.
pub(crate) fn failed_on_its_way(command: &Document, ours: &Document) -> bool {
    let several = command.get_array("updates").into_iter().flatten().filter_map(Bson::as_document);
    ours.contains_key("writeErrors") && several.into_iter().any(|update| update.get_bool("multi").unwrap_or(false))
}
