use connect_console::connect::ClientBuilder;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Local, PURCHASE, Runner, base, post, refusal};

/// What a workbook is called on its way.
const WORKBOOK: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

async fn purchase(local: &Local) -> String {
    local.platform.trigger(PURCHASE, None, &[]).await.unwrap().object_id
}

#[tokio::test]
async fn a_runners_lookup_counts_then_gets() {
    let local = Local::start().await;
    let (id, client) = (purchase(&local).await, local.client());
    let count = |statuses: &str| {
        let path = format!("requests?and(eq(id,{id}),in(status,{statuses}))&limit=0&offset=0");
        let client = client.clone();
        async move { client.page(&path).await.unwrap() }
    };
    let page = count("(pending,approved)").await;
    assert_eq!((page.total, page.items.len()), (1, 0));
    assert_eq!(count("(approved,failed)").await.total, 0);
    assert_eq!(client.get(&format!("requests/{id}")).await.unwrap()["id"], id);
}

#[tokio::test]
async fn lists_are_paged_with_a_content_range() {
    let local = Local::start().await;
    for n in 0..12 {
        local.platform.trigger(PURCHASE, None, &[("note".into(), format!("n{n:02}"))]).await.unwrap();
    }
    let access = local.platform.access();
    let get = |query: &str| {
        let request = reqwest::Client::new().get(format!("{}/requests?{query}", base(access)));
        let request = request.header("authorization", access.api_key.reveal());
        async move {
            let answer = request.send().await.unwrap();
            let range = answer.headers()["content-range"].to_str().unwrap().to_owned();
            (range, answer.json::<Vec<Value>>().await.unwrap())
        }
    };
    let (range, items) = get("ordering(-note)&limit=5&offset=5").await;
    assert_eq!(range, "items 5-9/12");
    assert_eq!(items.iter().map(|i| i["note"].as_str().unwrap()).collect::<Vec<_>>(), ["n06", "n05", "n04", "n03", "n02"]);
    assert_eq!(get("limit=0").await.0, "items 0-0/12");
    assert_eq!(get("status=approved").await, ("items 0-0/0".into(), vec![]));
    assert_eq!(get("like(note,n0*)&limit=1").await.0, "items 0-0/10");
}

#[tokio::test]
async fn without_the_key_there_is_connects_error_body() {
    let local = Local::start().await;
    for key in ["", "ApiKey SU-1:2"] {
        let client = ClientBuilder::new(base(local.platform.access()), key.into()).build().unwrap();
        let (status, code, _) = refusal(client.get("requests").await.unwrap_err());
        assert_eq!((status, code.as_str()), (401, "AUTH_001"));
    }
}

#[rstest]
#[case("requests/PR-0", 404)]
#[case("no-such-thing", 404)]
#[case("requests?eq(id", 400)]
#[case("requests?nope(id,1)", 400)]
#[case("devops/services/SRVC-0/environments/ENV-0", 404)]
#[tokio::test]
async fn what_is_not_there_is_said_in_an_error_body(#[case] path: &str, #[case] expected: u16) {
    let local = Local::start().await;
    let (status, _, errors) = refusal(local.client().get(path).await.unwrap_err());
    assert_eq!(status, expected);
    assert!(!errors.is_empty());
}

#[tokio::test]
async fn a_request_is_changed_inquired_pended_and_approved() {
    let local = Local::start().await;
    let (id, client) = (purchase(&local).await, local.client());
    let path = |action: &str| format!("requests/{id}/{action}");
    let wrong = json!({"asset": {"params": [{"id": "admin_email", "value_error": "Give a mailbox that exists."}]}});
    assert_eq!(post(&client, &path("inquire"), json!({})).await.unwrap_err().1, "REQ_003");
    client.put(&format!("requests/{id}"), &wrong).await.unwrap();
    assert_eq!(post(&client, &path("inquire"), json!({"template_id": "TL-2"})).await.unwrap()["status"], "inquiring");
    assert_eq!(post(&client, &path("approve"), json!({})).await.unwrap_err().1, "REQ_003");
    assert_eq!(post(&client, &path("pend"), json!({})).await.unwrap()["status"], "pending");
    let approved = post(&client, &path("approve"), json!({"template_id": "TL-1"})).await.unwrap();
    assert_eq!((&approved["status"], &approved["asset"]["status"]), (&json!("approved"), &json!("active")));
    assert_eq!(client.get(&format!("requests/{id}")).await.unwrap(), approved);
    let (status, code, _) = post(&client, &path("fail"), json!({"reason": "late"})).await.unwrap_err();
    assert_eq!((status, code.as_str()), (400, "REQ_003"));
    assert!(local.logged("went from pending to approved"));
}

#[tokio::test]
async fn a_template_of_the_product_is_for_what_is_done_with_it_and_one_nobody_knows_is_told() {
    let local = Local::start().await;
    let (id, client) = (purchase(&local).await, local.client());
    let approve = format!("requests/{id}/approve");
    let inquiring = client.page("products/PRD-276-377-545/templates?scope=asset&type=inquire").await.unwrap();
    let inquiring = inquiring.items[0]["id"].as_str().unwrap().to_owned();
    let refused = post(&client, &approve, json!({"template_id": inquiring})).await.unwrap_err();
    let why =
        format!("template_id: {inquiring} is a template of type inquire for asset; one of type fulfillment for asset is needed.");
    assert_eq!(refused, (400, "VAL_001".into(), why));
    assert_eq!(client.get(&format!("requests/{id}")).await.unwrap()["status"], "pending");
    // The ids of the real product are not those of this one.
    let approved = post(&client, &approve, json!({"template_id": "TL-000-000-001"})).await.unwrap();
    assert_eq!((&approved["status"], &approved["template"]["id"]), (&"approved".into(), &"TL-000-000-001".into()));
    assert!(local.logged(&format!("{id} names the template TL-000-000-001, which its product does not have")));
}

