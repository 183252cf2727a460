use serde_json::Value;

use super::object::Kind;
use super::{Asset, Object, ObjectError, TierConfiguration, lists};
use crate::connect::Param;
use crate::fulfillment::Request;

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// An asset.
    Asset,
    /// A tier configuration.
    TierConfig,
    /// Something else.
    Undefined,
}

const OF_ASSETS: [&str; 8] = ["purchase", "change", "suspend", "resume", "cancel", "adjustment", "renew", "transfer"];
const OF_TIER_CONFIGS: [&str; 3] = ["setup", "update", "adjustment"];

/// What it is about, and the parts of it.
impl Request {
    /// What it is about, by its type and by what it carries.
    #[must_use]
    pub fn model(&self) -> Model {
        let (kind, carries) = (self.request_type(), |member| self.get(member).is_some());
        if OF_ASSETS.contains(&kind.as_str()) && carries("/asset") {
            Model::Asset
        } else if OF_TIER_CONFIGS.contains(&kind.as_str()) && carries("/configuration") {
            Model::TierConfig
        } else {
            Model::Undefined
        }
    }

    /// A copy of its asset; an empty one where it has none.
    #[must_use]
    pub fn asset(&self) -> Asset {
        self.part("/asset")
    }

    /// Changes its asset, which it has from now on. The closure must not use this request again: it is locked meanwhile.
    pub fn change_asset<R>(&self, change: impl FnOnce(&mut Asset) -> R) -> R {
        self.change_part("asset", change)
    }

    /// A copy of its tier configuration; an empty one where it has none.
    #[must_use]
    pub fn tier_configuration(&self) -> TierConfiguration {
        self.part("/configuration")
    }

    /// Changes its tier configuration, which it has from now on. The closure must not use this request again.
    pub fn change_tier_configuration<R>(&self, change: impl FnOnce(&mut TierConfiguration) -> R) -> R {
        self.change_part("configuration", change)
    }

    /// A parameter of the request itself, which tier configuration requests have.
    ///
    /// # Errors
    /// [`ObjectError::MissingParameter`].
    pub fn param(&self, id: &str) -> Result<Value, ObjectError> {
        let params = self.get("/params");
        let missing = || ObjectError::MissingParameter { of: "request".into(), id: id.into() };
        lists::find(params.as_ref(), id).cloned().ok_or_else(missing)
    }

    /// Writes a parameter of the request itself.
    pub fn set_param(&self, param: &Param) {
        self.members(|members| lists::set_param(members.entry("params").or_insert(Value::Null), param));
    }

    /// Writes a member: `set("note", "...")`. `null` writes nothing.
    pub fn set(&self, member: &str, value: impl Into<Value>) {
        let value = value.into();
        if !value.is_null() {
            self.members(|members| members.insert(member.into(), value));
        }
    }

    /// Removes a member.
    pub fn unset(&self, member: &str) {
        self.members(|members| members.shift_remove(member));
    }

    /// Merges members into it; see [`merge`](super::merge).
    pub fn merge(&self, members: Value) {
        self.update(|raw| super::merge(raw, members));
    }

    fn part<K: Kind>(&self, pointer: &str) -> Object<K> {
        self.get(pointer).and_then(|part| part.try_into().ok()).unwrap_or_default()
    }

    fn change_part<K: Kind, R>(&self, member: &str, change: impl FnOnce(&mut Object<K>) -> R) -> R {
        self.members(|members| {
            let there = members.get_mut(member).map(Value::take);
            let mut part: Object<K> = there.and_then(|part| part.try_into().ok()).unwrap_or_default();
            let result = change(&mut part);
            members.insert(member.into(), part.raw());
            result
        })
    }

    /// Its members, which it has from now on.
    fn members<R>(&self, change: impl FnOnce(&mut serde_json::Map<String, Value>) -> R) -> R {
        self.update(|raw| {
            let mut members = match raw.take() {
                Value::Object(members) => members,
                _ => serde_json::Map::new(),
            };
            let result = change(&mut members);
            *raw = members.into();
            result
        })
    }
}
