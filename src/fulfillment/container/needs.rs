use std::any::type_name;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use super::{Chain, Container, ContainerError, FromContainer, Key, unpack};
use crate::extension::HandlerError;

/// What something that is being made may ask for: the container, and who asks.
pub struct Needs<'a> {
    container: &'a Container,
    chain: Chain,
}

impl<'a> Needs<'a> {
    pub(super) fn of(container: &'a Container) -> Self {
        Self { container, chain: Chain::default() }
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The needs of what is bound to the key.
    pub(super) fn inside(&self, key: &Key) -> Result<Self, ContainerError> {
        let chain = self.chain.and(key);
        if self.chain.holds(key) { Err(ContainerError::Cycle(chain)) } else { Ok(Self { container: self.container, chain }) }
    }

    /// What fails in the making is told with who needed it; what is missing further inside has been told so already.
    pub(super) fn failed(&self, error: HandlerError) -> ContainerError {
        match error.downcast::<ContainerError>() {
            Ok(told) => *told,
            Err(source) => ContainerError::Failed { chain: self.chain.clone(), source },
        }
    }

    /// What is bound for the type `T`.
    ///
    /// # Errors
    /// [`ContainerError`]: nothing is, or it can't be made.
    pub fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Arc<T>, ContainerError> {
        self.resolve(&Key::of::<T>())
    }

    /// What is bound for the type `T` by this name.
    ///
    /// # Errors
    /// [`ContainerError`]: nothing is, or it can't be made.
    pub fn named<T: ?Sized + Send + Sync + 'static>(&self, name: &str) -> Result<Arc<T>, ContainerError> {
        self.resolve(&Key::named::<T>(name))
    }

    /// What is bound for the type `T`, if anything is.
    ///
    /// # Errors
    /// [`ContainerError`] when what is bound can't be made.
    pub fn find<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Option<Arc<T>>, ContainerError> {
        let key = Key::of::<T>();
        if self.container.has(&key) { self.resolve(&key).map(Some) } else { Ok(None) }
    }

    /// The value of a configuration key: a text, or whatever can be read from one.
    ///
    /// # Errors
    /// [`ContainerError::Missing`], and [`ContainerError::Unreadable`] when it is no `T`.
    pub fn config<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, ContainerError> {
        let key = Key::config(name);
        let text = self.resolve::<str>(&key)?;
        text.parse().map_err(|reason: T::Err| ContainerError::Unreadable {
            chain: self.chain.and(&key),
            wanted: type_name::<T>(),
            reason: reason.to_string(),
        })
    }

    /// The same, or `default` where the key is missing or empty.
    ///
    /// # Errors
    /// [`ContainerError::Unreadable`] when it is no `T`.
    pub fn config_or<T: FromStr<Err: Display>>(&self, name: &str, default: impl Into<T>) -> Result<T, ContainerError> {
        let key = Key::config(name);
        let given = self.container.has(&key) && !self.resolve::<str>(&key)?.is_empty();
        if given { self.config(name) } else { Ok(default.into()) }
    }

    /// A new `T`, built from the container.
    ///
    /// # Errors
    /// [`ContainerError`]: something it needs is missing, or its making failed.
    pub fn make<T: FromContainer + 'static>(&self) -> Result<T, ContainerError> {
        self.make_with(T::from_container)
    }

    pub(super) fn make_with<T: 'static>(
        &self,
        make: impl FnOnce(&Needs<'_>) -> Result<T, HandlerError>,
    ) -> Result<T, ContainerError> {
        let inside = self.inside(&Key::of::<T>())?;
        make(&inside).map_err(|error| inside.failed(error))
    }

    fn resolve<T: ?Sized + Send + Sync + 'static>(&self, key: &Key) -> Result<Arc<T>, ContainerError> {
        let made = self.container.resolve(self, key)?;
        unpack(&*made).ok_or_else(|| ContainerError::Missing(self.chain.and(key)))
    }
}
