use super::super::{Memory, Observation, Observer};
use super::*;

struct Watched(Memory, Controls);

impl Observer for Watched {
    fn observe(&self, observation: Observation) {
        self.0.observe(observation);
    }

    fn controls(&self) -> Option<Controls> {
        Some(self.1.clone())
    }
}

fn scope() -> (Controls, Scope, Arc<Watched>) {
    let watched = Arc::new(Watched(Memory::default(), Controls::default()));
    let scope = Scope::new(watched.clone()).delivery(DeliveryKey::random());
    (scope.controls().unwrap().clone(), scope, watched)
}

fn place(kind: StepKind, name: &str) -> Place {
    Place { step_kind: Some(kind), name: Some(name.into()) }
}

fn kinds(watched: &Watched) -> Vec<String> {
    let kind = |o: Observation| serde_json::to_value(o.fact).unwrap()["kind"].as_str().unwrap().to_owned();
    watched.0.seen().into_iter().map(kind).collect()
}

async fn held(controls: &Controls) -> u64 {
    let mut changes = controls.changes();
    loop {
        if let Some(id) = controls.set().held.keys().next() {
            return *id;
        }
        changes.changed().await.unwrap();
    }
}

#[tokio::test]
async fn a_delivery_waits_at_its_breakpoint_until_it_is_let_go_and_only_there() {
    let (controls, scope, watched) = scope();
    let id = controls.stop_before(place(StepKind::Execute, "Create User"));
    assert_eq!(controls.before(&scope, StepKind::Decision, "create user", || None).await, Verdict::Run);
    assert_eq!(controls.before(&scope, StepKind::Execute, "approve", || None).await, Verdict::Run);
    let (waiting, within) = (controls.clone(), scope.clone());
    let waits = tokio::spawn(async move { waiting.before(&within, StepKind::Execute, "create user", || None).await });
    let at = held(&controls).await;
    assert!(controls.holds(scope.key().unwrap()));
    assert!(controls.release(at, Release::Continue) && !controls.release(at, Release::Continue));
    assert_eq!(waits.await.unwrap(), Verdict::Run);
    assert!(!controls.holds(scope.key().unwrap()));
    assert_eq!(kinds(&watched), ["held", "released"], "what goes on unchanged is not marked");
    assert!(controls.take_back(id) && !controls.take_back(id));
}

#[tokio::test]
async fn what_is_skipped_or_aborted_is_marked() {
    for (how, expected) in [(Release::Skip, "skipped"), (Release::Abort, "aborted")] {
        let (controls, scope, watched) = scope();
        controls.stop_before(Place::default());
        let (waiting, within) = (controls.clone(), scope.clone());
        let waits = tokio::spawn(async move { waiting.before(&within, StepKind::Compensate, "x", || None).await });
        controls.release(held(&controls).await, how);
        let (Verdict::Skip(why) | Verdict::Abort(why)) = waits.await.unwrap() else { panic!("it ran") };
        assert!(why.contains(expected), "{why}");
        assert_eq!(kinds(&watched), ["held", "released", "injected"]);
    }
}

#[tokio::test]
async fn a_fault_strikes_the_next_run_of_its_step_and_no_other() {
    let (controls, scope, watched) = scope();
    controls.spoil(place(StepKind::Execute, "pay"), Fault::Fail { message: "no money".into() });
    let verdict = controls.before(&scope, StepKind::Execute, "pay", || None).await;
    assert_eq!(verdict, Verdict::Fail("injected into execute pay: no money".into()));
    assert_eq!(controls.before(&scope, StepKind::Execute, "pay", || None).await, Verdict::Run);
    assert_eq!(kinds(&watched), ["injected"]);
}

#[tokio::test]
async fn a_late_step_is_told_so_and_a_hanging_one_is_told_nothing() {
    let (controls, scope, watched) = scope();
    controls.spoil(Place::default(), Fault::Late { millis: 50 });
    assert_eq!(controls.before(&scope, StepKind::Execute, "x", || None).await, Verdict::Late(50));
    assert_eq!(kinds(&watched), ["injected"]);
    controls.spoil(Place::default(), Fault::Hang);
    let hangs = controls.before(&scope, StepKind::Execute, "x", || None);
    assert!(tokio::time::timeout(Duration::from_millis(50), hangs).await.is_err());
}

#[tokio::test]
async fn the_next_write_of_a_backend_fails_once_and_only_a_deliverys() {
    let (controls, scope, watched) = scope();
    controls.spoil_write(Backend::Driver);
    assert_eq!(controls.before_write(&Scope::discard(), Backend::Driver), None);
    assert_eq!(controls.before_write(&scope, Backend::DataApi), None);
    assert!(controls.before_write(&scope, Backend::Driver).unwrap().contains("driver"));
    assert_eq!(controls.before_write(&scope, Backend::Driver), None);
    assert_eq!(kinds(&watched), ["injected"]);
}

#[tokio::test]
async fn who_is_given_up_while_it_waits_is_no_longer_held() {
    let (controls, scope, _) = scope();
    controls.stop_before(Place::default());
    let (waiting, within) = (controls.clone(), scope.clone());
    let waits = tokio::spawn(async move { waiting.before(&within, StepKind::Execute, "x", || None).await });
    held(&controls).await;
    waits.abort();
    assert!(waits.await.unwrap_err().is_cancelled());
    assert!(controls.set().held.is_empty());
}

#[tokio::test]
async fn when_the_session_ends_no_step_runs_that_a_developer_wanted_to_look_at_first() {
    let (controls, scope, watched) = scope();
    controls.stop_before(place(StepKind::Execute, "pay"));
    let (waiting, within) = (controls.clone(), scope.clone());
    let waits = tokio::spawn(async move { waiting.before(&within, StepKind::Execute, "pay", || None).await });
    held(&controls).await;
    controls.close();
    let ended = Verdict::Abort("aborted at the breakpoint before execute pay: the session ended".into());
    assert_eq!(waits.await.unwrap(), ended);
    assert_eq!(kinds(&watched), ["held", "released", "injected"]);
    assert_eq!(controls.before(&scope, StepKind::Execute, "pay", || None).await, ended, "nor for who comes there meanwhile");
    assert_eq!(controls.before(&scope, StepKind::Execute, "other", || None).await, Verdict::Run);
    assert!(controls.set().held.is_empty());
}

#[test]
fn a_breakpoint_that_is_set_already_is_not_set_once_more() {
    let controls = Controls::default();
    let id = controls.stop_before(place(StepKind::Execute, "Pay"));
    assert_eq!(controls.stop_before(place(StepKind::Execute, "pay")), id);
    assert_ne!(controls.stop_before(place(StepKind::Decision, "pay")), id);
    assert_ne!(controls.stop_before(Place { step_kind: None, name: Some("pay".into()) }), id);
    assert_eq!(controls.set().breakpoints.len(), 3);
}
