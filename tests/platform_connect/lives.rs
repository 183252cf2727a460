//! Objects and what becomes of them.

use connect_console::connect::Client;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Local, PURCHASE, Runner, id_of, object_of, post, refusal};

const PRODUCT: &str = "PRD-276-377-545";

async fn get(client: &Client, path: &str) -> Value {
    client.get(path).await.unwrap()
}

async fn list(client: &Client, path: &str) -> Vec<Value> {
    client.page(path).await.unwrap().items
}

fn order(quantity: &str, email: &str) -> Value {
    json!({
        "type": "purchase", "note": "made over REST",
        "asset": {
            "product": {"id": PRODUCT}, "external_id": "SUB-1", "external_uid": "uid-1",
            "items": [{"id": "PRD_276_377_545_0001", "quantity": quantity}],
            "params": [{"id": "admin_email", "value": email}, {"id": "data_region", "value": "eu-west"}],
            "tiers": {"customer": {"name": "A new customer", "external_id": "77"}, "tier1": {"id": "TA-6610-3384-2075"}},
        },
        "marketplace": {"id": "MP-45190"},
    })
}

#[tokio::test]
async fn an_extension_finds_the_products_template_and_approves_with_it() {
    let local = Local::start().await;
    let client = local.client();
    let mut runner = Runner::purchases(&local).await;
    local.trigger(PURCHASE).await;
    let request = object_of(&runner.task().await);
    let product = get(&client, &format!("requests/{request}")).await["asset"]["product"]["id"].as_str().unwrap().to_owned();
    let found = list(&client, &format!("products/{product}/templates?eq(scope,asset)&eq(type,fulfillment)")).await;
    let template = &found[0];
    let body = json!({"template_id": template["id"]});
    let approved = post(&client, &format!("requests/{request}/approve"), body).await.unwrap();
    assert_eq!((&approved["status"], &approved["template"]["name"]), (&json!("approved"), &template["name"]));
    let asset = approved["asset"]["id"].as_str().unwrap();
    assert_eq!(get(&client, &format!("assets/{asset}")).await["status"], "active");
    assert_eq!(list(&client, &format!("assets/{asset}/requests")).await[0]["id"], request);
}

#[tokio::test]
async fn a_product_nobody_knew_has_templates_too() {
    let local = Local::start().await;
    let set = [("asset.product.id".to_owned(), "PRD-111-222-333".to_owned())];
    local.platform.trigger(PURCHASE, None, &set).await.unwrap();
    let found = list(&local.client(), "products/PRD-111-222-333/templates?eq(scope,asset)&eq(type,fulfillment)").await;
    assert_eq!(found.len(), 1);
    assert!(found[0]["id"].as_str().unwrap().starts_with("TL-111-222-333-"), "{}", found[0]["id"]);
}

#[rstest]
#[case("marketplaces", "MP-45190")]
#[case("hubs", "HB-2210-4471")]
#[case("products", PRODUCT)]
#[case("contracts", "CRD-27601-45190-00001")]
#[case("tier/accounts", "TA-6610-3384-2075")]
#[case("tier/configs", "TC-814-260-553")]
#[case("listings", "LST-066-377-545")]
#[case("pricing/versions", "PLV-901-334-620-0002")]
#[case("localization/translations", "TRN-8100-3865-4869")]
#[case("devops/installations", "EIN-2879-0245-8671")]
#[case("products/PRD-276-377-545/parameters", "PRM-276-377-545-0001")]
#[case("products/PRD-276-377-545/items", "PRD-276-377-545-0001")]
#[tokio::test]
async fn what_the_samples_speak_of_is_there_from_the_start(#[case] collection: &str, #[case] id: &str) {
    let local = Local::start().await;
    let client = local.client();
    assert_eq!(get(&client, &format!("{collection}/{id}")).await["id"], id);
    assert_eq!(list(&client, &format!("{collection}?eq(id,{id})&limit=1")).await.len(), 1);
    let local = local.restart().await;
    assert_eq!(get(&local.client(), &format!("{collection}/{id}")).await["id"], id);
}

