use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::connect::Param;
use crate::fulfillment::Request;

#[rstest]
#[case(json!("text"), "no asset: that is a JSON object, and this is a text")]
#[case(json!([]), "no asset: that is a JSON object, and this is a list")]
#[case(json!(null), "no asset: that is a JSON object, and this is null")]
fn what_is_no_object_is_no_asset(#[case] raw: Value, #[case] says: &str) {
    assert_eq!(Asset::try_from(raw.clone()).unwrap_err().to_string(), says);
    assert!(TierConfiguration::try_from(raw).is_err());
}

#[test]
fn what_is_absent_is_read_as_nothing() {
    let asset = Asset::default();
    assert_eq!((asset.id(), asset.status(), asset.text("external_id")), ("", "", ""));
    assert_eq!((asset.get("product"), asset.tier(Tier::Customer), asset.items()), (None, None, [].as_slice()));
    let configuration = TierConfiguration::default();
    assert_eq!((configuration.account(), configuration.level()), (None, None));
    let request = Request::from(json!({}));
    assert_eq!((request.id(), request.asset(), request.get("/note")), (String::new(), Asset::default(), None));
}

#[test]
fn a_member_is_written_and_removed_and_null_writes_nothing() {
    let asset = Asset::new("AS-1").with("status", "active").with("note", Value::Null).without("status").without("unknown");
    assert_eq!(asset.raw(), json!({"id": "AS-1"}));
    let request = Request::from(json!({"id": "PR-1", "note": "n"}));
    request.set("created", "2024-01-01T00:00:00+00:00");
    request.unset("note");
    assert_eq!(request.raw(), json!({"id": "PR-1", "created": "2024-01-01T00:00:00+00:00"}));
}

#[test]
fn a_missing_parameter_or_item_is_named() {
    let asset = Asset::default().with("items", json!([{"id": "I1"}]));
    let said = |error: ObjectError| error.to_string();
    assert_eq!(said(asset.param("p").unwrap_err()), "the asset has no parameter `p`");
    assert_eq!(said(asset.configuration_param("p").unwrap_err()), "the configuration has no parameter `p`");
    assert_eq!(said(asset.item("I2").unwrap_err()), "the asset has no item `I2`");
    assert_eq!(said(asset.item_param("I2", "p").unwrap_err()), "the asset has no item `I2`");
    assert_eq!(said(asset.item_param("I1", "p").unwrap_err()), "the item `I1` has no parameter `p`");
    assert_eq!(said(Request::default().param("p").unwrap_err()), "the request has no parameter `p`");
}

#[test]
fn a_parameter_is_never_double_and_keeps_its_place() {
    let mut asset = Asset::default();
    for id in ["one", "two", "three"] {
        asset.set_param(Param::new(id).value(id));
    }
    asset.set_param(Param::new("one").value("changed"));
    let params = asset.get("params").unwrap();
    let values: Vec<_> = params.as_array().unwrap().iter().map(|param| param["value"].as_str().unwrap()).collect();
    assert_eq!(values, ["changed", "two", "three"]);
    assert!(params[0]["title"].is_string() && params[0]["description"].is_string());
}

#[test]
fn objects_and_lists_are_structured_values() {
    let asset = Asset::default().with_param(Param::new("list").value(json!([1]))).with_param(Param::new("text").value("t"));
    assert_eq!(asset.param("list").unwrap()["structured_value"], json!([1]));
    assert_eq!(asset.param("list").unwrap().get("value"), None);
    assert_eq!((asset.param_text("text"), asset.param_text("list"), asset.param_text("none")), (Some("t"), None, None));
}

#[test]
fn a_parameter_of_the_configuration_may_be_marked_as_wrong() {
    let mut asset = Asset::default();
    asset.set_configuration_param(Param::new("list").value(json!(["AS-1"])));
    asset.set_configuration_param(Param::new("list").error("not that one"));
    let param = asset.configuration_param("list").unwrap();
    assert_eq!((&param["structured_value"], &param["value_error"]), (&json!(["AS-1"]), &json!("not that one")));
}

#[test]
fn an_item_is_changed_by_its_id_and_keeps_its_parameters() {
    let mut asset = Asset::default();
    asset.set_item("I1", json!({"mpn": "A", "quantity": "1", "params": [{"id": "p", "value": "1"}]}));
    asset.set_item("I1", json!({"mpn": "B", "params": [{"id": "p", "value": "2"}, {"id": "q", "value": "3"}]}));
    assert_eq!(asset.items().len(), 1);
    assert_eq!((&asset.item("I1").unwrap()["mpn"], &asset.item("I1").unwrap()["quantity"]), (&json!("B"), &json!("1")));
    assert_eq!(asset.item_param("I1", "p").unwrap()["value"], "2");
    asset.set_item_param("I1", &Param::new("q").value("4")).unwrap();
    assert_eq!(asset.item("I1").unwrap()["params"].as_array().unwrap().len(), 2);
    assert_eq!(asset.item_param("I1", "q").unwrap()["value"], "4");
    assert!(asset.set_item_param("I2", &Param::new("q")).is_err());
}

