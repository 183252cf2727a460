//! A query plan in sentences.

use bson::{Bson, Document};

use super::super::{StoreQuery, StoreReply, WorkbenchError};
use super::target::Target;
use super::{failed, read};
use crate::storage::query::canonical;

pub(super) async fn explain(target: &Target, typed: &StoreQuery) -> Result<StoreReply, WorkbenchError> {
    if !typed.pipeline.trim().is_empty() {
        return Err(WorkbenchError::Usage("a pipeline is explained by its preview; only a filter and a sort have a plan".into()));
    }
    let find = crate::storage::Find { limit: (typed.limit > 0).then_some(typed.limit), ..read::query(typed)? };
    let plan = target.store.explain(&target.at, &find).await.map_err(|e| failed(&e))?;
    Ok(StoreReply::Explained { words: words(&plan, &find.filter), plan: canonical(&plan) })
}

fn document<'a>(of: &'a Document, path: &[&str]) -> Option<&'a Document> {
    path.iter().try_fold(of, |of, name| of.get_document(name).ok())
}

fn number(of: &Document, name: &str) -> Option<u64> {
    match of.get(name)? {
        Bson::Int32(n) => u64::try_from(*n).ok(),
        Bson::Int64(n) => u64::try_from(*n).ok(),
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts and milliseconds
        Bson::Double(n) if *n >= 0.0 => Some(*n as u64),
        _ => None,
    }
}

/// The stages from the outermost to the one that reads.
fn stages(plan: &Document) -> Vec<&Document> {
    let mut all = Vec::new();
    let mut next = Some(plan);
    while let Some(stage) = next {
        all.push(stage);
        let inputs = || stage.get_array("inputStages").ok()?.first()?.as_document();
        next = stage.get_document("inputStage").ok().or_else(|| stage.get_document("queryPlan").ok()).or_else(inputs);
    }
    all
}

fn words(explained: &Document, filter: &Document) -> Vec<String> {
    let planner = document(explained, &["queryPlanner"]).unwrap_or(explained);
    let empty = Document::new();
    let winning = document(planner, &["winningPlan"]).unwrap_or(&empty);
    let stages = stages(winning);
    let name = |stage: &Document| stage.get_str("stage").unwrap_or_default().to_owned();
    let has = |wanted: &str| stages.iter().any(|s| name(s).starts_with(wanted));
    let mut words = Vec::new();
    if let Some(scan) =
        stages.iter().find(|s| ["IXSCAN", "EXPRESS_IXSCAN", "COUNT_SCAN", "DISTINCT_SCAN"].contains(&name(s).as_str()))
    {
        let keys = scan.get_document("keyPattern").map(ToString::to_string).unwrap_or_default();
        words.push(format!("It uses the index {} {keys}.", scan.get_str("indexName").unwrap_or("of its keys")));
    } else if has("IDHACK") || has("EXPRESS_IDHACK") || has("CLUSTERED_IXSCAN") {
        words.push("It looks the document up by its _id.".into());
    } else if has("EOF") {
        words.push("There is no such collection, so there is nothing to look at.".into());
    } else if has("COLLSCAN") {
        words.push("It looks at every document of the collection: no index fits.".into());
        let fields: Vec<&str> = filter.keys().filter(|name| !name.starts_with('$')).map(String::as_str).collect();
        if let Some(first) = fields.first() {
            let keys = fields.iter().map(|f| format!("'{f}': 1")).collect::<Vec<_>>().join(", ");
            words.push(format!("An index on {{{keys}}}, or on {first} alone, would let it look at fewer."));
        }
    } else if let Some(first) = stages.first() {
        words.push(format!("Its plan begins with {}.", name(first)));
    }
    if has("SORT") {
        words.push("It sorts what it found in memory: no index has that order.".into());
    }
    if has("PROJECTION_COVERED") {
        words.push("The index has all that was asked for: no document is read.".into());
    }
    if let Some(run) = document(explained, &["executionStats"]) {
        let of = |name: &str| number(run, name);
        if let (Some(found), Some(looked)) = (of("nReturned"), of("totalDocsExamined")) {
            let keys = of("totalKeysExamined").map(|n| format!(", {n} keys of the index")).unwrap_or_default();
            words.push(format!("It read {looked} documents{keys} to find {found}."));
        }
        if let Some(millis) = of("executionTimeMillis") {
            words.push(format!("The server took {millis} ms."));
        }
    } else {
        words.push("This server tells its plan, and not what carrying it out costs.".into());
    }
    words
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn a_scan_is_said_to_be_one_with_the_index_that_would_help() {
        let plan = doc! {
            "queryPlanner": {"winningPlan": {"stage": "SORT", "inputStage": {"stage": "COLLSCAN"}}},
            "executionStats": {"nReturned": 2, "totalDocsExamined": 1000_i64, "totalKeysExamined": 0, "executionTimeMillis": 12},
        };
        let words = words(&plan, &doc! {"status": "x"}).join(" ");
        assert!(words.contains("every document") && words.contains("{'status': 1}") && words.contains("sorts"), "{words}");
        assert!(words.contains("1000 documents, 0 keys of the index to find 2") && words.contains("12 ms"), "{words}");
    }

    #[test]
    fn an_index_is_named() {
        let scan = doc! {"stage": "IXSCAN", "indexName": "by_n", "keyPattern": {"n": 1}};
        let plan = doc! {"queryPlanner": {"winningPlan": {"stage": "FETCH", "inputStage": scan}}};
        assert!(words(&plan, &doc! {}).join(" ").contains("the index by_n"));
    }
}