#[rstest]
#[case("asset_purchase_request_processing", "asset", "assets")]
#[case("tier_config_setup_request_processing", "configuration", "tier/configs")]
#[case("listing_new_request_processing", "listing", "listings")]
#[tokio::test]
async fn what_a_request_is_about_is_an_object_of_its_own(#[case] event: &str, #[case] part: &str, #[case] collection: &str) {
    let local = Local::start().await;
    let queued = local.platform.trigger(event, None, &[]).await.unwrap();
    let of = if part == "listing" {
        "listing-requests"
    } else if part == "asset" {
        "requests"
    } else {
        "tier/config-requests"
    };
    let client = local.client();
    let part = get(&client, &format!("{of}/{}", queued.object_id)).await[part].clone();
    let id = part["id"].as_str().unwrap();
    assert_eq!(get(&client, &format!("{collection}/{id}")).await, part);
}

#[tokio::test]
async fn an_order_made_over_rest_reaches_the_extension_and_lives_its_life() {
    let local = Local::start().await;
    let client = local.client();
    let events = json!({PURCHASE: ["pending"], "asset_change_request_processing": ["pending"],
        "asset_suspend_request_processing": ["pending"], "asset_resume_request_processing": ["pending"],
        "asset_cancel_request_processing": ["pending"], "asset_adjustment_request_processing": ["pending"]});
    let (mut runner, _) = Runner::attach(&local, "one", "running_tasks=0", events).await;
    let made = post(&client, "requests", order("3", "a@example.org")).await.unwrap();
    assert_eq!((&made["status"], &made["asset"]["items"][0]["quantity"]), (&json!("pending"), &json!("3")));
    assert_eq!(made["asset"]["tiers"]["customer"]["name"], "A new customer");
    assert_eq!(made["asset"]["external_id"], "SUB-1");
    let request = made["id"].as_str().unwrap().to_owned();
    let asset = made["asset"]["id"].as_str().unwrap().to_owned();
    let customer = made["asset"]["tiers"]["customer"]["id"].as_str().unwrap();
    assert_eq!(get(&client, &format!("tier/accounts/{customer}")).await["external_id"], "77");
    let task = runner.task().await;
    assert_eq!(object_of(&task), request);
    runner.answer(&task, json!({"result": "success"})).await;
    let approve = |id: &str| format!("requests/{id}/approve");
    post(&client, &approve(&request), json!({"template_id": "TL-511-430-292"})).await.unwrap();
    let steps = [
        ("change", json!({"id": asset, "items": [{"id": "PRD_276_377_545_0001", "quantity": 9}]}), "active"),
        ("adjustment", json!({"id": asset, "params": [{"id": "backup_tenant_id", "value": "t-1"}]}), "active"),
        ("suspend", json!({"id": asset}), "suspended"),
        ("resume", json!({"id": asset}), "active"),
        ("cancel", json!({"id": asset}), "terminated"),
    ];
    for (number, (sort, body, after)) in steps.into_iter().enumerate() {
        let made = post(&client, "requests", json!({"type": sort, "asset": body})).await.unwrap();
        let id = made["id"].as_str().unwrap().to_owned();
        assert_eq!(id, format!("{}-{:03}", asset.replacen("AS", "PR", 1), number + 2), "{sort}");
        if sort == "change" {
            assert_eq!(
                (&made["asset"]["items"][0]["old_quantity"], &made["asset"]["items"][0]["quantity"]),
                (&json!("3"), &json!("9"))
            );
        }
        let task = runner.task().await;
        assert_eq!(
            (object_of(&task), task["data"]["input"]["event_type"].clone()),
            (id.clone(), json!(format!("asset_{sort}_request_processing")))
        );
        runner.answer(&task, json!({"result": "success"})).await;
        post(&client, &approve(&id), json!({"template_id": "TL-511-430-292"})).await.unwrap();
        assert_eq!(get(&client, &format!("assets/{asset}")).await["status"], after, "{sort}");
    }
    let asset = get(&client, &format!("assets/{asset}")).await;
    assert_eq!(asset["params"].as_array().unwrap().iter().find(|p| p["id"] == "backup_tenant_id").unwrap()["value"], "t-1");
}

