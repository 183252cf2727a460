use std::sync::Arc;
use std::time::Instant;

use bson::{Bson, Document, doc};
use connect_console::observe::Discard;
use connect_console::sandbox::{Sandbox, SandboxOptions};
use mongodb::{Client, Database};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::deviations;
use super::generate::Case;
use super::secantus::Server;

/// How many cases, where somebody wants other than those every run has.
const MORE: &str = "CONNECT_CONSOLE_TEST_DIFFERENTIAL";
const SEED: [u8; 32] = *b"the sandbox answers as others do";

/// Both servers, ready to be asked.
pub(crate) struct Judge {
    runtime: tokio::runtime::Runtime,
    ours: Database,
    theirs: Database,
    /// Every case has a collection of its own.
    number: u32,
    _server: Server,
    _sandbox: Sandbox,
    _dir: tempfile::TempDir,
}

impl Judge {
    /// `None`, having said so, without an independent server.
    pub(crate) fn start() -> Option<Self> {
        let server = Server::start()?;
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (sandbox, ours, theirs) = runtime.block_on(async {
            let options = SandboxOptions { dir: dir.path().to_owned(), port: 0, http_port: 0, auth: false };
            let sandbox = Sandbox::start(options, Arc::new(Discard)).await.unwrap();
            let ours = Client::with_uri_str(sandbox.access().connection_string().reveal()).await.unwrap();
            let theirs = Client::with_uri_str(format!("mongodb://{}/?directConnection=true", server.address)).await.unwrap();
            let theirs = theirs.database("differential");
            let ours = ours.database("differential");
            for database in [&ours, &theirs] {
                database.collection("others").insert_many(others()).await.unwrap();
            }
            (sandbox, ours, theirs)
        });
        Some(Self { runtime, ours, theirs, number: 0, _server: server, _sandbox: sandbox, _dir: dir })
    }

    /// Sends the generated cases to both; fails with the smallest case on which they do not agree.
    pub(crate) fn compare(&mut self, sort: &str, cases: &impl Strategy<Value = Case>, usual: u32) {
        let more: Option<u32> = std::env::var(MORE).ok().map(|cases| cases.parse().expect("a number of cases"));
        let rng = match more {
            None => TestRng::from_seed(RngAlgorithm::ChaCha, &SEED),
            Some(_) => TestRng::from_seed(RngAlgorithm::ChaCha, &rand::random::<[u8; 32]>()),
        };
        let config =
            Config { cases: more.unwrap_or(usual), failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() };
        let judge = std::cell::RefCell::new(self);
        let begun = Instant::now();
        let outcome = TestRunner::new_with_rng(config, rng).run(cases, |case| judge.borrow_mut().case(&case));
        if let Err(error) = outcome {
            panic!("{sort}: {error}");
        }
        eprintln!("{sort}: {} cases in {:.1?}", more.unwrap_or(usual), begun.elapsed());
    }

    fn case(&mut self, case: &Case) -> Result<(), TestCaseError> {
        self.number += 1;
        let name = format!("c{}", self.number);
        let mut commands: Vec<Document> = case.commands(&name);
        commands.push(doc! { "find": &name, "filter": {}, "sort": { "_id": 1 } });
        let (ours, theirs) = (self.ours.clone(), self.theirs.clone());
        self.runtime.block_on(async move {
            let mut told = Vec::new();
            for command in commands {
                let (mine, other) = tokio::join!(ask(&ours, &command), ask(&theirs, &command));
                told.push(format!("{command}"));
                // NaN is not equal to itself, but is written alike.
                let compared = [&mine, &other].map(|answer| format!("{:?}", deviations::comparable(&command, answer)));
                if compared[0] != compared[1] {
                    if deviations::is_known(&command, &mine, &other) {
                        break;
                    }
                    let told = told.join("\n  ");
                    return Err(TestCaseError::fail(format!("\n  {told}\nthe sandbox: {mine}\nSecantusDB:  {other}\n")));
                }
            }
            let drop = doc! { "drop": &name };
            let _ = tokio::join!(ours.run_command(drop.clone()), theirs.run_command(drop));
            Ok(())
        })
    }
}

/// What is joined with.
fn others() -> [Document; 5] {
    [
        doc! { "_id": 1, "a": 1, "b": "a" },
        doc! { "_id": 2, "a": [1, 2], "b": null },
        doc! { "_id": 3, "a": { "x": 1 } },
        doc! { "_id": 4, "a": null, "b": 2.5 },
        doc! { "_id": 5, "b": [{ "x": 1 }], "a": "a" },
    ]
}

/// The answer, or the code of the error.
async fn ask(database: &Database, command: &Document) -> Document {
    match database.run_command(command.clone()).await {
        Ok(reply) => reply,
        Err(error) => match error.kind.as_ref() {
            mongodb::error::ErrorKind::Command(refusal) => doc! { "code": refusal.code, "errmsg": &refusal.message },
            other => doc! { "broken": other.to_string(), "for": Bson::Document(command.clone()) },
        },
    }
}
