//! What extensions use beside requests: parts and actions of products, usage, accounts, invitations, statistics.

use connect_console::connect::{ApiError, Client};
use serde_json::{Value, json};

use crate::support::{Local, PURCHASE, Runner, base, id_of, object_of, post, refusal, until};

const PRODUCT: &str = "PRD-276-377-545";

async fn get(client: &Client, path: &str) -> Value {
    client.get(path).await.unwrap()
}

async fn refused(call: Result<Value, ApiError>) -> (u16, String, String) {
    refusal(call.unwrap_err())
}

#[tokio::test]
async fn a_draft_request_can_be_submitted_and_nothing_else() {
    let local = Local::start().await;
    let client = local.client();
    let set = [("status".to_owned(), "draft".to_owned())];
    let id = local.platform.trigger(PURCHASE, None, &set).await.unwrap().object_id;
    assert_eq!(post(&client, &format!("requests/{id}/submit"), json!({})).await.unwrap()["status"], "pending");
    let (status, code, text) = post(&client, &format!("requests/{id}/submit"), json!({})).await.unwrap_err();
    assert_eq!((status, code.as_str(), text.as_str()), (400, "REQ_003", "Only draft requests offer `submit`."));
}

#[tokio::test]
async fn what_belongs_to_a_product_can_be_made_changed_and_deleted() {
    let local = Local::start().await;
    let client = local.client();
    let parts = format!("products/{PRODUCT}/templates");
    let body = json!({"name": "Welcome", "scope": "asset", "type": "fulfillment", "body": "Hello {{ asset.id }}"});
    let made = client.post(&parts, Some(&body)).await.unwrap();
    let path = format!("{parts}/{}", made["id"].as_str().unwrap());
    assert!(made["id"].as_str().unwrap().starts_with("TL-"));
    assert_eq!(client.put(&path, &json!({"id": "TL-0", "name": "Welcome back"})).await.unwrap()["name"], "Welcome back");
    assert_eq!(get(&client, &path).await["id"], made["id"], "an id never changes");
    assert_eq!(get(&client, &format!("{path}/preview")).await, "Hello ");
    client.delete(&path).await.unwrap();
    assert_eq!(refused(client.get(&path).await).await.0, 404);
    let parameter = client.post(&format!("products/{PRODUCT}/parameters"), Some(&json!({"name": "color"}))).await.unwrap();
    assert_eq!(parameter["id"], "PRM-276-377-545-0008");
    let (status, code, text) = refused(client.post(&parts, Some(&json!({}))).await).await;
    assert_eq!((status, code.as_str(), text.as_str()), (400, "VAL_001", "name: This field is required."));
    let item = format!("products/{PRODUCT}/items/PRD-276-377-545-0001/endsale");
    assert_eq!(client.post(&item, None).await.unwrap()["status"], "endofsale");
}

#[tokio::test]
async fn a_product_has_versions_and_a_new_one_leaves_the_old_as_it_was() {
    let local = Local::start().await;
    let client = local.client();
    let versions = format!("products/{PRODUCT}/versions");
    let before = client.page(&versions).await.unwrap().items;
    let first = before[0]["version"].as_u64().unwrap();
    assert_eq!((before.len(), &before[0]["latest"]), (1, &json!(true)));
    let next = client.post(&versions, None).await.unwrap();
    assert_eq!(next["version"], first + 1);
    client.put(&format!("products/{PRODUCT}"), &json!({"name": "Fern Backup 2"})).await.unwrap();
    assert_eq!(get(&client, &format!("{versions}/{first}")).await["name"], before[0]["name"]);
    assert_eq!(get(&client, &format!("{versions}/{}", first + 1)).await["name"], "Fern Backup 2");
    assert_eq!(client.page(&format!("{versions}/{first}/items")).await.unwrap().total, 2);
    assert_eq!(refused(client.get(&format!("{versions}/99")).await).await.0, 404);
    assert_eq!(refused(client.post(&format!("{versions}/{first}/items"), None).await).await.0, 405);
}

