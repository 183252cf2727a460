//! Sagas whose parts are built from the container.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use super::*;
use crate::connect::Client;
use crate::extension::HandlerError;
use crate::fulfillment::cache::Cache;
use crate::inject;

struct Complete {
    client: Arc<Client>,
    log: Arc<Log>,
    config: Arc<Config>,
    cache: Arc<dyn Cache>,
    request: Arc<Request>,
}
inject!(Complete { client, log, config, cache, request });

#[async_trait]
impl Transaction for Complete {
    fn name(&self) -> &str {
        "complete"
    }

    async fn should_execute(&self, _: &Context, request: &Request) -> Result<bool, HandlerError> {
        Ok(request.status() == "pending")
    }

    async fn execute(&self, _: &Context, request: &Request) -> Result<Background, HandlerError> {
        self.log.info(format!("cache {}, greeting {}", self.cache.driver(), self.config.get("GREETING").unwrap_or("none")));
        assert_eq!(self.request.id(), request.id());
        let _ = &self.client;
        self.request.set("note", "executed");
        Ok(Background::Done)
    }
}

fn with_variables(variables: &[(&str, &str)]) -> (Context, Arc<Memory>) {
    let (mut cx, memory) = context();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    cx.config = Config::new(variables.collect::<BTreeMap<_, _>>());
    (cx, memory)
}

fn logged(memory: &Memory) -> Vec<String> {
    let seen = memory.seen().into_iter();
    seen.filter_map(|o| if let Fact::Log { message, .. } = o.fact { Some(message) } else { None }).collect()
}

#[tokio::test]
async fn a_transaction_is_built_with_client_log_variables_and_cache_and_changes_the_callers_request() {
    let (cx, memory) = with_variables(&[("CACHE_DRIVER", " none "), ("GREETING", "hello")]);
    let request = request();
    let answer = Saga::new("s").inject::<Complete>().resolve(&cx, &request).await.unwrap();
    assert_eq!((answer, request.get("/note")), (Background::Done, Some("executed".into())));
    assert_eq!(logged(&memory), ["PR-1 Cache service configured with none driver.", "PR-1 cache none, greeting hello"]);
}

#[tokio::test]
async fn make_gives_its_own_variables_client_and_log_to_what_is_built() {
    let (cx, of_the_task) = context();
    let (given, own) = with_variables(&[("GREETING", "bonjour")]);
    let saga = Saga::make("s", given.config, given.client, given.scope)
        .transaction(FnTransaction::new("never", |_, _| async { Ok(false) }, |_, _| async { Ok(Background::Done) }))
        .inject::<Greets>();
    saga.resolve(&cx, &request()).await.unwrap();
    assert_eq!(logged(&own), ["PR-1 bonjour"]);
    assert!(logged(&of_the_task).is_empty());
}

struct Greets {
    greeting: String,
    log: Arc<Log>,
}
inject!(Greets { greeting: config, log });

#[async_trait]
impl Transaction for Greets {
    fn name(&self) -> &str {
        "greets"
    }

    async fn should_execute(&self, _: &Context, _: &Request) -> Result<bool, HandlerError> {
        Ok(true)
    }

    async fn execute(&self, _: &Context, _: &Request) -> Result<Background, HandlerError> {
        self.log.info(self.greeting.as_str());
        Ok(Background::Done)
    }
}

#[async_trait]
impl Middleware for Greets {
    fn name(&self) -> &str {
        "greets around"
    }

    async fn handle(&self, _: &Context, request: &Request, next: Next) -> Result<Background, HandlerError> {
        self.log.info(format!("{} around", self.greeting));
        next.run(request).await
    }
}

#[tokio::test]
async fn what_cannot_be_built_fails_before_any_transaction_is_asked_and_the_trace_says_why() {
    let (cx, memory) = context();
    let diary = Diary::default();
    let saga = Saga::new("s").transaction(diary.transaction("first", true)).inject::<Greets>();
    let error = saga.resolve(&cx, &request()).await.unwrap_err();
    assert_eq!(error.to_string(), "Greets needs config key greeting: missing");
    assert!(error.is::<ContainerError>());
    assert_eq!(diary.read(), [""; 0]);
    assert_eq!(endings(&memory), [(StepOutcome::Failed, error.to_string())]);
}

