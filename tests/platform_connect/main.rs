//! The local Connect over real sockets: what a runner and an extension meet.
// Helpers outside of test functions: a test that can't go on has failed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod devops;
mod foreign;
mod further;
mod hub;
mod lives;
mod memory;
mod redelivery;
mod rest;
mod support;
#[path = "../support/until.rs"]
mod until;