#[tokio::test]
async fn the_link_of_a_product_action_leads_to_the_extension_and_back_to_the_browser() {
    let local = Local::start().await;
    let client = local.client();
    local.platform.trigger(PURCHASE, None, &[]).await.unwrap();
    let asset = client.page("assets?limit=1").await.unwrap().items[0]["id"].as_str().unwrap().to_owned();
    let action = format!("products/{PRODUCT}/actions/ACT-276-377-545-001/actionLink");
    for query in ["", "?asset_id=AS-0"] {
        let (status, code, _) = refused(client.get(&format!("{action}{query}")).await).await;
        assert_eq!((status, code.as_str()), (400, "VAL_001"), "{query}");
    }
    let link = get(&client, &format!("{action}?asset_id={asset}")).await["link"].as_str().unwrap().to_owned();
    let browser = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    assert_eq!(browser.get(&link).send().await.unwrap().status(), 503, "nobody takes it");
    let (mut runner, _) = Runner::attach(&local, "one", "runner_type=interactive", json!({"product_action_execution": []})).await;
    let click = tokio::spawn({
        let (browser, link) = (browser.clone(), link.clone());
        async move { browser.get(link).header("accept", "text/html").send().await.unwrap() }
    });
    let task = runner.task().await;
    let data = &task["data"]["input"]["data"];
    assert_eq!(
        (&data["jwt_payload"]["action_id"], &data["jwt_payload"]["asset_id"]),
        (&json!("open_backup_console"), &json!(asset))
    );
    assert_eq!((&data["method"], &data["headers"]["accept"]), (&json!("GET"), &json!("text/html")));
    let answer = json!({"http_status": 302, "headers": {"Location": "https://backup.example.com/"}, "body": null});
    runner.answer(&task, json!({"result": "success", "data": answer})).await;
    let answer = click.await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (302, "https://backup.example.com/"));
    let (head, signature) = link.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    assert_eq!(browser.get(forged).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_request_to_change_an_account_is_made_and_accepted() {
    let local = Local::start().await;
    let client = local.client();
    let made = client.post("tier/account-requests", Some(&json!({"account": {"name": "Heron Ltd"}}))).await.unwrap();
    assert_eq!(made["status"], "pending");
    let accept = format!("tier/account-requests/{}/accept", made["id"].as_str().unwrap());
    assert_eq!(post(&client, &accept, json!({})).await.unwrap()["status"], "accepted");
    let account = format!("tier/accounts/{}", made["account"]["id"].as_str().unwrap());
    assert_eq!(get(&client, &account).await["name"], "Heron Ltd");
}

#[tokio::test]
async fn accounts_are_made_and_keep_the_versions_they_had() {
    let local = Local::start().await;
    let client = local.client();
    let made =
        client.post("tier/accounts", Some(&json!({"name": "Heron Ltd", "external_id": "77", "version": 9}))).await.unwrap();
    assert_eq!((&made["version"], &made["name"]), (&json!(1), &json!("Heron Ltd")));
    let path = format!("tier/accounts/{}", made["id"].as_str().unwrap());
    let changed = client.put(&path, &json!({"name": "Heron & Sons"})).await.unwrap();
    assert_eq!(changed["version"], 2);
    let versions = client.page(&format!("{path}/versions")).await.unwrap();
    assert_eq!(versions.items.iter().map(|v| &v["name"]).collect::<Vec<_>>(), ["Heron Ltd", "Heron & Sons"]);
    assert_eq!(get(&client, &format!("{path}/versions/1")).await["name"], "Heron Ltd");
    assert_eq!(refused(client.get(&format!("{path}/versions/3")).await).await.0, 404);
    assert_eq!(refused(client.post("tier/accounts", Some(&json!({}))).await).await.2, "name: This field is required.");
    let local = local.restart().await;
    assert_eq!(get(&local.client(), &path).await["version"], 2);
}

/// Posts a form with one file.
async fn upload(local: &Local, path: &str, content: &str) -> reqwest::Response {
    let access = local.platform.access();
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"usage_file\"; filename=\"june.xlsx\"\r\n\r\n{content}\r\n--b--\r\n"
    );
    let call = reqwest::Client::builder().no_proxy().build().unwrap().post(format!("{}/{path}", base(access)));
    let call = call.header("authorization", access.api_key.reveal()).header("content-type", "multipart/form-data; boundary=b");
    call.body(body).send().await.unwrap()
}