#[tokio::test]
async fn an_order_without_a_required_parameter_is_inquired_first_and_a_draft_waits_for_its_buyer() {
    let local = Local::start().await;
    let client = local.client();
    assert_eq!(post(&client, "requests", order("1", "")).await.unwrap()["status"], "inquiring");
    let mut draft = order("1", "a@example.org");
    draft["status"] = "draft".into();
    let draft = post(&client, "requests", draft).await.unwrap();
    let id = draft["id"].as_str().unwrap();
    assert_eq!(draft["status"], "draft");
    assert_eq!(post(&client, &format!("requests/{id}/purchase"), json!({})).await.unwrap()["status"], "pending");
}

#[rstest]
#[case(json!({}), "type: This field is required.")]
#[case(json!({"type": "birthday"}), "is not a valid choice")]
#[case(json!({"type": "purchase"}), "asset.product.id: This field is required.")]
#[case(json!({"type": "purchase", "asset": {"product": {"id": "PRD-0"}}}), "asset.product.id: there is no PRD-0.")]
#[case(json!({"type": "purchase", "asset": {"product": {"id": PRODUCT}}}), "asset.items: This field is required.")]
#[case(json!({"type": "purchase", "asset": {"product": {"id": PRODUCT}, "items": [{"id": "x", "quantity": 1}]}}), "asset.items[0].id")]
#[case(json!({"type": "purchase", "asset": {"product": {"id": PRODUCT}, "items": [{"mpn": "FB-SEAT-BUS", "quantity": "many"}]}}), "quantity")]
#[case(json!({"type": "change", "asset": {"id": "AS-0"}}), "asset.id: there is no AS-0.")]
#[case(json!([1]), "must be an object")]
#[tokio::test]
async fn an_order_that_is_wrong_is_refused_by_the_name_of_its_field(#[case] body: Value, #[case] expected: &str) {
    let local = Local::start().await;
    let (status, code, errors) = post(&local.client(), "requests", body).await.unwrap_err();
    assert_eq!((status, code.as_str()), (400, "VAL_001"));
    assert!(errors.contains(expected), "{errors}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_that_are_made_at_once_for_one_asset_are_all_there() {
    let local = Local::start().await;
    let client = local.client();
    let made = post(&client, "requests", order("1", "a@example.org")).await.unwrap();
    let asset = made["asset"]["id"].as_str().unwrap().to_owned();
    let approve = format!("requests/{}/approve", made["id"].as_str().unwrap());
    post(&client, &approve, json!({"template_id": "TL-511-430-292"})).await.unwrap();
    let orders = (0..40).map(|_| {
        let (client, body) = (client.clone(), json!({"type": "adjustment", "asset": {"id": asset}}));
        tokio::spawn(async move { post(&client, "requests", body).await.unwrap()["id"].as_str().unwrap().to_owned() })
    });
    let mut ids: Vec<String> = futures::future::join_all(orders).await.into_iter().map(Result::unwrap).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 40);
    assert_eq!(list(&client, &format!("assets/{asset}/requests")).await.len(), 41);
}

#[tokio::test]
async fn an_asset_that_is_not_active_takes_no_change() {
    let local = Local::start().await;
    let client = local.client();
    let made = post(&client, "requests", order("1", "a@example.org")).await.unwrap();
    for sort in ["change", "suspend", "resume", "cancel"] {
        let body = json!({"type": sort, "asset": {"id": made["asset"]["id"]}});
        assert_eq!(post(&client, "requests", body).await.unwrap_err().1, "REQ_003", "{sort}");
    }
}

