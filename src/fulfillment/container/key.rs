use std::any::{TypeId, type_name};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What a binding is found by.
#[derive(Debug, Clone)]
pub(super) struct Key {
    what: What,
    type_name: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    Type(TypeId),
    Named(TypeId, Arc<str>),
    Config(Arc<str>),
}

impl Key {
    pub(super) fn of<T: ?Sized + 'static>() -> Self {
        Self { what: What::Type(TypeId::of::<T>()), type_name: type_name::<T>() }
    }

    pub(super) fn named<T: ?Sized + 'static>(name: &str) -> Self {
        Self { what: What::Named(TypeId::of::<T>(), name.into()), type_name: type_name::<T>() }
    }

    /// Configuration keys are lower case, however their variables are written.
    pub(super) fn config(name: &str) -> Self {
        Self { what: What::Config(name.trim().to_lowercase().into()), type_name: "" }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.what.hash(state);
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Type(_) => f.write_str(&short(self.type_name)),
            What::Named(_, name) => write!(f, "{} `{name}`", short(self.type_name)),
            What::Config(name) => write!(f, "config key {name}"),
        }
    }
}

/// A type's name without the modules it is in: `dyn Cache`, `Option<Client>`.
fn short(name: &str) -> String {
    let mut shortened = String::with_capacity(name.len());
    let mut word = String::new();
    for c in name.chars() {
        match c {
            ':' => word.clear(),
            c if c.is_alphanumeric() || c == '_' => word.push(c),
            c => {
                shortened.push_str(&word);
                word.clear();
                shortened.push(c);
            }
        }
    }
    shortened + &word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_named_without_the_modules_it_is_in() {
        assert_eq!(short("dyn a::b::Cache"), "dyn Cache");
        assert_eq!(short("core::option::Option<alloc::vec::Vec<a::B>>"), "Option<Vec<B>>");
        assert_eq!(Key::of::<dyn crate::storage::Store>().to_string(), "dyn Store");
        assert_eq!(Key::config(" CACHE_DIR").to_string(), "config key cache_dir");
    }
}
