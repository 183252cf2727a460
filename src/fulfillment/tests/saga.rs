use std::time::Duration;

use rstest::rstest;
use serde_json::Value;

use super::*;
use crate::extension::HandlerError;

#[tokio::test]
async fn the_first_transaction_that_should_execute_is_selected_and_those_after_it_are_not_asked() {
    let (cx, _) = context();
    let diary = Diary::default();
    let saga = Saga::new("s")
        .transaction(diary.transaction("one", false))
        .transaction(diary.transaction("two", true))
        .transaction(diary.transaction("three", true));
    assert_eq!(saga.resolve(&cx, &request()).await.unwrap(), Background::Done);
    assert_eq!(diary.read(), ["one?", "two?", "two!"]);
}

#[tokio::test]
async fn a_saga_without_transactions_cannot_select_one() {
    let (cx, _) = context();
    let error = Saga::new("s").resolve(&cx, &request()).await.unwrap_err();
    assert_eq!(error.to_string(), "Unable to select a transaction.");
    assert_eq!(error.downcast_ref(), Some(&TransactionError::NotSelected));
}

#[tokio::test]
async fn when_none_should_execute_no_middleware_runs() {
    let (cx, _) = context();
    let diary = Diary::default();
    let saga = Saga::new("s").transaction(diary.transaction("one", false)).middleware(diary.middleware("m"));
    assert!(saga.resolve(&cx, &request()).await.is_err());
    assert_eq!(diary.read(), ["one?"]);
}

#[tokio::test]
async fn an_error_in_a_decision_ends_the_saga_uncompensated() {
    let (cx, _) = context();
    let diary = Diary::default();
    let compensations = diary.clone();
    let broken = FnTransaction::new("broken", |_, _| async { Err("no idea".into()) }, |_, _| async { Ok(Background::Done) })
        .compensate(move |_, _, error| {
            compensations.note("compensated");
            async { Err(error) }
        });
    let saga = Saga::new("s").transaction(broken).transaction(diary.transaction("next", true));
    assert_eq!(saga.resolve(&cx, &request()).await.unwrap_err().to_string(), "no idea");
    assert_eq!(diary.read(), [""; 0]);
}

#[tokio::test]
async fn a_failed_execution_answers_what_its_compensation_answers() {
    let (cx, _) = context();
    let transaction =
        Diary::default().failing("t").compensate(|_, _, error| async move { Ok(Background::Fail(error.to_string())) });
    let answer = Saga::new("s").transaction(transaction).resolve(&cx, &request()).await.unwrap();
    assert_eq!(answer, Background::Fail("it broke".into()));
}

#[tokio::test]
async fn without_a_compensation_the_error_reaches_the_caller() {
    let (cx, _) = context();
    let error = Saga::new("s").transaction(Diary::default().failing("t")).resolve(&cx, &request()).await.unwrap_err();
    assert_eq!(error.to_string(), "it broke");
}

#[tokio::test]
async fn an_error_of_the_compensation_reaches_the_caller_and_nothing_is_tried_again() {
    let (cx, _) = context();
    let diary = Diary::default();
    let transaction = diary.failing("t").compensate(|_, _, _| async { Err("that too".into()) });
    let error = Saga::new("s").transaction(transaction).resolve(&cx, &request()).await.unwrap_err();
    assert_eq!(error.to_string(), "that too");
    assert_eq!(diary.read(), ["t!"]);
}

#[tokio::test]
async fn the_first_middleware_is_the_outermost() {
    let (cx, _) = context();
    let diary = Diary::default();
    let saga = Saga::new("s")
        .transaction(diary.transaction("t", true))
        .middleware(diary.middleware("m1"))
        .middleware(diary.middleware("m2"));
    saga.resolve(&cx, &request()).await.unwrap();
    assert_eq!(diary.read(), ["t?", "m1>", "m2>", "t!", "<m2", "<m1"]);
}

#[rstest]
#[tokio::test]
async fn every_middleware_runs_exactly_once(#[values(0, 1, 2, 5, 10)] count: usize) {
    let (cx, _) = context();
    let diary = Diary::default();
    let mut saga = Saga::new("s").transaction(diary.transaction("t", true));
    for _ in 0..count {
        saga = saga.middleware(diary.middleware("m"));
    }
    assert_eq!(saga.resolve(&cx, &request()).await.unwrap(), Background::Done);
    assert_eq!(diary.read().iter().filter(|note| *note == "m>").count(), count);
}

#[tokio::test]
async fn a_middleware_may_answer_without_calling_on_and_the_trace_says_so() {
    let (cx, memory) = context();
    let diary = Diary::default();
    let saga = Saga::new("s")
        .transaction(diary.transaction("t", true))
        .middleware(FnMiddleware::new("offline", |_, _, _| async { Ok(Background::Skip(Some("offline".into()))) }));
    assert_eq!(saga.resolve(&cx, &request()).await.unwrap(), Background::Skip(Some("offline".into())));
    assert_eq!(diary.read(), ["t?"]);
    assert!(endings(&memory).contains(&(StepOutcome::Done, "skip: offline (without calling on)".into())));
}

