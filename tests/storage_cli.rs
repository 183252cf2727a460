//! `store` through the built program: what a developer types, what is printed, how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{Ran, Running, program, run};

/// A session that goes on, so that every command acts in it.
fn session(dir: &Path) -> Running {
    let mut command = program(dir);
    command.args(["run", "--headless", "--json"]);
    let running = Running::start(command);
    running.until_connected();
    running
}

fn done(ran: &Ran) -> &str {
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    &ran.stdout
}

fn store(dir: &Path, arguments: &[&str]) -> Ran {
    run(dir, &[&["store"], arguments].concat())
}

fn numbers(dir: &Path, n: usize) {
    let text = (0..n).map(|n| format!("{{\"_id\":{{\"$numberInt\":\"{n}\"}},\"n\":{{\"$numberLong\":\"{n}\"}}}}\n"));
    let file = dir.join("numbers.jsonl");
    std::fs::write(&file, text.collect::<String>()).unwrap();
    done(&store(dir, &["import", file.to_str().unwrap(), "--collection", "numbers"]));
}

#[test]
fn documents_are_inserted_changed_undone_and_deleted_and_nothing_is_deleted_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, _session) = (dir.path(), session(dir.path()));
    let at = ["--collection", "things"];
    let with = |more: &[&str]| store(dir, &[more, &at].concat());
    let inserted = with(&["insert", "[{_id: 1, l: NumberLong(5), s: 'a'}, {_id: 2, s: 'a'}]", "--json"]).object();
    assert_eq!((&inserted["written"], &inserted["can_undo"]), (&json!(2), &json!(true)));

    let asked = with(&["update", "--filter", "{s: 'a'}", "{$set: {s: 'b'}}", "--many"]);
    assert_eq!(asked.status, 2);
    assert!(
        asked.stderr.contains("change 2 documents of driver tutorial.things") && asked.stderr.contains("--yes"),
        "{}",
        asked.stderr
    );
    let changed = with(&["update", "--filter", "{s: 'a'}", "{$set: {s: 'b'}}", "--many", "--yes", "--json"]).object();
    assert_eq!((&changed["matched"], &changed["written"]), (&json!(2), &json!(2)));
    assert!(store(dir, &["undo"]).stderr.contains("Undone"));
    assert_eq!(done(&with(&["count", "--filter", "{s: 'a'}"])), "2\n");
    let replaced = with(&["update", "--filter", "{_id: 1}", "{s: 'b'}", "--yes"]);
    assert_eq!(replaced.status, 2, "an update without operators is no update: {}", replaced.stderr);
    done(&with(&["replace", "--filter", "{_id: 2}", "{whole: 'new'}", "--yes"]));
    let found = with(&["find", "--filter", "{_id: 2}", "--json"]).object();
    assert_eq!(found["document"], json!({"_id": {"$numberInt": "2"}, "whole": "new"}));

    assert_eq!(with(&["delete", "--filter", "{_id: 1}"]).status, 2);
    done(&with(&["delete", "--filter", "{_id: 1}", "--yes"]));
    assert!(store(dir, &["undo"]).stderr.contains("Undone"));
    let kept = with(&["find", "--filter", "{_id: 1}", "--json"]).object();
    assert_eq!(kept["document"]["l"], json!({"$numberLong": "5"}), "types survive the undo");
    let wrong = with(&["find", "--filter", "{s: }"]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.stderr.contains("line 1, column 5"), "{}", wrong.stderr);
}

