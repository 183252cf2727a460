use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::fulfillment::ServiceProvider;
use crate::inject;

trait Cache: Send + Sync {
    fn dir(&self) -> &str;
}

#[derive(Debug)]
struct Files(String);

impl Cache for Files {
    fn dir(&self) -> &str {
        &self.0
    }
}

#[derive(Debug)]
struct CreateUser {
    client: Arc<String>,
    greeting: Arc<str>,
    cache: Arc<Files>,
}
inject!(CreateUser { client, greeting: named, cache });

struct Clerk {
    cache: Arc<dyn Cache>,
}
inject!(Clerk { cache });

struct Office {
    clerk: Arc<Clerk>,
}
inject!(Office { clerk });

fn files(bindings: &mut Bindings) {
    bindings.bind::<dyn Cache>().provider(|needs| Ok(Arc::new(Files(needs.config("cache_dir")?))));
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[test]
fn what_is_made_gets_instances_and_what_providers_make_of_others() {
    let container = Container::with(|bindings| {
        bindings.bind::<String>().instance(Arc::new("client".into()));
        bindings.bind::<str>().named("greeting").instance("hello".into());
        bindings.bind::<Files>().provider(|needs| Ok(Arc::new(Files(format!("of {}", needs.get::<String>()?)))));
    })
    .unwrap();
    let made = container.make::<CreateUser>().unwrap();
    assert_eq!((made.client.as_str(), &*made.greeting, made.cache.dir()), ("client", "hello", "of client"));
}

#[test]
fn what_is_missing_is_named_with_all_that_needs_it() {
    let nothing = Container::default();
    assert_eq!(said(nothing.make::<CreateUser>().unwrap_err()), "CreateUser needs String: missing");
    assert_eq!(said(nothing.get::<dyn Cache>().err().unwrap()), "dyn Cache: missing");
    assert_eq!(said(nothing.named::<str>("x").unwrap_err()), "str `x`: missing");
    let container = Container::with(|bindings| {
        bindings.bind::<Clerk>().class();
        files(bindings);
    });
    let error = container.unwrap().make::<Office>().err().unwrap();
    assert!(matches!(error, ContainerError::Missing(_)));
    assert_eq!(said(error), "Office needs Clerk needs dyn Cache needs config key cache_dir: missing");
}

#[test]
fn what_is_asked_for_itself_is_new_each_time_and_its_dependencies_are_shared() {
    let container = Container::with(|bindings| {
        bindings.bind::<Clerk>().class();
        bindings.config("CACHE_DIR", "/d");
        files(bindings);
    })
    .unwrap();
    let (one, other) = (container.make::<Office>().unwrap(), container.make::<Office>().unwrap());
    assert!(Arc::ptr_eq(&one.clerk, &other.clerk));
    assert!(Arc::ptr_eq(&one.clerk.cache, &container.get::<dyn Cache>().unwrap()));
}

#[test]
fn a_class_bound_under_two_names_is_one_instance() {
    let container = Container::with(|bindings| {
        bindings.config("CACHE_DIR", "/d");
        files(bindings);
        bindings.bind::<Clerk>().class();
        bindings.bind::<Clerk>().named("one").provider(|needs| Ok(needs.get()?));
        bindings.bind::<Clerk>().named("two").provider(|needs| Ok(needs.get()?));
    })
    .unwrap();
    assert!(Arc::ptr_eq(&container.named::<Clerk>("one").unwrap(), &container.named::<Clerk>("two").unwrap()));
}

#[test]
fn what_is_bound_as_each_is_made_anew_for_everyone() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let container = Container::with(|bindings| {
        bindings.bind::<usize>().each(move |_| Ok(Arc::new(counter.fetch_add(1, Ordering::Relaxed))));
    })
    .unwrap();
    assert_eq!((*container.get::<usize>().unwrap(), *container.get::<usize>().unwrap()), (0, 1));
}

#[derive(Debug)]
struct Hen {
    _egg: Arc<Egg>,
}
inject!(Hen { _egg });

#[derive(Debug)]
struct Egg {
    _hen: Arc<Hen>,
}
inject!(Egg { _hen });

#[test]
fn a_cycle_is_found_and_named() {
    let container = Container::with(|bindings| {
        bindings.bind::<Hen>().class();
        bindings.bind::<Egg>().class();
    })
    .unwrap();
    assert_eq!(said(container.get::<Hen>().unwrap_err()), "Hen needs Egg needs Hen: a cycle");
    assert_eq!(said(container.make::<Egg>().unwrap_err()), "Egg needs Hen needs Egg: a cycle");
}

