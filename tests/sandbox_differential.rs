//! The sandbox and SecantusDB, an independent MongoDB-compatible server, are sent the same generated commands and must give
//! the same answers: documents with their types, counts, and the codes of errors.
//!
//! What is generated is in `generate`, what is not compared, and why, in `deviations`. A fixed seed makes every run the same;
//! `CONNECT_CONSOLE_TEST_DIFFERENTIAL=20000` runs so many cases of a seed of their own, `20000:7` those of seed 7. Without SecantusDB (`SECANTUSD`, or
//! `secantusd-py` on the path) the tests say that they were skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests, outside #[test] functions
#![cfg(feature = "console")]

#[path = "differential/deviations.rs"]
mod deviations;
#[path = "differential/expressions.rs"]
mod expressions;
#[path = "differential/generate.rs"]
mod generate;
#[path = "differential/judge.rs"]
mod judge;
#[path = "support/secantus.rs"]
mod secantus;
#[path = "differential/updates.rs"]
mod updates;
#[path = "differential/values.rs"]
mod values;

use generate::{Case, commands};
use proptest::strategy::Strategy;

/// So many cases of each sort where the environment does not say otherwise.
const CASES: u32 = 150;

fn agree(sort: &str, cases: impl Strategy<Value = Case>) {
    let Some(mut judge) = judge::Judge::start() else { return };
    judge.compare(sort, &cases, CASES);
}

#[test]
fn both_find_the_same_documents() {
    agree("find", commands(generate::reading()));
}

#[test]
fn both_change_documents_alike() {
    agree("update", commands(generate::writing()));
}

#[test]
fn both_compute_the_same_aggregations() {
    agree("aggregate", commands(generate::aggregating()));
}