#[tokio::test]
async fn a_new_status_is_delivered_to_whoever_subscribes_to_it_and_to_nobody_else() {
    let local = Local::start().await;
    let client = local.client();
    let (mut runner, _) = Runner::attach(&local, "one", "", json!({PURCHASE: ["pending", "inquiring"]})).await;
    let queued = local.platform.trigger(PURCHASE, None, &[]).await.unwrap();
    let task = runner.task().await;
    let path = |action: &str| format!("requests/{}/{action}", queued.object_id);
    let wrong = json!({"asset": {"params": [{"id": "admin_email", "value_error": "Give a mailbox that exists."}]}});
    client.put(&format!("requests/{}", queued.object_id), &wrong).await.unwrap();
    post(&client, &path("inquire"), json!({})).await.unwrap();
    let inquired = runner.task().await;
    assert_eq!(object_of(&inquired), queued.object_id);
    assert_ne!(id_of(&inquired), id_of(&task));
    post(&client, &path("pend"), json!({})).await.unwrap();
    assert_eq!(object_of(&runner.task().await), queued.object_id);
    post(&client, &path("approve"), json!({"template_id": "TL-1"})).await.unwrap();
    assert!(runner.is_idle(&local).await);
}

#[tokio::test]
async fn a_status_that_changes_while_no_runner_is_there_waits_for_one_as_one_task() {
    let local = Local::start().await;
    let client = local.client();
    let (mut runner, _) = Runner::attach(&local, "one", "", json!({PURCHASE: ["pending"]})).await;
    let queued = local.platform.trigger(PURCHASE, None, &[("status".into(), "inquiring".into())]).await.unwrap();
    let task = runner.task().await;
    runner.answer(&task, json!({"result": "success"})).await;
    runner.close().await;
    crate::support::until("the runner is gone", || local.platform.connections().is_empty()).await;
    for action in ["pend", "inquire", "pend"] {
        let wrong = json!({"asset": {"params": [{"id": "admin_email", "value_error": "x"}]}});
        client.put(&format!("requests/{}", queued.object_id), &wrong).await.unwrap();
        post(&client, &format!("requests/{}/{action}", queued.object_id), json!({})).await.unwrap();
    }
    let mut runner = Runner::purchases(&local).await;
    assert_eq!(object_of(&runner.task().await), queued.object_id);
    assert!(runner.is_idle(&local).await);
}

#[rstest]
#[case("tier_account_update_request_processing", "tier/account-requests", &[("accept", json!({}), "accepted")])]
#[case("tier_account_update_request_processing", "tier/account-requests", &[("ignore", json!({"reason": "no"}), "ignored")])]
#[case("listing_new_request_processing", "listing-requests", &[("complete", json!({}), "completed")])]
#[case("usage_file_request_processing", "usage/files", &[("submit", json!({}), "pending"), ("accept", json!({"acceptance_note": "fine"}), "accepted"), ("close", json!({}), "closed")])]
#[case("part_usage_file_request_processing", "usage/chunks", &[("close", json!({"external_billing_id": "7"}), "closed")])]
#[case("helpdesk_case_processing", "helpdesk/cases", &[("inquire", json!({}), "inquiring"), ("pend", json!({}), "pending"), ("resolve", json!({}), "resolved"), ("close", json!({}), "closed")])]
#[case("product_changed", "products", &[("endsale", json!({}), "endofsale"), ("resumesale", json!({}), "published")])]
#[tokio::test]
async fn other_objects_go_their_way_too(#[case] event: &str, #[case] collection: &str, #[case] steps: &[(&str, Value, &str)]) {
    let local = Local::start().await;
    let client = local.client();
    let status = |object: &Value| object.get("state").or(object.get("status")).unwrap().clone();
    let mut set = vec![];
    if event == "listing_new_request_processing" {
        set.push(("state".to_owned(), "deploying".to_owned()));
    }
    let id = local.platform.trigger(event, None, &set).await.unwrap().object_id;
    let before = status(&get(&client, &format!("{collection}/{id}")).await);
    let everything: Vec<&Value> = steps.iter().map(|(_, _, to)| to).map(|_| &before).take(1).collect();
    let subscribed: Vec<String> = steps
        .iter()
        .map(|(_, _, to)| (*to).to_owned())
        .chain(everything.iter().map(|v| v.as_str().unwrap().to_owned()))
        .collect();
    let (mut runner, _) = Runner::attach(&local, "one", "", json!({event: subscribed})).await;
    let first = runner.task().await;
    runner.answer(&first, json!({"result": "success"})).await;
    for (verb, body, to) in steps {
        let done = post(&client, &format!("{collection}/{id}/{verb}"), body.clone()).await.unwrap();
        assert_eq!(status(&done), *to, "{verb}");
        let task = runner.task().await;
        assert_eq!(object_of(&task), id, "{verb}");
        runner.answer(&task, json!({"result": "success"})).await;
        let again = post(&client, &format!("{collection}/{id}/{verb}"), body.clone()).await.unwrap_err();
        assert_eq!((again.0, again.1.as_str()), (400, "REQ_003"), "{verb}");
    }
}

