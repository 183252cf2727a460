//! Lists of objects that are known by their ids: parameters, items.

use serde_json::{Map, Value, json};

use crate::connect::Param;

pub(super) fn find<'a>(list: Option<&'a Value>, id: &str) -> Option<&'a Value> {
    list?.as_array()?.iter().find(|entry| entry["id"] == id)
}

/// Writes the members given into the entry of this id, which is added if there is none.
fn upsert(list: &mut Value, id: &str, members: Map<String, Value>, fresh: impl FnOnce() -> Map<String, Value>) {
    if !list.is_array() {
        *list = json!([]);
    }
    let Some(list) = list.as_array_mut() else { return };
    if let Some(Value::Object(there)) = list.iter_mut().find(|entry| entry["id"] == id) {
        there.extend(members);
    } else {
        let mut entry = fresh();
        entry.extend(members);
        list.push(entry.into());
    }
}

/// A new parameter has a title and a description.
pub(super) fn set_param(list: &mut Value, param: &Param) {
    let id = param.id();
    let fresh = || {
        let title = Value::from(format!("Parameter {id}"));
        let description = Value::from(format!("The parameter {id}"));
        Map::from_iter([("title".to_owned(), title), ("description".to_owned(), description)])
    };
    upsert(list, id, members(param.body()), fresh);
}

/// A new item begins with no parameters; those of one that is there stay.
pub(super) fn set_item(list: &mut Value, id: &str, item: Value) {
    let mut item = members(item);
    let params = item.shift_remove("params");
    item.insert("id".into(), id.into());
    upsert(list, id, item, Map::new);
    let Some(there) = find_mut(list, id) else { return };
    for param in params.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let Some(param_id) = param["id"].as_str() else { continue };
        upsert(&mut there["params"], param_id, members(param.clone()), Map::new);
    }
}

pub(super) fn find_mut<'a>(list: &'a mut Value, id: &str) -> Option<&'a mut Value> {
    list.as_array_mut()?.iter_mut().find(|entry| entry["id"] == id)
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
