//! A container: knows how the parts of an extension are made, and makes them with what they need.
//!
//! *Bindings* say what there is, by type and, where one type is not enough, by name: ready instances, types that are
//! [built from the container](FromContainer), provider functions. What is asked for is made once for each container and
//! shared; only what is asked for with [`Container::make`] is new each time. A provider function that asks for others gets
//! them from the same container. What is missing is named with all that needed it.
//!
//! ```
//! use connect_console::fulfillment::{Container, ContainerError};
//! use connect_console::inject;
//! use std::sync::Arc;
//!
//! trait Greeter: Send + Sync {
//!     fn greet(&self) -> String;
//! }
//!
//! struct Polite {
//!     whom: String,
//! }
//! impl Greeter for Polite {
//!     fn greet(&self) -> String {
//!         format!("Good morning, {}", self.whom)
//!     }
//! }
//!
//! struct Reception {
//!     greeter: Arc<dyn Greeter>,
//! }
//! inject!(Reception { greeter });
//!
//! let container = Container::with(|bindings| {
//!     bindings.config("WHOM", " Ada ");
//!     bindings.bind::<dyn Greeter>().provider(|needs| Ok(Arc::new(Polite { whom: needs.config("whom")? })));
//! })?;
//! assert_eq!(container.make::<Reception>()?.greeter.greet(), "Good morning, Ada");
//!
//! // A test puts another binding in the place of any.
//! let of_the_test = container.swap(|bindings| bindings.config("whom", "Bob"))?;
//! assert_eq!(of_the_test.make::<Reception>()?.greeter.greet(), "Good morning, Bob");
//!
//! let empty = Container::with(|bindings| {
//!     bindings.bind::<dyn Greeter>().provider(|needs| Ok(Arc::new(Polite { whom: needs.config("whom")? })));
//! })?;
//! let error = empty.make::<Reception>().err().map(|error| error.to_string());
//! assert_eq!(error.as_deref(), Some("Reception needs dyn Greeter needs config key whom: missing"));
//! # Ok::<(), ContainerError>(())
//! ```
//!
//! Only what is built from the container can be made by it:
//! ```compile_fail
//! # use connect_console::fulfillment::Container;
//! Container::default().make::<i32>();
//! ```

mod bindings;
mod error;
mod inject;
mod key;
mod needs;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub use bindings::{Bind, Bindings};
pub use error::{Chain, ContainerError};
pub use needs::Needs;

use crate::extension::HandlerError;
use bindings::{Binding, Made, Make};
use key::Key;

/// What a container can make.
///
/// [`inject!`](crate::inject) writes this for a struct whose fields are what it needs. Errors of the making itself reach
/// whoever asked as the source of a [`ContainerError::Failed`].
pub trait FromContainer: Sized {
    /// Makes one out of what it needs.
    ///
    /// # Errors
    /// What is missing, and whatever goes wrong in the making.
    fn from_container(needs: &Needs<'_>) -> Result<Self, HandlerError>;
}

/// See the [module](self). Cheap to clone; clones share what was made.
#[derive(Clone, Default)]
pub struct Container(Arc<Inner>);

#[derive(Default)]
struct Inner {
    bindings: HashMap<Key, Binding>,
    made: Mutex<HashMap<Key, Made>>,
}

impl Container {
    /// A container with these bindings. Nothing is made yet.
    ///
    /// # Errors
    /// [`ContainerError::Conflict`] when something is bound twice.
    pub fn with(bind: impl FnOnce(&mut Bindings)) -> Result<Self, ContainerError> {
        let mut bindings = Bindings::default();
        bind(&mut bindings);
        bindings.build()
    }

    fn new(bindings: HashMap<Key, Binding>) -> Self {
        Self(Arc::new(Inner { bindings, made: Mutex::default() }))
    }

    /// The same with other bindings in the place of those it has. What was made so far is forgotten.
    ///
    /// # Errors
    /// [`ContainerError::Conflict`] when something is bound twice in `swap` itself.
    pub fn swap(&self, swap: impl FnOnce(&mut Bindings)) -> Result<Self, ContainerError> {
        let mut bindings = Bindings::default();
        swap(&mut bindings);
        let mut all = self.0.bindings.clone();
        all.extend(bindings.checked()?);
        Ok(Self::new(all))
    }

    /// A new `T`, made out of what is bound here.
    ///
    /// # Errors
    /// [`ContainerError`]: what is missing and who needs it, or what went wrong in the making. The next call tries again.
    pub fn make<T: FromContainer + 'static>(&self) -> Result<T, ContainerError> {
        Needs::of(self).make()
    }

    /// A new `T`, made by this function.
    ///
    /// # Errors
    /// [`ContainerError`], as for [`make`](Self::make).
    pub fn make_with<T: 'static>(&self, make: impl FnOnce(&Needs<'_>) -> Result<T, HandlerError>) -> Result<T, ContainerError> {
        Needs::of(self).make_with(make)
    }

    /// What is bound for the type `T`: the same one each time.
    ///
    /// # Errors
    /// [`ContainerError`], as for [`make`](Self::make).
    pub fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Arc<T>, ContainerError> {
        Needs::of(self).get()
    }

    /// What is bound for the type `T` by this name.
    ///
    /// # Errors
    /// [`ContainerError`], as for [`make`](Self::make).
    pub fn named<T: ?Sized + Send + Sync + 'static>(&self, name: &str) -> Result<Arc<T>, ContainerError> {
        Needs::of(self).named(name)
    }

    fn has(&self, key: &Key) -> bool {
        self.0.bindings.contains_key(key)
    }

    /// What is bound to a key, made now if it was not before. Nothing is locked while it is made: when two make the same
    /// at the same time, both get the one that was first.
    fn resolve(&self, needs: &Needs<'_>, key: &Key) -> Result<Made, ContainerError> {
        let binding = self.0.bindings.get(key).ok_or_else(|| ContainerError::Missing(needs.chain().and(key)))?;
        if let Make::Instance(made) = &binding.make {
            return Ok(Arc::clone(made));
        }
        if let Some(made) = self.0.made.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(Arc::clone(made));
        }
        let inside = needs.inside(key)?;
        match &binding.make {
            Make::Instance(made) => Ok(Arc::clone(made)),
            Make::Each(make) => make(&inside).map_err(|error| inside.failed(error)),
            Make::Shared(make) => {
                let made = make(&inside).map_err(|error| inside.failed(error))?;
                let mut all = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(Arc::clone(all.entry(key.clone()).or_insert(made)))
            }
        }
    }
}

/// Its bindings are `Arc<T>`s behind `Any`, so that `T` may be a trait object.
fn unpack<T: ?Sized + Send + Sync + 'static>(made: &(dyn Any + Send + Sync)) -> Option<Arc<T>> {
    made.downcast_ref::<Arc<T>>().map(Arc::clone)
}

/// What is bound; never what was made of it.
impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keys: Vec<_> = self.0.bindings.keys().map(ToString::to_string).collect();
        keys.sort();
        f.debug_set().entries(keys).finish()
    }
}
