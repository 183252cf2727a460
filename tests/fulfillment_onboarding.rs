//! The example extension, delivered by a local Connect to a runtime: three deliveries, a cache, a compensation.
#![cfg(feature = "console")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests, outside #[test] functions

#[path = "../examples/onboarding.rs"]
#[allow(dead_code, unreachable_pub)] // a program of its own, whose `main` is not called here
mod onboarding;
#[path = "support/until.rs"]
mod until;

use std::sync::Arc;
use std::time::Duration;

use connect_console::connect::{ClientBuilder, Rql};
use connect_console::observe::{Answer, Fact, Memory, StepKind, StepOutcome};
use connect_console::platform::{Platform, PlatformOptions};
use connect_console::runtime::{Limits, Runtime, RuntimeOptions};
use onboarding::{Books, Vendor, extension};
use serde_json::Value;
use tempfile::TempDir;
use until::until_seen;

const PURCHASE: &str = "asset_purchase_request_processing";

struct Session {
    platform: Platform,
    runtime: Runtime,
    vendor: Vendor,
    seen: Arc<Memory>,
    _dir: TempDir,
}

impl Session {
    async fn start(variables: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().unwrap();
        let seen = Arc::new(Memory::default());
        let options = PlatformOptions { dir: dir.path().join("connect"), ..PlatformOptions::default() };
        let platform = Platform::start(options, seen.clone()).await.unwrap();
        let cache = dir.path().join("cache");
        platform.set_variable("CACHE_DIR", cache.to_str().unwrap(), false).await.unwrap();
        for (name, value) in variables {
            platform.set_variable(name, value, false).await.unwrap();
        }
        let access = platform.access();
        let options = RuntimeOptions {
            api_key: access.api_key.clone(),
            environment_id: access.environment_id.clone(),
            instance_id: "test".into(),
            server_address: access.server_address.clone(),
            api_address: access.api_address.clone(),
            unsecure: true,
            outbox: dir.path().join("outbox"),
            limits: Limits::default(),
        };
        let vendor = Vendor::default();
        let runtime = Runtime::start(options, extension(vendor.clone()), seen.clone()).unwrap();
        Self { platform, runtime, vendor, seen, _dir: dir }
    }

    /// A purchase, delivered as often as it asks for, without waiting for its pauses.
    async fn purchase(&self) -> (Value, Vec<Answer>) {
        let before = self.answers().len();
        let queued = self.platform.trigger(PURCHASE, None, &[]).await.unwrap();
        let over = || {
            let _ = self.platform.release(&queued.task_id); // once it waits
            self.answers().get(before..)?.last().filter(|answer| answer.countdown == 0).map(|_| ())
        };
        until_seen(&self.seen, Duration::from_secs(20), "the end of the purchase", over).await;
        (self.platform.object("requests", &queued.object_id).unwrap(), self.answers().split_off(before))
    }

    fn answers(&self) -> Vec<Answer> {
        let answer = |fact| if let Fact::Answered(answer) = fact { Some(answer) } else { None };
        self.seen.seen().into_iter().filter_map(|o| answer(o.fact)).collect()
    }

    /// The steps of these kinds, in the order they began.
    fn steps(&self, kinds: &[StepKind]) -> Vec<String> {
        let name = |fact| match fact {
            Fact::StepStarted { step_kind, name, .. } if kinds.contains(&step_kind) => Some(name),
            _ => None,
        };
        self.seen.seen().into_iter().filter_map(|o| name(o.fact)).collect()
    }

    async fn stop(self) -> Books {
        self.runtime.stop().await;
        self.platform.stop().await;
        self.vendor.books()
    }
}

fn results(answers: &[Answer]) -> Vec<(&str, u64)> {
    answers.iter().map(|answer| (answer.result.as_str(), answer.countdown)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_carried_out_in_three_deliveries_and_the_token_is_asked_for_once() {
    let session = Session::start(&[]).await;
    for purchase in 1..=2 {
        let (request, answers) = session.purchase().await;
        assert_eq!(results(&answers), [("reschedule", 30), ("reschedule", 30), ("success", 0)], "{answers:?}");
        assert_eq!((&request["status"], &request["template"]["id"]), (&"approved".into(), &"TL-276-377-545".into()));
        assert_eq!(session.vendor.books().users.len(), purchase);
    }
    let executed = session.steps(&[StepKind::Execute]);
    assert_eq!(executed[..5], ["create tenant", "create user", "take seats", "make the user", "approve"]);
    let asked = session.steps(&[StepKind::Decision]);
    assert_eq!(asked[..6], ["create tenant", "create tenant", "create user", "create tenant", "create user", "approve"]);

    let access = session.platform.access();
    let api = format!("http://{}/public/v1", access.api_address);
    let client = ClientBuilder::new(api, access.api_key.clone()).build().unwrap();
    let approved = client.requests().filter(Rql::eq("status", "approved").and(Rql::ilike("asset.product.name", "fern *")));
    assert_eq!(approved.count().await.unwrap(), 2);
    assert_eq!(client.requests().filter(Rql::eq("note", "it's (so) \"odd, or not").or(Rql::null("id"))).all().await.ok(), None);
    assert_eq!(client.requests().filter(Rql::eq("note", "odd, (or) not &x=1")).all().await.unwrap(), [Value::Null; 0]);

    let books = session.stop().await;
    assert_eq!((books.logins, books.tenants.len(), books.seats.len()), (1, 2, 2), "{books:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_user_cannot_be_made_the_seats_are_given_back_and_the_request_fails_with_the_reason() {
    let session = Session::start(&[("ADMIN_BLOCKED", "alex.placeholder@customer.example.org")]).await;
    let (request, answers) = session.purchase().await;
    assert_eq!(results(&answers), [("reschedule", 30), ("fail", 0)]);
    let why = "the step `make the user` failed: the vendor has blocked alex.placeholder@customer.example.org";
    assert_eq!((&request["status"], &request["reason"]), (&"failed".into(), &why.into()));
    assert_eq!(session.steps(&[StepKind::Compensate]), ["take seats", "create user"]);
    let ended = |outcome| {
        session.seen.seen().iter().filter(|o| matches!(&o.fact, Fact::StepEnded { outcome: o, .. } if *o == outcome)).count()
    };
    assert!(ended(StepOutcome::Failed) >= 2);
    let books = session.stop().await;
    assert_eq!((books.seats, books.users), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_of_more_seats_than_are_left_fails_and_takes_none() {
    let session = Session::start(&[("SEATS", "5")]).await;
    let (request, answers) = session.purchase().await;
    assert_eq!(results(&answers), [("reschedule", 30), ("fail", 0)]);
    assert_eq!(request["reason"], "the step `take seats` failed: 10 seats are wanted and 5 are left");
    assert_eq!(session.stop().await.seats, []);
}
