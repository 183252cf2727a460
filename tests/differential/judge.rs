use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bson::{Bson, Document, doc};
use connect_console::observe::Discard;
use connect_console::sandbox::{Sandbox, SandboxOptions};
use mongodb::{Client, Database};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::deviations::{self, Difference, Server as Side};
use super::generate::Case;
use super::secantus::Server;

/// How many cases, where somebody wants other than those every run has: `2500`, or `2500:SEED` for those of a run before.
const MORE: &str = "CONNECT_CONSOLE_TEST_DIFFERENTIAL";
const SEED: [u8; 32] = *b"the sandbox answers as others do";

/// Both servers, ready to be asked.
pub(crate) struct Judge {
    runtime: tokio::runtime::Runtime,
    ours: Database,
    theirs: Database,
    /// Every case has a collection of its own.
    number: u32,
    /// How often each difference was met that is no fault of the sandbox.
    known: BTreeMap<&'static str, u32>,
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
        Some(Self { runtime, ours, theirs, number: 0, known: BTreeMap::new(), _server: server, _sandbox: sandbox, _dir: dir })
    }

    /// Sends the generated cases to both; fails with the smallest case on which they do not agree.
    pub(crate) fn compare(&mut self, sort: &str, cases: &impl Strategy<Value = Case>, usual: u32) {
        let more = std::env::var(MORE).ok();
        let (cases_of_it, seed) = match more.as_deref().map(|more| more.split_once(':').unwrap_or((more, ""))) {
            None => (usual, None),
            Some((cases, "")) => (cases.parse().expect("a number of cases"), Some(rand::random())),
            Some((cases, seed)) => (cases.parse().expect("a number of cases"), Some(seed.parse().expect("a seed"))),
        };
        let bytes = seed.map_or(SEED, |seed: u64| std::array::from_fn(|at| seed.to_le_bytes()[at % 8]));
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let config = Config { cases: cases_of_it, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() };
        let judge = std::cell::RefCell::new(&mut *self);
        let begun = Instant::now();
        let outcome = TestRunner::new_with_rng(config, rng).run(cases, |case| judge.borrow_mut().case(&case));
        if let Err(error) = outcome {
            panic!("{sort}, seed {seed:?}: {error}");
        }
        eprintln!("{sort}: {cases_of_it} cases in {:.1?}; SecantusDB's: {:?}", begun.elapsed(), self.known);
    }

    fn case(&mut self, case: &Case) -> Result<(), TestCaseError> {
        self.number += 1;
        let name = format!("c{}", self.number);
        let mut commands: Vec<Document> = case.commands(&name);
        commands.push(doc! { "find": &name, "filter": {}, "sort": { "_id": 1 } });
        let (inserted, mut told) = (commands[0].clone(), Vec::new());
        for (at, command) in commands.iter().enumerate() {
            let both = async { tokio::join!(ask(&self.ours, command), ask(&self.theirs, command)) };
            let (ours, theirs) = self.runtime.block_on(both);
            told.push(format!("{command}"));
            // NaN is not equal to itself, but is written alike.
            let compared = [&ours, &theirs].map(|answer| format!("{:?}", deviations::comparable(command, answer)));
            if compared[0] != compared[1] {
                let more = |side, command| {
                    self.runtime.block_on(ask(if matches!(side, Side::Ours) { &self.ours } else { &self.theirs }, &command))
                };
                let difference = Difference {
                    before: &commands[..at],
                    inserted: &inserted,
                    command,
                    ours: &ours,
                    theirs: &theirs,
                    ask: &more,
                };
                let Some(name) = deviations::known(&difference) else {
                    let told = told.join("\n  ");
                    return Err(TestCaseError::fail(format!("\n  {told}\nthe sandbox: {ours}\nSecantusDB:  {theirs}\n")));
                };
                *self.known.entry(name).or_default() += 1;
                break;
            }
            if deviations::failed_on_its_way(command, &ours) {
                break;
            }
        }
        let drop = doc! { "drop": &name };
        let both = async { tokio::join!(self.ours.run_command(drop.clone()), self.theirs.run_command(drop.clone())) };
        let _ = self.runtime.block_on(both);
        Ok(())
    }
}

/// What is joined with.
fn others() -> [Document; 5] {
    [
        doc! { "_id": 1, "a": 2, "b": "a" },
        doc! { "_id": 2, "a": [7, 2], "b": null },
        doc! { "_id": 3, "a": { "x": 7 } },
        doc! { "_id": 4, "a": null, "b": 2.5 },
        doc! { "_id": 5, "b": [{ "x": 7 }], "a": "a" },
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