#[tokio::test]
async fn a_middleware_may_change_the_request_before_and_the_answer_after() {
    let (cx, _) = context();
    let seen = Diary::default();
    let inside = seen.clone();
    let transaction = FnTransaction::new(
        "t",
        |_, _| async { Ok(true) },
        move |_, request| {
            inside.note(request.get("/note").unwrap_or_default().to_string());
            async { Ok(Background::Done) }
        },
    );
    let saga = Saga::new("s").transaction(transaction).middleware(FnMiddleware::new("m", |_, request, next| async move {
        request.update(|raw| raw["note"] = "changed".into());
        next.run(&request).await?;
        Ok(Background::Reschedule(Duration::from_secs(60)))
    }));
    assert_eq!(saga.resolve(&cx, &request()).await.unwrap(), Background::Reschedule(Duration::from_secs(60)));
    assert_eq!(seen.read(), ["\"changed\""]);
}

#[tokio::test]
async fn an_error_of_a_middleware_is_not_compensated() {
    let (cx, _) = context();
    let diary = Diary::default();
    let compensations = diary.clone();
    let transaction = diary.transaction("t", true).compensate(move |_, _, error| {
        compensations.note("compensated");
        async { Err(error) }
    });
    let saga = Saga::new("s").transaction(transaction).middleware(FnMiddleware::new("m", |_, request, next| async move {
        next.run(&request).await?;
        Err("after all".into())
    }));
    assert_eq!(saga.resolve(&cx, &request()).await.unwrap_err().to_string(), "after all");
    assert_eq!(diary.read(), ["t?", "t!"]);
}

#[tokio::test]
async fn what_a_transaction_changes_in_the_request_its_caller_sees() {
    let (cx, _) = context();
    let transaction = FnTransaction::new(
        "t",
        |_, request| async move { Ok(request.status() == "pending") },
        |_, request| async move {
            request.update(|raw| raw["status"] = "approved".into());
            Ok(Background::Done)
        },
    );
    let request = request();
    Saga::new("s").transaction(transaction).resolve(&cx, &request).await.unwrap();
    assert_eq!(request.status(), "approved");
    assert_eq!((request.id().as_str(), request.request_type().as_str()), ("PR-1", "purchase"));
}

#[tokio::test]
async fn every_decision_middleware_execution_and_compensation_is_a_step_of_the_trace() {
    let (cx, memory) = context();
    let diary = Diary::default();
    let fails = FnTransaction::new(
        "create",
        |_, _| async { Ok(true) },
        |cx, request| async move {
            cx.info("creating");
            request.update(|raw| raw["note"] = "half".into());
            Err::<Background, HandlerError>("it broke".into())
        },
    )
    .compensate(|_, request, error| async move {
        request.update(|raw| raw["note"] = Value::Null);
        Err(error)
    });
    let saga = Saga::new("purchase")
        .transaction(diary.transaction("other", false))
        .transaction(fails)
        .middleware(diary.middleware("guard"));
    saga.resolve(&cx, &request()).await.unwrap_err();
    assert_eq!(
        trace_of(&memory),
        [
            "1 saga purchase in 0 with the request",
            "2 decision other in 1",
            "2 No ",
            "3 decision create in 1",
            "3 Yes ",
            "4 middleware guard in 1 with the request",
            "5 execute create in 4 with the request",
            "5 says creating",
            "5 Failed it broke, note \"half\"",
            "6 compensate create in 4 with the request",
            "6 Done passes the error on: it broke, note null",
            "4 Failed it broke, note null",
            "1 Failed it broke, note null",
        ]
    );
}

#[tokio::test]
async fn a_failed_compensation_and_a_failed_decision_are_red_in_the_trace() {
    let (cx, memory) = context();
    let transaction = Diary::default().failing("t").compensate(|_, _, _| async { Err("that too".into()) });
    Saga::new("s").transaction(transaction).resolve(&cx, &request()).await.unwrap_err();
    let failed = |text: &str| (StepOutcome::Failed, text.to_owned());
    assert_eq!(endings(&memory)[1..], [failed("it broke"), failed("that too"), failed("that too")]);
}

#[rstest]
#[case(Background::Done, "success")]
#[case(Background::Skip(None), "skip")]
#[case(Background::Fail("no licence".into()), "fail: no licence")]
#[case(Background::Reschedule(Duration::from_secs(1)), "reschedule in 30 s")]
fn an_answer_is_told_in_words(#[case] answer: Background, #[case] words: &str) {
    assert_eq!(trace::words(&answer), words);
}
