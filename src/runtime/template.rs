//! The filters of event definitions are Python `string.Template`s.

use thiserror::Error;

/// A filter that cannot be filled in, as Python's `Template.substitute` would refuse it.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum TemplateError {
    #[error("the filter `{0}` asks for `{1}`, which is not known")]
    Unknown(String, String),
    #[error("the filter `{0}` has a `$` at {1} that begins no placeholder")]
    Invalid(String, usize),
}

/// Replaces `$name` and `${name}`; `$$` is a literal `$`.
pub(super) fn substitute(template: &str, values: &[(&str, &str)]) -> Result<String, TemplateError> {
    let mut filled = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        let at = template.len() - after.len() - 1;
        let invalid = || TemplateError::Invalid(template.into(), at);
        if let Some(literal) = after.strip_prefix('$') {
            filled.push('$');
            rest = literal;
            continue;
        }
        let name = if let Some(braced) = after.strip_prefix('{') {
            let (name, after) = braced.split_once('}').ok_or_else(invalid)?;
            rest = after;
            name
        } else {
            let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            rest = after;
            name
        };
        let identifier = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !identifier {
            return Err(invalid());
        }
        let known = values.iter().find(|(n, _)| *n == name);
        let (_, value) = known.ok_or_else(|| TemplateError::Unknown(template.into(), name.into()))?;
        filled.push_str(value);
    }
    filled.push_str(rest);
    Ok(filled)
}

/// A value as it may stand in a path or a query: everything but the unreserved characters is percent-encoded.
pub(super) fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("and(eq(id,${_object_id_}),in(status,${_statuses_}))", Ok("and(eq(id,PR-1),in(status,(pending)))"))]
    #[case("eq(id,$_object_id_)", Ok("eq(id,PR-1)"))]
    #[case("eq(price,$$5)", Ok("eq(price,$5)"))]
    #[case("none", Ok("none"))]
    #[case("eq(x,${other})", Err("the filter `eq(x,${other})` asks for `other`, which is not known"))]
    #[case("eq(x,${_object_id_)", Err("the filter `eq(x,${_object_id_)` has a `$` at 5 that begins no placeholder"))]
    #[case("eq(x,$)", Err("the filter `eq(x,$)` has a `$` at 5 that begins no placeholder"))]
    #[case("$1", Err("the filter `$1` has a `$` at 0 that begins no placeholder"))]
    fn a_filter_is_filled_in_by_pythons_rules(#[case] template: &str, #[case] expected: Result<&str, &str>) {
        let filled = substitute(template, &[("_object_id_", "PR-1"), ("_statuses_", "(pending)")]);
        assert_eq!(filled.map_err(|e| e.to_string()).as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn an_odd_id_cannot_leave_its_place_in_an_address() {
        assert_eq!(encoded("PR-1/../x?y"), "PR-1%2F..%2Fx%3Fy");
    }
}