#[tokio::test]
async fn a_tier_configuration_request_answers_approval_with_itself_and_failure_with_nothing() {
    let local = Local::start().await;
    let client = local.client();
    let event = "tier_config_setup_request_processing";
    let id = local.platform.trigger(event, None, &[]).await.unwrap().object_id;
    let change = json!({"params": [{"id": "reseller_account", "value": "acme"}]});
    client.put(&format!("tier/config-requests/{id}"), &change).await.unwrap();
    let approved = post(&client, &format!("tier/config-requests/{id}/approve"), json!({"template": {"id": "TL-511-430-301"}}))
        .await
        .unwrap();
    assert_eq!((&approved["status"], &approved["template"]["name"]), (&json!("approved"), &json!("Reseller welcome")));
    let configuration = approved["configuration"]["id"].as_str().unwrap();
    assert_eq!(get(&client, &format!("tier/configs/{configuration}")).await["status"], "active");
    let other = local.platform.trigger(event, None, &[]).await.unwrap().object_id;
    let failed = client.post(&format!("tier/config-requests/{other}/fail"), Some(&json!({"reason": "no"}))).await.unwrap();
    assert_eq!(failed, Value::Null);
    assert_eq!(get(&client, &format!("tier/config-requests/{other}")).await["status"], "failed");
}

#[tokio::test]
async fn objects_can_be_made_and_changed_where_connect_lets_them() {
    let local = Local::start().await;
    let client = local.client();
    let case = post(&client, "helpdesk/cases", json!({"subject": "It does not start", "id": "CA-1"})).await.unwrap();
    assert_eq!((&case["subject"], &case["state"]), (&json!("It does not start"), &json!("pending")));
    assert_ne!(case["id"], "CA-1");
    let path = format!("helpdesk/cases/{}", case["id"].as_str().unwrap());
    let changed = client.put(&path, &json!({"priority": 3, "state": "closed"})).await.unwrap();
    assert_eq!((&changed["priority"], &changed["state"]), (&json!(3), &json!("pending")));
    let file = post(&client, "usage/files", json!({"name": "June"})).await.unwrap();
    let path = format!("{}/usage/files/{}/upload", crate::support::base(local.platform.access()), file["id"].as_str().unwrap());
    let key = local.platform.access().api_key.reveal().to_owned();
    let upload =
        reqwest::Client::new().post(path).header("authorization", key).header("content-type", "multipart/form-data; boundary=x");
    let answer: Value = upload.body("--x--").send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["status"], "ready");
}

