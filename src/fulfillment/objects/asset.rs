use serde_json::{Value, json};

use super::object::{Kind, missing_param};
use super::{Object, ObjectError, lists};
use crate::connect::Param;

/// What an asset is, which Connect also calls a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetKind {}

/// What a tier configuration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TierConfigurationKind {}

impl Kind for AssetKind {
    const NAME: &'static str = "asset";
}

impl Kind for TierConfigurationKind {
    const NAME: &'static str = "tier configuration";
}

/// An asset, `AS-...`.
pub type Asset = Object<AssetKind>;

/// A tier configuration, `TC-...`.
pub type TierConfiguration = Object<TierConfigurationKind>;

/// A place in the chain of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Who uses it.
    Customer,
    /// Who sold it.
    Tier1,
    /// Who sold it to that one.
    Tier2,
}

impl Tier {
    fn member(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Tier1 => "tier1",
            Self::Tier2 => "tier2",
        }
    }
}

impl Asset {
    /// An account of its chain, unless there is none or an empty one.
    #[must_use]
    pub fn tier(&self, tier: Tier) -> Option<&Value> {
        let account = self.get("tiers")?.get(tier.member())?;
        account.as_object().is_some_and(|members| !members.is_empty()).then_some(account)
    }

    /// Writes an account of its chain: a text is the id of another one, an object is merged into the one there is.
    pub fn set_tier(&mut self, tier: Tier, account: impl Into<Value>) -> &mut Self {
        let place = member(self.part("tiers"), tier.member());
        set_account(place, account.into());
        self
    }

    /// Its items.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        self.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// An item by its id.
    ///
    /// # Errors
    /// [`ObjectError::MissingItem`].
    pub fn item(&self, id: &str) -> Result<&Value, ObjectError> {
        lists::find(self.get("items"), id).ok_or_else(|| ObjectError::MissingItem { id: id.into() })
    }

    /// A parameter of an item.
    ///
    /// # Errors
    /// [`ObjectError::MissingItem`], [`ObjectError::MissingParameter`].
    pub fn item_param(&self, item: &str, id: &str) -> Result<&Value, ObjectError> {
        missing_param(lists::find(self.item(item)?.get("params"), id), &format!("item `{item}`"), id)
    }

    /// Writes an item: changes the one of that id, or adds one.
    pub fn set_item(&mut self, id: &str, item: Value) -> &mut Self {
        lists::set_item(self.part("items"), id, item);
        self
    }

    /// Writes a parameter of an item.
    ///
    /// # Errors
    /// [`ObjectError::MissingItem`].
    pub fn set_item_param(&mut self, item: &str, param: &Param) -> Result<&mut Self, ObjectError> {
        let missing = || ObjectError::MissingItem { id: item.into() };
        let there = lists::find_mut(self.part("items"), item).ok_or_else(missing)?;
        lists::set_param(member(there, "params"), param);
        Ok(self)
    }
}

impl TierConfiguration {
    /// The account it is the configuration of.
    #[must_use]
    pub fn account(&self) -> Option<&Value> {
        self.get("account")
    }

    /// Writes the account: a text is the id of another one, an object is merged into the one there is.
    pub fn set_account(&mut self, account: impl Into<Value>) -> &mut Self {
        set_account(self.part("account"), account.into());
        self
    }

    /// The tier it is for: 1 or 2.
    #[must_use]
    pub fn level(&self) -> Option<u64> {
        self.get("tier_level").and_then(Value::as_u64)
    }
}

fn set_account(place: &mut Value, account: Value) {
    match account {
        Value::String(id) => *place = json!({"id": id}),
        account => super::merge(place, account),
    }
}

/// A member of what is an object from now on.
fn member<'a>(of: &'a mut Value, name: &str) -> &'a mut Value {
    if !of.is_object() {
        *of = json!({});
    }
    &mut of[name]
}