#[test]
fn what_is_bound_twice_is_an_error_before_anything_is_made() {
    let error = Container::with(|bindings| {
        bindings.bind::<String>().instance(Arc::default());
        bindings.bind::<String>().named("n").instance(Arc::default());
        bindings.bind::<String>().provider(|_| Ok(Arc::default()));
    });
    let twice = "String is bound twice: by hand and by hand; bind one of them by a name, or leave one out";
    assert_eq!(said(error.unwrap_err()), twice);
    let error = Container::with(|bindings| {
        bindings.config("KEY", "1");
        bindings.config("Key", "2");
    });
    let text = said(error.unwrap_err());
    assert!(text.starts_with("config key key is bound twice: by the variable KEY and by the variable Key"), "{text}");
}

#[derive(Debug)]
struct Greetings(&'static str);

impl ServiceProvider for Greetings {
    fn key(&self) -> &str {
        self.0
    }

    fn register(&self, bindings: &mut Bindings) {
        bindings.bind::<str>().named(self.0).instance(self.0.into());
    }
}

#[test]
fn two_providers_of_one_type_both_count() {
    let container = Container::with(|bindings| {
        bindings.provider(&Greetings("hello"));
        bindings.provider(&Greetings("bye"));
    })
    .unwrap();
    assert_eq!(&*container.named::<str>("hello").unwrap(), "hello");
    assert_eq!(&*container.named::<str>("bye").unwrap(), "bye");
}

#[test]
fn two_providers_that_bind_the_same_are_both_named() {
    let error = Container::with(|bindings| {
        bindings.provider(&Greetings("hello"));
        bindings.bind::<str>().named("hello").instance("by hand".into());
    });
    assert!(said(error.unwrap_err()).starts_with("str `hello` is bound twice: by the provider hello and by hand"));
}

#[test]
fn a_failed_making_is_told_with_who_needs_it_and_tried_again_the_next_time() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&tries);
    let container = Container::with(|bindings| {
        bindings.bind::<Clerk>().class();
        bindings.bind::<dyn Cache>().provider(move |_| match counter.fetch_add(1, Ordering::Relaxed) {
            0 => Err("the disk is full".into()),
            _ => Ok(Arc::new(Files("/d".into()))),
        });
    })
    .unwrap();
    let error = container.make::<Office>().err().unwrap();
    let ContainerError::Failed { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.to_string(), "the disk is full");
    assert_eq!(said(error), "Office needs Clerk needs dyn Cache: the disk is full");
    assert_eq!(container.make::<Office>().unwrap().clerk.cache.dir(), "/d");
}

#[test]
fn any_binding_can_be_swapped_and_what_was_made_of_it_is_made_again() {
    let container = Container::with(|bindings| {
        bindings.config("CACHE_DIR", "/d");
        files(bindings);
    })
    .unwrap();
    assert_eq!(container.make::<Clerk>().unwrap().cache.dir(), "/d");
    let other = container.swap(|bindings| bindings.config("cache_dir", "/other")).unwrap();
    assert_eq!(other.make::<Clerk>().unwrap().cache.dir(), "/other");
    assert_eq!(container.make::<Clerk>().unwrap().cache.dir(), "/d");
}

struct Limits {
    seats: u32,
}
inject!(Limits { seats: config });

#[test]
fn configuration_keys_are_lower_case_without_blanks_and_read_as_what_is_wanted() {
    let container = |value: &str| Container::with(|bindings| bindings.config("SEATS", value)).unwrap();
    assert_eq!(container(" 12 ").make::<Limits>().unwrap().seats, 12);
    let error = said(container("s3cret").make::<Limits>().err().unwrap());
    assert_eq!(error, "Limits needs config key seats: its value is no u32: invalid digit found in string");
}

#[test]
fn a_container_shows_what_is_bound_and_no_values() {
    let container = Container::with(|bindings| bindings.config("TOKEN", "s3cret")).unwrap();
    assert_eq!(format!("{container:?}"), r#"{"config key token"}"#);
}

#[test]
fn many_threads_that_need_the_same_share_one() {
    let container = Container::with(|bindings| bindings.bind::<String>().provider(|_| Ok(Arc::default()))).unwrap();
    let all: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| container.get::<String>().unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.iter().all(|one| Arc::ptr_eq(one, &all[0])));
}
