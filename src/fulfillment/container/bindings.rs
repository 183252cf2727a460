use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Container, ContainerError, FromContainer, Key, Needs};
use crate::extension::HandlerError;
use crate::fulfillment::ServiceProvider;

pub(super) type Made = Arc<dyn Any + Send + Sync>;
type Maker = Arc<dyn Fn(&Needs<'_>) -> Result<Made, HandlerError> + Send + Sync>;

#[derive(Clone)]
pub(super) enum Make {
    Instance(Made),
    Shared(Maker),
    Each(Maker),
}

#[derive(Clone)]
pub(super) struct Binding {
    pub(super) make: Make,
    by: String,
}

/// What a container is made of: see [`Container::with`] and [`ServiceProvider::register`].
#[derive(Default)]
pub struct Bindings {
    bound: HashMap<Key, Binding>,
    conflict: Option<ContainerError>,
    by: Option<String>,
}

impl Bindings {
    /// Begins a binding of the type `T`, which may be a trait object.
    pub fn bind<T: ?Sized + Send + Sync + 'static>(&mut self) -> Bind<'_, T> {
        Bind { bindings: self, key: Key::of::<T>(), of: PhantomData }
    }

    /// Binds a configuration key, lower-cased, to its value without the blanks around it.
    pub fn config(&mut self, name: &str, value: &str) {
        let made: Made = Arc::new(Arc::<str>::from(value.trim()));
        // Two variables may differ by case only: it is the variable that is to be named.
        let by = format!("the variable {name}");
        self.add(Key::config(name), Make::Instance(made), Some(by));
    }

    /// Adds what a provider binds.
    pub fn provider(&mut self, provider: &dyn ServiceProvider) {
        let outer = self.by.replace(provider.key().to_owned());
        provider.register(self);
        self.by = outer;
    }

    /// The container.
    ///
    /// # Errors
    /// [`ContainerError::Conflict`] when something is bound twice.
    pub fn build(self) -> Result<Container, ContainerError> {
        self.checked().map(Container::new)
    }

    pub(super) fn checked(self) -> Result<HashMap<Key, Binding>, ContainerError> {
        self.conflict.map_or(Ok(self.bound), Err)
    }

    fn add(&mut self, key: Key, make: Make, by: Option<String>) {
        let by = by.or_else(|| self.by.as_ref().map(|key| format!("the provider {key}"))).unwrap_or_else(|| "hand".into());
        match self.bound.entry(key) {
            Entry::Vacant(free) => {
                free.insert(Binding { make, by });
            }
            Entry::Occupied(taken) => {
                let (what, first) = (taken.key().to_string(), taken.get().by.clone());
                self.conflict.get_or_insert(ContainerError::Conflict { what, first, second: by });
            }
        }
    }
}

/// A binding that waits for what it binds: one of its methods ends it.
#[must_use = "nothing is bound before it is said what"]
pub struct Bind<'a, T: ?Sized> {
    bindings: &'a mut Bindings,
    key: Key,
    of: PhantomData<fn() -> Arc<T>>,
}

impl<T: ?Sized + Send + Sync + 'static> Bind<'_, T> {
    /// Binds it by a name beside the type.
    pub fn named(mut self, name: &str) -> Self {
        self.key = Key::named::<T>(name);
        self
    }

    /// To what there is already.
    pub fn instance(self, instance: Arc<T>) {
        self.bindings.add(self.key, Make::Instance(Arc::new(instance)), None);
    }

    /// To what a function makes when it is first needed; it is shared by all who need it.
    pub fn provider(self, provide: impl Fn(&Needs<'_>) -> Result<Arc<T>, HandlerError> + Send + Sync + 'static) {
        self.bindings.add(self.key, Make::Shared(maker(provide)), None);
    }

    /// To what a function makes anew for everyone who needs it.
    pub fn each(self, provide: impl Fn(&Needs<'_>) -> Result<Arc<T>, HandlerError> + Send + Sync + 'static) {
        self.bindings.add(self.key, Make::Each(maker(provide)), None);
    }

    /// To itself, [built from the container](FromContainer) when it is first needed, and shared.
    pub fn class(self)
    where
        T: FromContainer,
    {
        self.provider(|needs| T::from_container(needs).map(Arc::new));
    }
}

fn maker<T: ?Sized + Send + Sync + 'static>(
    provide: impl Fn(&Needs<'_>) -> Result<Arc<T>, HandlerError> + Send + Sync + 'static,
) -> Maker {
    Arc::new(move |needs| Ok(Arc::new(provide(needs)?)))
}
