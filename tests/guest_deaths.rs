//! What a guest that dies leaves: no process, no task that seems to be in good hands, no task that is lost.
//!
//! Needs what `guest_official_runner.rs` needs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test] functions fail by panicking
#![cfg(all(feature = "console", target_os = "linux"))]

#[path = "support/guest.rs"]
mod guest;
#[path = "support/processes.rs"]
mod processes;
mod support;
#[path = "support/until.rs"]
mod until;

use std::sync::Arc;
use std::time::Duration;

use connect_console::authority::Authority;
use connect_console::observe::{Fact, Memory, Observer};
use connect_console::platform::{Observed, Platform, PlatformOptions, Tls};
use guest::{PATIENCE, Project};
use processes::all_ended;
use rstest::rstest;
use rustix::process::{Pid, Signal, getpgid, kill_process, test_kill_process};
use serde_json::Value;
use support::Running;
use tokio::time::timeout;
use until::until_seen;

const PURCHASE: &str = "asset_purchase_request_processing";
/// From the death of a process to what is seen of it. Debug builds beside other builds are slow.
const PROMPTLY: Duration = Duration::from_secs(5);
/// The official runner looks after its workers once a second.
const WITH_ITS_LOOK: Duration = Duration::from_secs(6);

/// An extension that does something the first time, and nothing at all after that.
struct Shop {
    project: Project,
    session: Running,
    background_worker: Pid,
}

impl Shop {
    fn that_first(does: &str) -> Option<Self> {
        let project = project_that_first(does)?;
        let mut worker = None;
        let session = project.session(&[], |message| {
            if let Some(pid) = message.strip_prefix("Background worker pid: ") {
                worker = Pid::from_raw(pid.parse().unwrap());
            }
        });
        Some(Self { project, session, background_worker: worker.expect("the runner tells the worker's pid") })
    }

    /// The delivery that does it, once it has; and the guest's processes then.
    fn delivery(&self) -> (Value, Vec<Pid>) {
        self.project.run(&["--json", "trigger", PURCHASE, "--set", "note=bench:once"]).object();
        let found = self.session.until_within(PATIENCE, "the handler", |seen| seen["kind"] == "step_started");
        (found["delivery"].clone(), self.project.processes())
    }

    /// The delivery has no runner any more, and a log line begins like this; in whatever order.
    fn sees_the_death(&self, patience: Duration, delivery: &Value, line: &str) {
        let (mut gone, mut said) = (false, false);
        self.session.until_within(patience, "what is seen of the death", |seen| {
            gone |= seen["kind"] == "runner_gone" && seen["delivery"] == *delivery;
            said |= seen["message"].as_str().unwrap_or_default().starts_with(line);
            gone && said
        });
    }

    /// The task comes again to a guest that lives, and is done.
    fn finishes(self) {
        let answer = self.session.until_within(PATIENCE, "the task again", |seen| seen["kind"] == "answered");
        let again = self.project.run(&["--json", "events", "show", &answer["delivery"].to_string()]).object();
        assert_eq!((&again["result"], &again["attempt"]), (&"success".into(), &2.into()), "{again}");
        assert!(self.session.terminate().success());
        assert_eq!(self.project.processes(), []);
    }
}

fn project_that_first(does: &str) -> Option<Project> {
    let project = Project::copy_of("probe")?;
    let once = format!(
        "        if name == 'once' and not os.path.exists('came'):\n            open('came', 'w').close()\n            \
         {does}\n            await asyncio.Event().wait()\n        if name == 'hang':\n"
    );
    project.change("probe/events.py", &[("        if name == 'hang':\n", &once)]);
    Some(project)
}

/// The process that leads the group of the guest: the official runner's own.
fn leader(of: &[Pid]) -> Pid {
    of.iter().copied().find(|pid| getpgid(Some(*pid)).is_ok_and(|group| group == *pid)).expect("a leader")
}