#[tokio::test]
async fn a_function_may_build_a_transaction_and_its_errors_name_it() {
    let sequence = |needs: &Needs<'_>| {
        let (greeting, log) = (needs.config::<String>("greeting")?, needs.get::<Log>()?);
        let step = FnStep::new("greet", move |_, _| {
            log.info(greeting.as_str());
            async { Ok(Background::Done) }
        });
        Ok(Sequence::new("greetings", |_, _| async { Ok(true) }).step(step))
    };
    let saga = Saga::new("s").inject_with(sequence);
    let (cx, memory) = with_variables(&[("GREETING", "hello")]);
    saga.resolve(&cx, &request()).await.unwrap();
    assert_eq!(logged(&memory), ["PR-1 hello"]);
    let error = saga.resolve(&context().0, &request()).await.unwrap_err().to_string();
    assert_eq!(error, "Sequence needs config key greeting: missing");
}

#[tokio::test]
async fn middlewares_are_built_too_and_parts_keep_their_order() {
    let (cx, memory) = with_variables(&[("GREETING", "hello")]);
    let diary = Diary::default();
    let saga = Saga::new("s").inject::<Greets>().middleware(diary.middleware("m")).inject_middleware::<Greets>();
    saga.resolve(&cx, &request()).await.unwrap();
    assert_eq!(
        (diary.read(), logged(&memory)),
        (vec!["m>".into(), "<m".into()], vec!["PR-1 hello around".into(), "PR-1 hello".into()])
    );
}

#[tokio::test]
async fn a_test_swaps_any_binding() {
    let (cx, memory) = with_variables(&[("GREETING", "hello")]);
    let saga = Saga::new("s").inject::<Greets>().swap(|bindings| bindings.config("greeting", "of the test"));
    saga.resolve(&cx, &request()).await.unwrap();
    assert_eq!(logged(&memory), ["PR-1 of the test"]);
}

/// What every saga has cannot be lost to the name of a variable.
#[tokio::test]
async fn variables_called_like_the_frameworks_own_parts_do_no_harm() {
    let names = ["CONFIG", "LOGGER", "CLIENT", "CACHE", "CRITERIA", "ON_MATCH", "REQUEST"];
    let (cx, _) = with_variables(&names.map(|name| (name, "1")));
    assert_eq!(Saga::new("s").inject::<Complete>().resolve(&cx, &request()).await.unwrap(), Background::Done);
}

struct Mail;
impl ServiceProvider for Mail {
    fn key(&self) -> &str {
        "mail"
    }

    fn register(&self, bindings: &mut Bindings) {
        bindings.bind::<Vec<u8>>().provider(|needs| Ok(Arc::new(needs.config::<String>("sender")?.into_bytes())));
    }
}

#[tokio::test]
async fn an_extensions_own_provider_stands_beside_those_of_the_framework_and_two_alike_are_an_error() {
    let (cx, _) = with_variables(&[("SENDER", "me")]);
    let saga = Saga::new("s").provider(Mail);
    let container = saga.container(&cx, &request()).unwrap();
    assert_eq!(*container.get::<Vec<u8>>().unwrap(), b"me");
    let error = saga.provider(Mail).container(&cx, &request()).unwrap_err().to_string();
    assert!(error.contains("bound twice: by the provider mail and by the provider mail"), "{error}");
}

#[tokio::test]
async fn a_saga_of_ready_parts_needs_no_container() {
    let (cx, _) = with_variables(&[("KEY", "1"), ("key", "2")]);
    let ready = Saga::new("s").transaction(Diary::default().transaction("t", true));
    assert_eq!(ready.resolve(&cx, &request()).await.unwrap(), Background::Done);
    let error = ready.inject::<Complete>().resolve(&cx, &request()).await.unwrap_err().to_string();
    assert!(error.contains("by the variable KEY and by the variable key"), "{error}");
}

#[tokio::test]
async fn a_saga_is_a_handler() {
    let (cx, _) = context();
    let handler = Saga::new("s").transaction(Diary::default().transaction("t", true)).handler();
    assert_eq!(handler(cx, Value::Null).await.unwrap(), Background::Done);
}
