use serde_json::json;

use super::*;

#[test]
fn it_declares_the_variables_of_the_documentation_and_keeps_two_of_them_secret() {
    let defaults = Defaults { data_api_endpoint: "http://127.0.0.1:1/data".into(), api_key: "k".into(), ..Defaults::default() };
    let request = serde_json::to_value(extension_with(defaults).setup_request()).unwrap();
    let variables = request["variables"].as_array().unwrap();
    let value = |name: &str| variables.iter().find(|v| v["name"] == name).unwrap()["initial_value"].clone();
    assert_eq!(value("DATA_API_ENDPOINT"), "http://127.0.0.1:1/data");
    assert_eq!(value("API_KEY"), "k");
    assert_eq!((value("CLUSTER"), value("DB")), (json!("Cluster0"), json!("tutorial")));
    assert_eq!((value("HTTP_COLLECTION"), value("DRIVER_COLLECTION")), (json!("http_requests"), json!("driver_requests")));
    let secure: Vec<_> = variables.iter().filter(|v| v["secure"] == true).map(|v| v["name"].clone()).collect();
    assert_eq!(secure, ["API_KEY", "DB_PASSWORD"]);
    assert_eq!(variables.len(), 9);
}

#[test]
fn it_wants_requests_that_are_pending() {
    let request = serde_json::to_value(extension().setup_request()).unwrap();
    assert_eq!(request["event_subscriptions"]["asset_purchase_request_processing"], json!(["pending"]));
    assert_eq!(request["event_subscriptions"].as_object().unwrap().len(), 6);
}

#[test]
fn its_variables_are_all_that_the_stores_need() {
    let defaults =
        Defaults { data_api_endpoint: "http://127.0.0.1:1/data".into(), db_host: "127.0.0.1:2".into(), ..Defaults::default() };
    let extension = extension_with(defaults);
    let initial = |name: &str| extension.variables().iter().find(|v| v.name == name).map(|v| v.initial_value.clone());
    let settings = crate::storage::Settings::from_variables(initial).unwrap();
    assert_eq!(settings.db_host, "127.0.0.1:2");
}
