use super::*;
use crate::extension::HandlerError;
use crate::observe::control::Place;
use crate::observe::{Controls, Observation, Observer, StepKind};

impl Diary {
    fn step(&self, name: &'static str, answer: fn() -> Result<Background, HandlerError>) -> FnStep {
        let (run, undone) = (self.clone(), self.clone());
        FnStep::new(name, move |_, _| {
            run.note(format!("{name}!"));
            async move { answer() }
        })
        .undo(move |_, _| {
            undone.note(format!("{name} undone"));
            async { Ok(()) }
        })
    }
}

fn done() -> Result<Background, HandlerError> {
    Ok(Background::Done)
}

fn broken() -> Result<Background, HandlerError> {
    Err("no licence left".into())
}

fn sequence() -> Sequence {
    Sequence::new("purchase", |_, _| async { Ok(true) })
}

#[tokio::test]
async fn the_steps_of_a_sequence_run_in_order() {
    let (cx, _) = context();
    let diary = Diary::default();
    let saga = Saga::new("s").transaction(sequence().step(diary.step("one", done)).step(diary.step("two", done)));
    assert_eq!(saga.resolve(&cx, &request()).await.unwrap(), Background::Done);
    assert_eq!(diary.read(), ["one!", "two!"]);
}

#[tokio::test]
async fn when_a_step_fails_those_before_it_are_undone_the_last_first_and_it_is_not() {
    let (cx, _) = context();
    let diary = Diary::default();
    let steps = sequence()
        .step(diary.step("one", done))
        .step(diary.step("two", done))
        .step(diary.step("three", broken))
        .step(diary.step("four", done));
    let error = Saga::new("s").transaction(steps).resolve(&cx, &request()).await.unwrap_err();
    assert_eq!(error.to_string(), "the step `three` failed: no licence left");
    assert_eq!(diary.read(), ["one!", "two!", "three!", "two undone", "one undone"]);
}

#[tokio::test]
async fn a_step_that_answers_fail_undoes_those_before_it_and_the_answer_stays_fail() {
    let (cx, _) = context();
    let diary = Diary::default();
    let steps = sequence().step(diary.step("one", done)).step(diary.step("two", || Ok(Background::Fail("not here".into()))));
    let answer = Saga::new("s").transaction(steps).resolve(&cx, &request()).await.unwrap();
    assert_eq!((answer, diary.read().last().cloned()), (Background::Fail("not here".into()), Some("one undone".into())));
}

#[tokio::test]
async fn a_step_that_reschedules_ends_the_sequence_and_nothing_is_undone() {
    let (cx, _) = context();
    let diary = Diary::default();
    let later = || Ok(Background::Reschedule(std::time::Duration::from_secs(60)));
    let steps = sequence().step(diary.step("one", done)).step(diary.step("two", later)).step(diary.step("three", done));
    assert_eq!(Saga::new("s").transaction(steps).resolve(&cx, &request()).await.unwrap(), later().unwrap());
    assert_eq!(diary.read(), ["one!", "two!"]);
}

#[tokio::test]
async fn what_cannot_be_undone_is_named_and_the_rest_is_undone_all_the_same() {
    let (cx, _) = context();
    let diary = Diary::default();
    let stuck = FnStep::new("two", |_, _| async { done() }).undo(|_, _| async { Err("it is gone".into()) });
    let steps = sequence().step(diary.step("one", done)).step(stuck).step(diary.step("three", broken));
    let error = Saga::new("s").transaction(steps).resolve(&cx, &request()).await.unwrap_err();
    let text = "the step `three` failed: no licence left; and `two` could not be undone: it is gone";
    assert_eq!(error.to_string(), text);
    assert_eq!(error.downcast_ref::<SequenceError>().unwrap().left[0].step, "two");
    assert_eq!(diary.read().last().map(String::as_str), Some("one undone"));
}

#[tokio::test]
async fn the_compensation_of_a_sequence_decides_the_answer_after_the_undoing() {
    let (cx, _) = context();
    let diary = Diary::default();
    let steps = sequence()
        .step(diary.step("one", done))
        .step(diary.step("two", broken))
        .compensate(|_, _, error| async move { Ok(Background::Fail(error.to_string())) });
    let answer = Saga::new("s").transaction(steps).resolve(&cx, &request()).await.unwrap();
    assert_eq!(answer, Background::Fail("the step `two` failed: no licence left".into()));
}

#[tokio::test]
async fn each_step_and_each_undoing_is_a_step_of_the_trace() {
    let (cx, memory) = context();
    let steps = sequence()
        .step(
            FnStep::new("tenant", |_, request| async move {
                request.set("note", "made");
                done()
            })
            .undo(|cx, request| async move {
                cx.info("removing");
                request.unset("note");
                Ok(())
            }),
        )
        .step(FnStep::new("user", |_, _| async { broken() }));
    Saga::new("s").transaction(steps).resolve(&cx, &request()).await.unwrap_err();
    assert_eq!(
        trace_of(&memory)[3..],
        [
            "3 execute purchase in 1 with the request",
            "4 execute tenant in 3 with the request",
            "4 Done success, note \"made\"",
            "5 execute user in 3 with the request",
            "5 Failed no licence left",
            "6 compensate tenant in 3 with the request",
            "6 says removing",
            "6 Done , note null",
            "3 Failed the step `user` failed: no licence left",
            "7 compensate purchase in 1 with the request",
            "7 Done passes the error on: the step `user` failed: no licence left",
            "1 Failed the step `user` failed: no licence left",
        ]
    );
}

#[tokio::test]
async fn a_sequence_is_selected_like_any_transaction() {
    let (cx, _) = context();
    let diary = Diary::default();
    let not_now = Sequence::new("not now", |_, request| async move { Ok(request.status() == "approved") });
    let saga = Saga::new("s").transaction(not_now.step(diary.step("one", done))).transaction(diary.transaction("t", true));
    saga.resolve(&cx, &request()).await.unwrap();
    assert_eq!(diary.read(), ["t?", "t!"]);
}

#[tokio::test]
async fn an_abort_before_an_undo_ends_it_all_and_nothing_more_is_undone() {
    struct Stops(Controls);

    impl Observer for Stops {
        fn observe(&self, _: Observation) {}

        fn controls(&self) -> Option<Controls> {
            Some(self.0.clone())
        }
    }

    let controls = Controls::default();
    controls.stop_before(Place { step_kind: Some(StepKind::Compensate), name: Some("two".into()) });
    // Who comes to a breakpoint when the session has ended is aborted there.
    controls.close();
    let (cx, _) = context();
    let cx = Context { scope: Scope::new(Arc::new(Stops(controls))).delivery(DeliveryKey::random()), ..cx };
    let diary = Diary::default();
    let steps = sequence().step(diary.step("one", done)).step(diary.step("two", done)).step(diary.step("three", broken));
    let noted = diary.clone();
    let steps = steps.compensate(move |_, _, error| {
        noted.note("compensated");
        async { Err(error) }
    });
    let error = Saga::new("s").transaction(steps).resolve(&cx, &request()).await.unwrap_err();
    assert_eq!(error.to_string(), "aborted at the breakpoint before compensate two: the session ended");
    assert_eq!(diary.read(), ["one!", "two!", "three!"]);
}
