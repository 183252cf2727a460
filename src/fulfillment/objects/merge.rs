use serde_json::Value;

/// Merges `other` into `base`: objects member by member, lists one after the other, and everything else is replaced.
///
/// ```
/// use connect_console::fulfillment::objects::merge;
/// use serde_json::json;
///
/// let mut tier = json!({"name": "Ada", "contact": {"country": "ES"}, "scopes": ["customer"]});
/// merge(&mut tier, json!({"contact": {"country": "PT"}, "scopes": ["tier1"]}));
/// assert_eq!(tier, json!({"name": "Ada", "contact": {"country": "PT"}, "scopes": ["customer", "tier1"]}));
/// ```
pub fn merge(base: &mut Value, other: Value) {
    match (base, other) {
        (Value::Object(base), Value::Object(other)) => {
            for (name, value) in other {
                match base.get_mut(&name) {
                    Some(there) => merge(there, value),
                    None => {
                        base.insert(name, value);
                    }
                }
            }
        }
        (Value::Array(base), Value::Array(other)) => base.extend(other),
        (base, other) => *base = other,
    }
}
