use std::marker::PhantomData;

use serde_json::{Map, Value};

use super::{ObjectError, lists};
use crate::connect::Param;

/// A kind of object: [`Asset`](super::Asset), [`TierConfiguration`](super::TierConfiguration), [`Tier`](super::Tier).
pub trait Kind {
    /// What it is called.
    const NAME: &'static str;
}

/// An object of Connect: raw JSON, with readers and writers.
#[derive(Debug, Clone, PartialEq)]
pub struct Object<K> {
    members: Map<String, Value>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Object<K> {
    /// One with nothing but an id.
    pub fn new(id: impl Into<String>) -> Self {
        Self::default().with("id", id.into())
    }

    /// Its id; empty where it has none.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// Its status; empty where it has none.
    #[must_use]
    pub fn status(&self) -> &str {
        self.text("status")
    }

    /// A member as text; empty where there is none.
    #[must_use]
    pub fn text(&self, member: &str) -> &str {
        self.members.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// A member.
    #[must_use]
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.members.get(member).filter(|value| !value.is_null())
    }

    /// Writes a member; `null` writes nothing.
    pub fn set(&mut self, member: &str, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        if !value.is_null() {
            self.members.insert(member.into(), value);
        }
        self
    }

    /// Removes a member.
    pub fn unset(&mut self, member: &str) -> &mut Self {
        self.members.shift_remove(member);
        self
    }

    /// Merges members into it; see [`merge`](super::merge).
    pub fn merge(&mut self, members: Value) -> &mut Self {
        let mut merged = Value::Object(std::mem::take(&mut self.members));
        if members.is_object() {
            super::merge(&mut merged, members);
        }
        if let Value::Object(members) = merged {
            self.members = members;
        }
        self
    }

    /// The same with a member.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.set(member, value);
        self
    }

    /// The same without a member.
    #[must_use]
    pub fn without(mut self, member: &str) -> Self {
        self.unset(member);
        self
    }

    /// A parameter.
    ///
    /// # Errors
    /// [`ObjectError::MissingParameter`].
    pub fn param(&self, id: &str) -> Result<&Value, ObjectError> {
        missing_param(lists::find(self.members.get("params"), id), K::NAME, id)
    }

    /// The value of a parameter as text, if it has one.
    #[must_use]
    pub fn param_text(&self, id: &str) -> Option<&str> {
        self.param(id).ok()?.get("value")?.as_str().filter(|text| !text.is_empty())
    }

    /// Writes a parameter: changes the one of that id, or adds one.
    pub fn set_param(&mut self, param: Param) -> &mut Self {
        lists::set_param(self.part("params"), &param);
        self
    }

    /// The same with a parameter.
    #[must_use]
    pub fn with_param(mut self, param: Param) -> Self {
        self.set_param(param);
        self
    }

    /// A parameter of its configuration: what the vendor keeps for a marketplace or for the whole product.
    ///
    /// # Errors
    /// [`ObjectError::MissingParameter`].
    pub fn configuration_param(&self, id: &str) -> Result<&Value, ObjectError> {
        missing_param(lists::find(self.members.get("configuration").and_then(|own| own.get("params")), id), "configuration", id)
    }

    /// Writes a parameter of its configuration.
    pub fn set_configuration_param(&mut self, param: Param) -> &mut Self {
        let configuration = self.part("configuration");
        if !configuration.is_object() {
            *configuration = Map::new().into();
        }
        lists::set_param(&mut configuration["params"], &param);
        self
    }

    /// A copy of all of it.
    #[must_use]
    pub fn raw(&self) -> Value {
        self.members.clone().into()
    }

    /// A member to be changed, made if it is missing.
    pub(super) fn part(&mut self, member: &str) -> &mut Value {
        self.members.entry(member).or_insert(Value::Null)
    }
}

impl<K> Default for Object<K> {
    fn default() -> Self {
        Self { members: Map::new(), kind: PhantomData }
    }
}

impl<K: Kind> TryFrom<Value> for Object<K> {
    type Error = ObjectError;

    fn try_from(raw: Value) -> Result<Self, ObjectError> {
        let found = match raw {
            Value::Object(members) => return Ok(Self { members, kind: PhantomData }),
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
        };
        Err(ObjectError::NoObject { kind: K::NAME, found })
    }
}

pub(super) fn missing_param<'a>(found: Option<&'a Value>, of: &str, id: &str) -> Result<&'a Value, ObjectError> {
    found.ok_or_else(|| ObjectError::MissingParameter { of: of.into(), id: id.into() })
}
