use async_trait::async_trait;
use rstest::rstest;
use serde_json::Value;

use super::*;
use crate::extension::HandlerError;
use crate::inject;

fn of(kind: &str, params: Value, listed: Value) -> Request {
    let own = params["own"].clone();
    json!({"id": "PR-1", "type": kind, "status": "pending", "params": own, "asset": {"id": "AS-1", "params": params["asset"],
        "configuration": {"params": [{"id": "offline_mode_list", "structured_value": listed}]}}})
    .into()
}

fn mode(asset_id: &str) -> Value {
    json!([{"id": "offline_mode", "value": asset_id}])
}

#[rstest]
#[case::no_rules(&[], false)]
#[case::one_that_says_no(&[false], false)]
#[case::one_that_says_yes(&[true], true)]
#[case::one_of_two(&[true, false], false)]
fn a_request_is_offline_when_there_are_rules_and_all_say_so(#[case] rules: &[bool], #[case] offline: bool) {
    let add = |rules: OfflineRules, says: &bool| {
        let says = *says;
        rules.rule(move |_| says)
    };
    assert_eq!(rules.iter().fold(OfflineRules::default(), add).matches(&request()), offline);
}

#[rstest]
#[case("purchase", false)]
#[case("cancel", true)]
#[case("suspend", true)]
fn only_cancellations_and_suspensions_end(#[case] kind: &str, #[case] yes: bool) {
    assert_eq!(ends(&of(kind, json!({}), json!([]))), yes);
}

#[rstest]
#[case::of_the_asset(json!({"asset": mode("AS-1")}), true)]
#[case::of_the_request(json!({"own": mode("AS-1")}), true)]
#[case::of_another(json!({"asset": mode("AS-2")}), false)]
#[case::nowhere(json!({}), false)]
fn a_parameter_lists_the_asset_it_names(#[case] params: Value, #[case] yes: bool) {
    assert_eq!(listed_on_asset(&of("cancel", params, json!([]))), yes);
}

#[rstest]
#[case::without_a_list(Value::Null, false)]
#[case::empty(json!([]), false)]
#[case::with_it(json!(["AS-9", "AS-1"]), true)]
fn a_marketplace_lists_assets_by_their_ids(#[case] list: Value, #[case] yes: bool) {
    assert_eq!(listed_for_marketplace(&of("cancel", json!({}), list)), yes);
}

#[test]
fn without_an_asset_id_nothing_is_listed() {
    let nothing: Request = json!({"type": "cancel", "params": [{"id": "offline_mode", "value": ""}]}).into();
    assert!(!listed(&nothing));
    assert!(!listed_for_marketplace(&json!({}).into()));
}

#[rstest]
#[case::by_the_marketplace_only("cancel", json!({"asset": mode("AS-2")}), json!(["AS-1"]), true)]
#[case::purchase("purchase", json!({"asset": mode("AS-1")}), json!(["AS-1"]), false)]
#[case::not_listed("suspend", json!({}), json!([]), false)]
fn the_standard_rules_are_that_it_ends_and_is_listed(
    #[case] kind: &str,
    #[case] params: Value,
    #[case] list: Value,
    #[case] offline: bool,
) {
    assert_eq!(OfflineRules::standard().matches(&of(kind, params, list)), offline);
}

fn always() -> OfflineRules {
    OfflineRules::default().rule(|_| true)
}

#[tokio::test]
async fn what_matches_is_skipped_and_the_transaction_does_not_run() {
    let (cx, _) = context();
    let diary = Diary::default();
    let saga = Saga::new("s").transaction(diary.transaction("t", true)).middleware(Offline::new(always()));
    assert!(matches!(saga.resolve(&cx, &request()).await.unwrap(), Background::Skip(Some(_))));
    assert_eq!(diary.read(), ["t?"]);
}

#[tokio::test]
async fn what_does_not_match_goes_on() {
    let (cx, _) = context();
    let diary = Diary::default();
    let never = OfflineRules::default().rule(|_| false);
    let saga = Saga::new("s").transaction(diary.transaction("t", true)).middleware(Offline::new(never));
    assert_eq!(saga.resolve(&cx, &request()).await.unwrap(), Background::Done);
    assert_eq!(diary.read(), ["t?", "t!"]);
}

struct Own;

#[async_trait]
impl OnMatch for Own {
    async fn on_match(&self, _: &Context, _: &Request) -> Result<Background, HandlerError> {
        Ok(Background::Fail("mine".into()))
    }
}

#[tokio::test]
async fn what_is_answered_on_a_match_can_be_said() {
    let (cx, _) = context();
    let saga =
        Saga::new("s").transaction(Diary::default().transaction("t", true)).middleware(Offline::new(always()).on_match(Own));
    assert_eq!(saga.resolve(&cx, &request()).await.unwrap(), Background::Fail("mine".into()));
}

struct Needless;
inject!(Needless {});

/// The original binds `on_match` and never injects it.
#[tokio::test]
async fn what_is_bound_for_a_match_is_used() {
    let (cx, _) = context();
    let saga = Saga::new("s")
        .transaction(Diary::default().transaction("t", true))
        .inject_middleware::<Offline>()
        .provider(OfflineProvider::new(always()))
        .swap(|bindings| bindings.bind::<dyn OnMatch>().instance(Arc::new(Own)));
    assert_eq!(saga.resolve(&cx, &request()).await.unwrap(), Background::Fail("mine".into()));
    assert!(saga.container(&cx, &request()).unwrap().make::<Needless>().is_ok());
}

#[tokio::test]
async fn a_request_without_a_transaction_is_not_skipped_but_an_error() {
    let (cx, _) = context();
    let saga = Saga::new("s").middleware(Offline::new(always()));
    assert!(saga.resolve(&cx, &request()).await.unwrap_err().is::<TransactionError>());
}