#[test]
fn a_tier_is_replaced_by_an_id_and_merged_with_an_object() {
    let mut asset = Asset::default();
    asset.set_tier(Tier::Customer, json!({"name": "Ada", "contact_info": {"country": "ES", "city": "Soria"}}));
    asset.set_tier(Tier::Customer, json!({"contact_info": {"country": "PT"}}));
    let contact = json!({"country": "PT", "city": "Soria"});
    assert_eq!(asset.tier(Tier::Customer), Some(&json!({"name": "Ada", "contact_info": contact})));
    asset.set_tier(Tier::Customer, "TA-1");
    assert_eq!(asset.tier(Tier::Customer), Some(&json!({"id": "TA-1"})));
    asset.set_tier(Tier::Tier2, json!({}));
    assert_eq!((asset.tier(Tier::Tier1), asset.tier(Tier::Tier2)), (None, None));
}

#[test]
fn a_tier_configuration_has_an_account_a_level_and_parameters() {
    let mut configuration = TierConfiguration::new("TC-1").with("tier_level", 2);
    configuration.set_account("TA-1").set_account(json!({"name": "Ada"})).set_param(Param::new("p").value("v"));
    configuration.merge(json!({"product": {"id": "PRD-1"}})).unset("status");
    assert_eq!(configuration.account(), Some(&json!({"id": "TA-1", "name": "Ada"})));
    assert_eq!((configuration.level(), configuration.param_text("p")), (Some(2), Some("v")));
    assert_eq!(configuration.get("product"), Some(&json!({"id": "PRD-1"})));
}

#[rstest]
#[case::objects(json!({"a": {"b": 1, "c": 2}}), json!({"a": {"c": 3}}), json!({"a": {"b": 1, "c": 3}}))]
#[case::lists(json!({"a": [1]}), json!({"a": [2]}), json!({"a": [1, 2]}))]
#[case::others(json!({"a": 1}), json!({"a": "x"}), json!({"a": "x"}))]
#[case::kinds(json!({"a": [1]}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}}))]
#[case::new(json!({}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}}))]
fn objects_are_merged_lists_joined_and_everything_else_replaced(
    #[case] mut base: Value,
    #[case] other: Value,
    #[case] merged: Value,
) {
    let request = Request::from(base.clone());
    request.merge(other.clone());
    merge(&mut base, other);
    assert_eq!((base, request.raw()), (merged.clone(), merged));
}

#[rstest]
#[case::purchase("purchase", "asset", Model::Asset)]
#[case::adjustment_of_an_asset("adjustment", "asset", Model::Asset)]
#[case::renew("renew", "asset", Model::Asset)]
#[case::transfer("transfer", "asset", Model::Asset)]
#[case::setup("setup", "configuration", Model::TierConfig)]
#[case::adjustment_of_a_configuration("adjustment", "configuration", Model::TierConfig)]
#[case::without_its_part("purchase", "configuration", Model::Undefined)]
#[case::setup_of_an_asset("setup", "asset", Model::Undefined)]
#[case::unknown("party", "asset", Model::Undefined)]
fn type_and_content_say_what_a_request_is_about(#[case] kind: &str, #[case] part: &str, #[case] model: Model) {
    assert_eq!(Request::from(json!({"type": kind, part: {}})).model(), model);
}

/// In the original, changes of an asset the request did not have were lost.
#[test]
fn what_is_changed_in_a_part_is_changed_in_the_request() {
    let request = Request::from(json!({"id": "PR-1"}));
    request.change_asset(|asset| {
        asset.set("id", "AS-1").set_param(Param::new("p").value("v"));
    });
    assert_eq!(request.asset().param_text("p"), Some("v"));
    let level = request.change_tier_configuration(|configuration| configuration.set("tier_level", 1).level());
    assert_eq!((level, request.tier_configuration().level()), (Some(1), Some(1)));
}

#[test]
fn a_request_has_parameters_of_its_own() {
    let request = Request::from(json!({"params": [{"id": "p", "value": "1", "type": "text"}]}));
    request.set_param(&Param::new("p").value("2"));
    request.set_param(&Param::new("q").value("3"));
    assert_eq!(request.param("p").unwrap(), json!({"id": "p", "value": "2", "type": "text"}));
    assert_eq!(request.param("q").unwrap()["value"], "3");
}