fn lives(pid: Pid) -> bool {
    test_kill_process(pid).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_killed_takes_its_workers_along_and_what_they_had_waits_for_a_runner_at_once() {
    let Some(shop) = Shop::that_first("pass") else { return };
    let (delivery, processes) = shop.delivery();
    assert!(processes.len() >= 3, "the runner and its workers: {processes:?}");
    kill_process(leader(&processes), Signal::KILL).unwrap();
    shop.sees_the_death(PROMPTLY, &delivery, "the runner ended: signal 9; it is started again in 1 s");
    timeout(PROMPTLY, all_ended(processes)).await.expect("somebody outlives the runner");
    let listed = shop.project.run(&["events", "list"]).stdout;
    let why = "the runner probe is gone and has not answered; the task waits for a runner";
    assert!(listed.contains("  no runner  ") && listed.trim_end().ends_with(why), "{listed}");
    shop.finishes();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_that_dies_leaves_behind_does_not_hide_its_death() {
    // A fork has the worker's socket, which so stays open.
    let fork = "if os.fork() == 0:\n                import time\n                time.sleep(600)\n            self.logger.info('forked')";
    let Some(shop) = Shop::that_first(fork) else { return };
    let (delivery, _) = shop.delivery();
    shop.session.until_logged(PATIENCE, |line| line == "forked");
    let processes = shop.project.processes();
    let leader = leader(&processes);
    let parent = |pid: &Pid| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit_once(')').and_then(|(_, rest)| Pid::from_raw(rest.split_whitespace().nth(1)?.parse().ok()?))
    };
    let mut dead: Vec<Pid> = processes.iter().copied().filter(|pid| parent(pid) == Some(shop.background_worker)).collect();
    assert_eq!(dead.len(), 1, "{processes:?}");
    dead.push(shop.background_worker);
    kill_process(shop.background_worker, Signal::KILL).unwrap();
    let said = "the background worker died; 1 process left without a parent ended with it";
    shop.sees_the_death(WITH_ITS_LOOK, &delivery, said);
    timeout(PROMPTLY, all_ended(dead)).await.expect("somebody outlives the worker");
    assert!(lives(leader), "the runner starts a new worker itself");
    shop.finishes();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_leaves_without_an_error_which_the_runner_puts_up_with_is_started_again_with_it() {
    let Some(shop) = Shop::that_first("os._exit(0)") else { return };
    let (delivery, processes) = shop.delivery();
    let said = "the runner ended: its background worker left with exit status 0, and it does not start that one again; ";
    shop.sees_the_death(PATIENCE, &delivery, said);
    timeout(PATIENCE, all_ended(processes)).await.expect("somebody of the old runner is left");
    shop.finishes();
}

#[rstest]
#[case::a_worker(false)]
#[case::the_whole_runner(true)]
#[tokio::test(flavor = "multi_thread")]
async fn before_a_real_connect_what_a_dead_guest_had_is_said_and_answered_once_when_it_is_given_out_again(#[case] whole: bool) {
    let Some(project) = project_that_first("pass") else { return };
    connect_console::connect::tls::install();
    let (there, seen) = (tempfile::tempdir().unwrap(), Arc::new(Memory::default()));
    let tls = Some(Tls { authority: Authority::open(there.path()).unwrap(), port: 0 });
    let options =
        PlatformOptions { dir: there.path().to_owned(), tls, observed: Observed::Everybody, ..PlatformOptions::default() };
    let platform = Platform::start(options, Arc::clone(&seen) as Arc<dyn Observer>).await.unwrap();
    let mut worker = None;
    let session = project.session_before(platform.access(), |message| {
        if let Some(pid) = message.strip_prefix("Background worker pid: ") {
            worker = Pid::from_raw(pid.parse().unwrap());
        }
    });
    platform.trigger(PURCHASE, None, &[("note".into(), "bench:once".into())]).await.unwrap();
    let begun = session.until_within(PATIENCE, "the handler", |seen| seen["kind"] == "step_started");

    let processes = project.processes();
    kill_process(if whole { leader(&processes) } else { worker.unwrap() }, Signal::KILL).unwrap();
    let interrupted = |seen: &Value| seen["kind"] == "interrupted" && seen["delivery"] == begun["delivery"];
    let said = session.until_within(PROMPTLY, "the death", interrupted);
    let why = "the runner far-away was gone before it answered; the task is delivered again";
    assert_eq!(said["reason"], why);
    let listed = project.run(&["events", "list"]).stdout;
    assert!(listed.contains("  interrupted  ") && listed.trim_end().ends_with(why), "{listed}");

    let sent = session.until_within(PATIENCE, "the task again", |seen| seen["kind"] == "result_sent");
    let again = project.run(&["--json", "events", "show", &sent["delivery"].to_string()]).object();
    assert_eq!((&again["result"], &again["attempt"]), (&"success".into(), &2.into()), "{again}");
    let settled = || (platform.pending() == 0).then_some(());
    until_seen(&seen, PATIENCE, "the result at Connect", settled).await;
    assert!(session.terminate().success());
    assert_eq!(project.processes(), []);
    let answers = seen.seen().iter().filter(|o| matches!(o.fact, Fact::Answered(_))).count();
    assert_eq!(answers, 1, "a task is answered once");
    platform.stop().await;
}