async fn download(local: &Local, path: &str) -> (u16, String) {
    let access = local.platform.access();
    let call = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("{}/{path}", base(access)));
    let answer = call.header("authorization", access.api_key.reveal()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_usage_file_is_uploaded_accepted_downloaded_and_reconciled() {
    let local = Local::start().await;
    let client = local.client();
    let file = client.post("usage/files", Some(&json!({"name": "June"}))).await.unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("usage/files/{file}");
    assert_eq!(upload(&local, &format!("{path}/upload"), "rows").await.status(), 200);
    assert_eq!(upload(&local, &format!("{path}/reconciliation"), "billed").await.status(), 400, "it is not accepted yet");
    let (_, _, text) = refused(client.put(&format!("{path}/approve-all"), &json!({})).await).await;
    assert_eq!(text, "Only pending files offer `approve-all`.");
    post(&client, &format!("{path}/submit"), json!({})).await.unwrap();
    assert_eq!(client.put(&format!("{path}/approve-all"), &json!({})).await.unwrap()["status"], "accepted");
    let made: Value = upload(&local, &format!("{path}/reconciliation"), "billed").await.json().await.unwrap();
    assert_eq!((&made["status"], &made["file"]["id"]), (&json!("done"), &json!(file)));
    let reconciliation = format!("usage/reconciliations/{}", made["id"].as_str().unwrap());
    assert_eq!(get(&client, &reconciliation).await, made);
    assert_eq!(download(&local, &format!("{reconciliation}/uploadedfile")).await, (200, "billed".into()));
    let set = [("usagefile.id".to_owned(), file.clone())];
    let chunk = local.platform.trigger("part_usage_file_request_processing", None, &set).await.unwrap().object_id;
    assert_eq!(download(&local, &format!("usage/chunks/{chunk}/download")).await, (200, "rows".into()));
    assert_eq!(download(&local, "usage/chunks/UFC-0/download").await.0, 404);
    assert_eq!(client.page("usage/records").await.unwrap().total, 0);
    assert_eq!(client.page(&format!("{path}/categories")).await.unwrap().total, 0);
}

#[tokio::test]
async fn an_invitation_is_redeemed_once_and_the_extension_is_installed() {
    let local = Local::start().await;
    let client = local.client();
    let service = &local.platform.access().service_id;
    let invitations = format!("devops/services/{service}/invitations");
    let made = client.post(&invitations, Some(&json!({"title": "For Heron"}))).await.unwrap();
    let code = made["code"].as_str().unwrap();
    assert_eq!(get(&client, &format!("devops/invitations/{code}")).await["id"], made["id"]);
    let redeemed = client.post("devops/invitations/redeem", Some(&json!({"code": code}))).await.unwrap();
    let installation = redeemed["installation"]["id"].as_str().unwrap();
    assert_eq!(get(&client, &format!("devops/installations/{installation}")).await["status"], "installed");
    let (status, _, text) = refused(client.post("devops/invitations/redeem", Some(&json!({"code": code}))).await).await;
    assert_eq!((status, text.as_str()), (400, "The invitation is redeemed already."));
    let other = client.post(&invitations, Some(&json!({"title": "For nobody"}))).await.unwrap();
    let revoke = format!("{invitations}/{}/revoke", other["id"].as_str().unwrap());
    assert_eq!(client.post(&revoke, None).await.unwrap()["status"], "revoked");
    assert_eq!(refused(client.post("devops/invitations/redeem", Some(&json!({"code": "none"}))).await).await.1, "VAL_001");
    assert_eq!(client.page(&invitations).await.unwrap().total, 2);
}

#[tokio::test]
async fn the_environment_counts_its_tasks_and_says_what_only_the_cloud_has() {
    let local = Local::start().await;
    let client = local.client();
    let access = local.platform.access();
    let environment = format!("devops/services/{}/environments/{}", access.service_id, access.environment_id);
    let mut runner = Runner::purchases(&local).await;
    for result in ["success", "fail"] {
        local.trigger(PURCHASE).await;
        let task = runner.task().await;
        assert!(!id_of(&task).is_empty() && !object_of(&task).is_empty());
        runner.answer(&task, json!({"result": result, "runtime": 1.5})).await;
    }
    until("both are done", || local.platform.pending() == 0).await;
    for granularity in ["hour", "day", "week"] {
        let stats = get(&client, &format!("{environment}/task-stats/{granularity}")).await;
        let sum = |name: &str| -> f64 {
            let values = stats["task_count"][name]["values"].as_array().unwrap();
            values.iter().map(|value| value["value"].as_f64().unwrap()).sum()
        };
        assert_eq!((sum("succeeded"), sum("failed"), sum("total")), (1.0, 1.0, 2.0), "{granularity}");
        let longest = stats["runtime"]["max"]["values"].as_array().unwrap().iter().map(|v| v["value"].as_f64().unwrap());
        assert_eq!(longest.fold(0.0, f64::max), 1.5);
    }
    for path in ["logs", "stats/day"] {
        let (status, code, text) = refused(client.get(&format!("{environment}/{path}")).await).await;
        assert_eq!((status, code.as_str()), (400, "VAL_001"));
        assert!(text.contains("this one is local"), "{text}");
    }
    assert_eq!(refused(client.get(&format!("{environment}/task-stats/century")).await).await.0, 404);
    let instance = get(&client, &environment).await["instances"][0]["id"].as_str().unwrap().to_owned();
    client.put(&format!("{environment}/instances/{instance}"), &json!({"error_output": "it broke"})).await.unwrap();
    until("it is in the log", || local.logged("reports: it broke")).await;
    assert_eq!(refused(client.put(&format!("{environment}/instances/INS-0"), &json!({})).await).await.0, 404);
}
