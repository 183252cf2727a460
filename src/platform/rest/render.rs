//! Templates, filled in: `{{ asset.id }}` is a field of the request, `{{ admin_email }}` the value of a parameter.

use serde_json::Value;

use super::answer::Answer;
use super::refusal::Refusal;
use super::resources::Resource;
use crate::platform::core::Core;

/// The template an object was approved with, filled in.
pub(crate) fn object(core: &Core, resource: &Resource, id: &str) -> Result<Answer, Refusal> {
    let mut state = core.lock();
    let object = state.objects.get(resource.path, id).ok_or_else(Refusal::not_found)?;
    let product = ["/asset/product/id", "/configuration/product/id", "/product/id"];
    let product = product.into_iter().find_map(|at| object.pointer(at)?.as_str()).unwrap_or_default();
    let chosen = object.pointer("/template/id").and_then(Value::as_str);
    let collection = format!("products/{product}/templates");
    let scope = if matches!(resource.path, "requests" | "assets") { "asset" } else { "tier1" };
    let fits = |template: &Value| {
        template.get("scope").is_some_and(|s| s == scope) && template.get("type").is_some_and(|t| t == "fulfillment")
    };
    let found = chosen.and_then(|id| state.objects.get(&collection, id));
    let found = found.or_else(|| state.objects.all(&collection).into_iter().find(fits)).ok_or_else(Refusal::not_found)?;
    Ok(Answer::Plain(template(&found, &object)))
}

/// A template's text with the values of `object`; what there is no value for stays empty.
pub(crate) fn template(template: &Value, object: &Value) -> String {
    let body = template.get("body").and_then(Value::as_str).unwrap_or_default();
    let mut parts = body.split("{{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once("}}") {
            Some((name, rest)) => {
                text.push_str(&value(object, name.trim()));
                text.push_str(rest);
            }
            None => {
                text.push_str("{{");
                text.push_str(part);
            }
        }
    }
    text
}

fn value(object: &Value, name: &str) -> String {
    let field = name.split('.').try_fold(object, |value, name| value.get(name));
    let lists = ["/asset/params", "/configuration/params", "/params"].into_iter().filter_map(|at| object.pointer(at)?.as_array());
    let parameter = || lists.flatten().find(|p| p.get("id").is_some_and(|id| id == name))?.get("value");
    match field.or_else(parameter) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_template_is_filled_in_with_fields_and_parameters() {
        let template = json!({"body": "# {{ asset.id }} of {{admin}}{{ nobody }}, {{ open"});
        let object = json!({"asset": {"id": "AS-1", "params": [{"id": "admin", "value": "a@b.c"}]}});
        assert_eq!(super::template(&template, &object), "# AS-1 of a@b.c, {{ open");
    }
}