#[tokio::test]
async fn failing_needs_a_reason() {
    let local = Local::start().await;
    let (id, client) = (purchase(&local).await, local.client());
    let path = format!("requests/{id}/fail");
    assert_eq!(post(&client, &path, json!({})).await.unwrap_err().1, "REQ_005");
    assert_eq!(post(&client, &path, json!({"reason": "no stock"})).await.unwrap()["reason"], "no stock");
}

#[tokio::test]
async fn variables_are_made_changed_and_deleted_and_secrets_stay_masked() {
    let local = Local::start().await;
    let (access, client) = (local.platform.access(), local.client());
    let environment = format!("devops/services/{}/environments/{}", access.service_id, access.environment_id);
    let list = format!("{environment}/variables");
    let made = post(&client, &list, json!({"name": "DB_PASSWORD", "value": "hunter2", "secure": true})).await.unwrap();
    assert_eq!((&made["name"], &made["value"], &made["secure"]), (&json!("DB_PASSWORD"), &json!("*****"), &json!(true)));
    assert!(made["id"].as_str().unwrap().starts_with("VAR-"));
    for body in [
        json!({"name": "DB_PASSWORD", "value": "2"}),
        json!({"name": "9", "value": "1"}),
        json!({"name": "A"}),
        json!({"name": "A", "value": ""}),
        json!({"name": "A", "value": 7}),
    ] {
        assert_eq!(post(&client, &list, body).await.unwrap_err().1, "VAL_001");
    }
    assert_eq!(client.get(&environment).await.unwrap()["configuration_changed"], true);
    let one = format!("{list}/{}", made["id"].as_str().unwrap());
    assert_eq!(client.put(&one, &json!({"value": "new", "secure": false})).await.unwrap()["value"], "new");
    assert_eq!(client.page(&format!("{list}?eq(name,DB_PASSWORD)")).await.unwrap().total, 1);
    let mut runner = Runner::purchases(&local).await;
    client.post(&format!("{environment}/update-config"), None).await.unwrap();
    assert_eq!(runner.next().await["data"]["variables"][0]["value"], "new");
    client.delete(&one).await.unwrap();
    assert!(local.platform.variables().is_empty());
    assert_eq!(refusal(client.delete(&one).await.unwrap_err()).0, 404);
}

#[tokio::test]
async fn variables_leave_as_a_workbook_and_come_back_all_of_them_or_none() {
    let local = Local::start().await;
    let access = local.platform.access();
    let list = format!("devops/services/{}/environments/{}/variables", access.service_id, access.environment_id);
    local.platform.set_variable("DB_HOST", "127.0.0.1", None).await.unwrap();
    local.platform.set_variable("DB_PASSWORD", "tulip", true).await.unwrap();
    let http = reqwest::Client::new();
    let url = |of: &Local, what: &str| format!("{}/{}", base(of.platform.access()), what);
    let key = |of: &Local| of.platform.access().api_key.reveal().to_owned();
    let exported = http.get(url(&local, &format!("{list}/export"))).header("authorization", key(&local)).send().await.unwrap();
    assert_eq!(exported.headers()["content-type"], WORKBOOK);
    let workbook = exported.bytes().await.unwrap();
    assert!(!workbook.windows(5).any(|bytes| bytes == b"tulip"), "a secret left");
    let send = async |of: &Local, bytes: &[u8]| {
        let access = of.platform.access();
        let list = format!("devops/services/{}/environments/{}/variables", access.service_id, access.environment_id);
        let import = http.post(url(of, &format!("{list}/import"))).header("authorization", key(of));
        let answer = import.header("content-type", WORKBOOK).body(bytes.to_vec()).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap())
    };

    // Where there is no password yet, a workbook that withholds it can't be taken over, nor a part of it.
    let other = Local::start().await;
    let (status, refused) = send(&other, &workbook).await;
    assert_eq!((status, &refused["error_code"]), (400, &json!("VAL_001")));
    assert!(refused["errors"][0].as_str().unwrap().starts_with("DB_PASSWORD: "), "{refused}");
    assert!(other.platform.variables().is_empty());

    other.platform.set_variable("DB_PASSWORD", "daisy", None).await.unwrap();
    let (status, taken) = send(&other, &workbook).await;
    assert_eq!((status, taken.as_array().unwrap().len()), (200, 2));
    assert!(!taken.to_string().contains("daisy"), "{taken}");
    let there: Vec<_> = other.platform.variables().into_iter().map(|v| (v.name, v.value, v.secure)).collect();
    assert_eq!(there, [("DB_HOST".into(), "127.0.0.1".into(), false), ("DB_PASSWORD".into(), "daisy".into(), true)]);
    assert!(other.platform.configuration_changed());
    assert_eq!(send(&other, b"no workbook").await.0, 400);
}

#[tokio::test]
async fn a_list_leaves_out_what_is_deselected() {
    let local = Local::start().await;
    local.trigger(PURCHASE).await;
    for query in [
        "select(-asset.params,-note)",
        "eq(type,purchase),select(-asset.params,-note)",
        "ordering(id)&select(+asset,-asset.params,-note)",
    ] {
        let page = local.client().page(&format!("requests?{query}")).await.unwrap();
        let request = page.items.first().unwrap();
        assert!(request.get("note").is_none() && request["asset"].get("params").is_none(), "{query}: {request}");
        assert!(request["asset"]["id"].is_string());
    }
}