#[test]
fn a_whole_query_goes_into_a_file_and_back_and_what_is_refused_is_told_by_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, _session) = (dir.path(), session(dir.path()));
    numbers(dir, 2_500);
    let file = dir.join("out.jsonl");
    let name = file.to_str().unwrap();
    let ran = store(dir, &["export", name, "--collection", "numbers", "--filter", "{n: {$gte: 100}}"]);
    assert!(ran.stderr.contains("wrote 2400 documents"), "{}", ran.stderr);
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 2_400);
    assert!(text.contains("\"n\":{\"$numberLong\":\"100\"}"), "canonical: {}", text.lines().next().unwrap());
    assert!(!dir.join("out.jsonl.part").exists());

    let table = dir.join("out.csv");
    done(&store(dir, &["export", table.to_str().unwrap(), "--collection", "numbers", "--sort", "{_id: 1}"]));
    let text = std::fs::read_to_string(&table).unwrap();
    assert!(text.starts_with("_id,n\n0,0\n1,1\n"), "{}", &text[..40]);
    done(&store(dir, &["import", table.to_str().unwrap(), "--collection", "from_table"]));
    assert_eq!(done(&store(dir, &["count", "--collection", "from_table"])), "2500\n");

    std::fs::write(&file, "{\"_id\": 1}\n{\"_id\": }\n{\"_id\": 1}\n{\"_id\": 2}\n").unwrap();
    let ran = store(dir, &["import", name, "--collection", "odd"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("line 2, column 9") && ran.stderr.contains("line 3: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("inserted 2 documents") && ran.stderr.contains("2 could not be"), "{}", ran.stderr);
    assert_eq!(store(dir, &["import", "/nowhere/x.jsonl", "--collection", "odd"]).status, 2);
    let nowhere = store(dir, &["export", "/nowhere/x.jsonl", "--collection", "numbers"]);
    assert_eq!((nowhere.status, nowhere.stderr.contains("can't be written")), (1, true), "{}", nowhere.stderr);
}

#[test]
fn an_export_replaces_no_file_unasked_and_takes_what_a_pipeline_makes() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, _session) = (dir.path(), session(dir.path()));
    numbers(dir, 20);
    let file = dir.join("sums.csv");
    std::fs::write(&file, "precious").unwrap();
    let pipeline = "[{$group: {_id: {$mod: ['$n', 2]}, sum: {$sum: '$n'}}}, {$sort: {_id: 1}}]";
    let export = |more: &[&str]| {
        let asked = ["export", file.to_str().unwrap(), "--collection", "numbers", "--pipeline", pipeline];
        store(dir, &[&asked, more].concat())
    };
    let refused = export(&[]);
    assert_eq!((refused.status, refused.stderr.contains("exists already")), (2, true), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    done(&export(&["--force"]));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "_id,sum\n0,90\n1,100\n");
    let writes =
        store(dir, &["export", dir.join("x.jsonl").to_str().unwrap(), "--collection", "numbers", "--pipeline", "[{$out: 'x'}]"]);
    assert_eq!((writes.status, writes.stderr.contains("writes")), (2, true), "{}", writes.stderr);
}

#[test]
fn documents_of_many_megabytes_go_in_and_come_out_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, _session) = (dir.path(), session(dir.path()));
    let file = dir.join("large.jsonl");
    let text = "x".repeat(6_000_000);
    let document = |n: usize| format!("{{\"_id\":{n},\"text\":\"{text}\"}}\n");
    std::fs::write(&file, (0..4).map(document).collect::<String>()).unwrap();
    done(&store(dir, &["import", file.to_str().unwrap(), "--collection", "large"]));
    // A command of its own, through the door of the running session.
    let base = document(0);
    let mut command = program(dir);
    command.args(["store", "insert", "-", "--collection", "one"]).stdin(std::fs::File::open(&file).unwrap());
    std::fs::write(&file, &base).unwrap();
    done(&Ran::of(command.output().unwrap()));
    for backend in ["driver", "data-api"] {
        let found = store(dir, &["find", "--collection", "large", "--backend", backend, "--limit", "3", "--json"]);
        assert!(found.stderr.contains("There are more"), "{}", found.stderr);
        let lengths: Vec<_> = found.objects().iter().map(|o| o["document"]["text"].as_str().map(str::len)).collect();
        assert_eq!(lengths, [Some(6_000_000); 3], "{backend}");
    }
}

#[test]
fn wrong_credentials_are_told_with_the_variables_to_look_at() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, _session) = (dir.path(), session(dir.path()));
    done(&run(dir, &["env", "set", "DB_PASSWORD=wrong", "API_KEY=wrong", "--apply"]));
    for (backend, variables) in [("driver", "DB_USER and DB_PASSWORD"), ("data-api", "API_KEY")] {
        let refused = store(dir, &["find", "--backend", backend]);
        assert_eq!(refused.status, 1);
        assert!(refused.stderr.contains("refused the credentials") && refused.stderr.contains(variables), "{}", refused.stderr);
        assert!(!refused.stderr.contains("wrong"), "no secret is told: {}", refused.stderr);
    }
    assert_eq!(store(dir, &["collections"]).status, 1, "an error is no empty list");
}

#[test]
fn both_backends_are_compared_by_the_business_id_field_by_field() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, _session) = (dir.path(), session(dir.path()));
    let object = run(dir, &["trigger", "asset_purchase_request_processing", "--wait", "--json"]).objects();
    let id = object[0]["object_id"].as_str().unwrap().to_owned();
    let same = store(dir, &["compare"]);
    assert_eq!(same.status, 0, "{}{}", same.stdout, same.stderr);
    assert!(same.stderr.contains("1 the same, 0 not"), "{}", same.stderr);

    done(&store(
        dir,
        &["update", "--filter", &format!("{{id: '{id}'}}"), "{$set: {'asset.status': 'other'}, $unset: {type: ''}}", "--yes"],
    ));
    let differ = store(dir, &["compare"]);
    assert_eq!(differ.status, 1);
    assert!(differ.stdout.contains(&format!("{id}:")) && differ.stdout.contains("asset.status: "), "{}", differ.stdout);
    assert!(
        differ.stdout.contains("| \"other\"") && differ.stdout.contains("type: \"purchase\" | (not there)"),
        "{}",
        differ.stdout
    );
    let row = &store(dir, &["compare", "--json"]).objects()[0];
    assert_eq!(row["key"], json!(id));
    let paths: Vec<_> = row["differences"].as_array().unwrap().iter().map(|d| d["path"].clone()).collect();
    assert!(paths.contains(&json!("asset.status")) && paths.contains(&json!("type")), "{paths:?}");
    assert!(!paths.contains(&json!("_id")), "the ids of two collections never agree");

    let writers = store(dir, &["writers", &id, "--json"]).object();
    assert_eq!((&writers["delivery"], &writers["operation"]), (&json!(1), &json!("insertOne")));
    assert_eq!(writers["object_id"], json!(id));
}