#[tokio::test]
async fn requests_have_conversations_that_take_messages() {
    let local = Local::start().await;
    let client = local.client();
    let request = local.platform.trigger(PURCHASE, None, &[]).await.unwrap().object_id;
    let found = list(&client, &format!("conversations?eq(instance_id,{request})")).await;
    let id = found[0]["id"].as_str().unwrap();
    let said = post(&client, &format!("conversations/{id}/messages"), json!({"text": "hello", "type": "message"})).await.unwrap();
    assert_eq!(said["text"], "hello");
    post(&client, &format!("conversations/{request}/messages"), json!({"text": "by the object's id"})).await.unwrap();
    let texts: Vec<Value> =
        list(&client, &format!("conversations/{id}/messages")).await.into_iter().map(|m| m["text"].clone()).collect();
    assert_eq!(texts, ["hello", "by the object's id"]);
    assert_eq!(post(&client, &format!("conversations/{id}/messages"), json!({})).await.unwrap_err().1, "VAL_001");
    assert_eq!(refusal(client.get("conversations/PR-0").await.unwrap_err()).0, 404);
    assert_eq!(list(&client, "conversations?eq(instance_id,PR-0)").await.len(), 0);
    post(&client, &format!("conversations/{id}/close"), json!({})).await.unwrap();
    assert_eq!(post(&client, &format!("conversations/{id}/messages"), json!({"text": "late"})).await.unwrap_err().0, 400);
}

#[tokio::test]
async fn validating_a_draft_asks_the_extension() {
    let local = Local::start().await;
    let client = local.client();
    let mut draft = order("1", "a@example.org");
    draft["status"] = "draft".into();
    let id = post(&client, "requests", draft).await.unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("requests/{id}/validate");
    let body = json!({"asset": {"params": [{"id": "admin_email", "value": "nobody"}]}});
    assert_eq!(post(&client, &path, body.clone()).await.unwrap()["asset"]["params"][0]["value"], "nobody");
    let (mut runner, _) = Runner::attach(&local, "one", "", json!({"asset_purchase_request_validation": ["draft"]})).await;
    let extension = async {
        let task = runner.task().await;
        let mut said = task["data"]["input"]["data"].clone();
        said["asset"]["params"][0]["value_error"] = "no mailbox".into();
        runner.answer(&task, json!({"result": "success", "data": {"http_status": 200, "headers": null, "body": said}})).await;
    };
    let (answer, ()) = tokio::join!(post(&client, &path, body), extension);
    let answer = answer.unwrap();
    assert_eq!(
        (&answer["asset"]["params"][0]["value_error"], &answer["asset"]["params"][0]["value"]),
        (&json!("no mailbox"), &json!("nobody"))
    );
}

#[tokio::test]
async fn an_approved_request_is_rendered_with_its_template() {
    let local = Local::start().await;
    let client = local.client();
    let request = local.platform.trigger(PURCHASE, None, &[]).await.unwrap().object_id;
    post(&client, &format!("requests/{request}/approve"), json!({"template_id": "TL-511-430-292"})).await.unwrap();
    let access = local.platform.access();
    let url = format!("{}/requests/{request}/render", crate::support::base(access));
    let text = reqwest::Client::new()
        .get(url)
        .header("authorization", access.api_key.reveal())
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(text.contains("alex.placeholder@customer.example.org"), "{text}");
}

#[rstest]
#[case("GET", "requests/X/approve", 405)]
#[case("DELETE", "requests/X", 405)]
#[case("POST", "assets", 405)]
#[case("POST", "requests/X/dance", 404)]
#[case("GET", "products/PRD-276-377-545/dreams", 404)]
#[case("GET", "products/PRD-0/templates", 404)]
#[case("PUT", "products/PRD-276-377-545/templates", 405)]
#[case("PUT", "devops/event-definitions", 405)]
#[case("GET", "billing/requests", 404)]
#[tokio::test]
async fn what_is_not_offered_is_refused_with_connects_error_body(
    #[case] method: &str,
    #[case] path: &str,
    #[case] expected: u16,
) {
    let local = Local::start().await;
    let access = local.platform.access();
    let method: reqwest::Method = method.parse().unwrap();
    let call = reqwest::Client::new().request(method, format!("{}/{path}", crate::support::base(access)));
    let answer = call.header("authorization", access.api_key.reveal()).send().await.unwrap();
    assert_eq!(answer.status(), expected);
    let body: Value = answer.json().await.unwrap();
    assert!(body["error_code"].is_string() && body["errors"][0].is_string(), "{body}");
}