#[test]
fn the_inspector_tells_indexes_plans_fields_stages_and_sizes() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, _session) = (dir.path(), session(dir.path()));
    numbers(dir, 50);
    let at = ["--collection", "numbers"];
    let with = |more: &[&str]| store(dir, &[more, &at].concat());
    assert!(done(&with(&["explain", "--filter", "{n: 7}"])).contains("looks at every document"));
    done(&with(&["indexes", "--create", "{n: 1}", "--unique"]));
    assert!(done(&with(&["explain", "--filter", "{n: 7}"])).contains("It uses the index n_1"));
    let names: Vec<Value> = with(&["indexes", "--json"]).objects().iter().map(|i| i["name"].clone()).collect();
    assert_eq!(names, ["_id_", "n_1"]);
    assert_eq!(with(&["indexes", "--drop", "n_1"]).status, 2, "asked first");
    done(&with(&["indexes", "--drop", "n_1", "--yes"]));
    assert_eq!(with(&["indexes", "--drop", "_id_", "--yes"]).status, 2);

    let schema = with(&["schema", "--json"]).objects();
    assert_eq!((&schema[1]["path"], &schema[1]["types"]), (&json!("n"), &json!({"long": 50})));
    let sum = with(&["aggregate", "[{$group: {_id: null, sum: {$sum: '$n'}}}]", "--json"]).object();
    assert_eq!(sum["document"]["sum"], json!({"$numberLong": "1225"}));
    let stages = with(&["aggregate", "[{$match: {n: {$lt: 2}}}, {$nonsense: 1}]", "--preview", "--json"]).objects();
    assert_eq!(stages[0]["documents"].as_array().unwrap().len(), 2);
    assert!(stages[1]["error"].as_str().unwrap().contains("nonsense"));
    assert!(done(&store(dir, &["collections"])).contains("numbers"));
    let known = store(dir, &["collections", "--json"]).objects();
    let row = known.iter().find(|row| row["collection"] == "numbers").unwrap();
    assert_eq!((&row["count"], row["bytes"].as_u64().unwrap() > 0), (&json!(50), true));
    assert!(store(dir, &["databases", "--json"]).objects().iter().any(|d| d["database"] == "tutorial" && d["own"] == true));
    for verb in [&["databases"][..], &["indexes"], &["explain"]] {
        let refused = store(dir, &[verb, &["--backend", "data-api"]].concat());
        assert_eq!(refused.status, 1);
        assert!(
            refused.stderr.contains("the data-api backend cannot") && refused.stderr.contains("no action for it"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn a_deployment_elsewhere_is_read_only_until_it_is_unlocked_and_atlas_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, _session) = (dir.path(), session(dir.path()));
    // A name of a zone that never exists (RFC 2606): whatever is tried against it, nothing can be written.
    done(&run(dir, &["env", "set", "DB_HOST=db.invalid:27017", "--apply"]));
    let refused = store(dir, &["insert", "{a: 1}"]);
    assert_eq!(refused.status, 1);
    assert!(
        refused.stderr.contains("db.invalid:27017 is not on this machine") && refused.stderr.contains("--unlock"),
        "{}",
        refused.stderr
    );
    let tried = store(dir, &["insert", "{a: 1}", "--unlock"]);
    assert!(!tried.stderr.contains("reading only") && tried.stderr.contains("was not reached"), "{}", tried.stderr);
    assert!(!tried.stderr.contains("Error {") && !tried.stderr.contains("Kind:"), "in words: {}", tried.stderr);

    let retired = "DATA_API_ENDPOINT=https://eu-west-1.aws.data.mongodb-api.com/app/data-abc/endpoint/data/v1";
    done(&run(dir, &["env", "set", retired, "--apply"]));
    let refused = store(dir, &["find", "--backend", "data-api"]);
    assert!(refused.stderr.contains("switched its Data API off on 2025-09-30"), "{}", refused.stderr);
}
