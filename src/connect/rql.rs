use std::fmt;
use std::ops::Not;

use super::ApiError;

/// A filter in RQL, Connect's query language, with its values quoted and escaped.
///
/// ```
/// use connect_console::connect::Rql;
///
/// let filter = Rql::eq("status", "pending").and(Rql::within("asset.product.id", ["PRD-1", "PRD-2"]));
/// assert_eq!(filter.to_string(), "and(eq(status,pending),in(asset.product.id,(PRD-1,PRD-2)))");
/// assert_eq!(Rql::eq("name", "a, b").to_string(), "eq(name,%22a%2C%20b%22)");
/// ```
///
/// What RQL has no words for (a value with both kinds of quotes) is an error of the call it is used in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rql(Result<String, String>);

impl Rql {
    /// The member is the value. Members inside members with dots: `asset.product.id`.
    pub fn eq(member: &str, value: impl ToString) -> Self {
        Self::compare("eq", member, value)
    }

    /// The member is not the value.
    pub fn ne(member: &str, value: impl ToString) -> Self {
        Self::compare("ne", member, value)
    }

    /// The member is less than the value.
    pub fn lt(member: &str, value: impl ToString) -> Self {
        Self::compare("lt", member, value)
    }

    /// The member is at most the value.
    pub fn le(member: &str, value: impl ToString) -> Self {
        Self::compare("le", member, value)
    }

    /// The member is greater than the value.
    pub fn gt(member: &str, value: impl ToString) -> Self {
        Self::compare("gt", member, value)
    }

    /// The member is at least the value.
    pub fn ge(member: &str, value: impl ToString) -> Self {
        Self::compare("ge", member, value)
    }

    /// The member is like the pattern, in which `*` is any text.
    pub fn like(member: &str, pattern: impl ToString) -> Self {
        Self::compare("like", member, pattern)
    }

    /// The same whatever the case of the letters.
    pub fn ilike(member: &str, pattern: impl ToString) -> Self {
        Self::compare("ilike", member, pattern)
    }

    /// The member is one of the values.
    pub fn within<V: ToString>(member: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self::list("in", member, values)
    }

    /// The member is none of the values.
    pub fn without<V: ToString>(member: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self::list("out", member, values)
    }

    /// The member is null.
    pub fn null(member: &str) -> Self {
        Self(name(member).map(|member| format!("eq({member},null())")))
    }

    /// The member is an empty text.
    pub fn empty(member: &str) -> Self {
        Self(name(member).map(|member| format!("eq({member},empty())")))
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.join("and", other)
    }

    /// One of the two, or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.join("or", other)
    }

    fn compare(operator: &str, member: &str, value: impl ToString) -> Self {
        Self(name(member).and_then(|member| Ok(format!("{operator}({member},{})", quoted(&value.to_string())?))))
    }

    fn list<V: ToString>(operator: &str, member: &str, values: impl IntoIterator<Item = V>) -> Self {
        let values: Result<Vec<_>, _> = values.into_iter().map(|value| quoted(&value.to_string())).collect();
        Self(name(member).and_then(|member| Ok(format!("{operator}({member},({}))", values?.join(",")))))
    }

    fn join(self, operator: &str, other: Self) -> Self {
        Self(self.0.and_then(|one| Ok(format!("{operator}({one},{})", other.0?))))
    }

    /// The text for a query string.
    pub(super) fn text(&self) -> Result<&str, ApiError> {
        self.0.as_deref().map_err(|wrong| ApiError::Settings(wrong.clone()))
    }
}

impl Not for Rql {
    type Output = Self;

    fn not(self) -> Self {
        Self(self.0.map(|inner| format!("not({inner})")))
    }
}

/// As it is sent: escaped for a URL.
impl fmt::Display for Rql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(text) => f.write_str(text),
            Err(wrong) => write!(f, "<{wrong}>"),
        }
    }
}

/// A member's name, which cannot be quoted.
pub(super) fn name(member: &str) -> Result<&str, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if !member.is_empty() && member.chars().all(allowed) {
        Ok(member)
    } else {
        Err(format!("RQL: `{member}` is no member's name: write letters, digits, `_`, `-` and dots"))
    }
}

/// A value, in quotes where RQL wants them, escaped for a URL.
fn quoted(value: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:*".contains(c);
    let quote = match (value.contains('"'), value.contains('\'')) {
        _ if !value.is_empty() && value.chars().all(plain) => "",
        (false, _) => "\"",
        (true, false) => "'",
        (true, true) => return Err("RQL: a value with both kinds of quotes cannot be written".into()),
    };
    Ok(escaped(&format!("{quote}{value}{quote}")))
}

/// A part of a URL: everything but letters, digits and `-_.~:*` as `%XX`.
pub(super) fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~:*".contains(&byte) {
            escaped.push(byte.into());
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// What a server makes of a query string.
    fn decoded(text: &str) -> String {
        let mut bytes = text.bytes();
        let hex = |bytes: &mut std::str::Bytes<'_>| char::from(bytes.next().unwrap()).to_digit(16).unwrap();
        let mut plain = Vec::new();
        while let Some(byte) = bytes.next() {
            plain.push(if byte == b'%' { u8::try_from(hex(&mut bytes) * 16 + hex(&mut bytes)).unwrap() } else { byte });
        }
        String::from_utf8(plain).unwrap()
    }

    proptest! {
        #[test]
        fn any_value_arrives_as_it_was_between_quotes_it_does_not_hold_and_safe_in_a_url(value in ".*") {
            let Ok(text) = quoted(&value) else {
                prop_assert!(value.contains('"') && value.contains('\''));
                return Ok(());
            };
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~:*%".contains(&b)), "{text}");
            let sent = decoded(&text);
            let quote = sent.chars().next().filter(|c| "\"'".contains(*c));
            let inner = quote.map_or(sent.as_str(), |quote| sent.trim_start_matches(quote).trim_end_matches(quote));
            prop_assert_eq!(inner, value.as_str());
            prop_assert!(quote.is_none_or(|quote| !value.contains(quote)));
        }
    }

    #[rstest]
    #[case(Rql::eq("id", "PR-1"), "eq(id,PR-1)")]
    #[case(Rql::ge("created", "2024-01-01T00:00:00"), "ge(created,2024-01-01T00:00:00)")]
    #[case(Rql::eq("quantity", 5), "eq(quantity,5)")]
    #[case(Rql::ilike("name", "*box*"), "ilike(name,*box*)")]
    #[case(Rql::null("assignee"), "eq(assignee,null())")]
    #[case(Rql::empty("note"), "eq(note,empty())")]
    #[case(!Rql::eq("a", true).or(Rql::lt("b", 2)), "not(or(eq(a,true),lt(b,2)))")]
    #[case(Rql::without("status", ["a", "b c"]), "out(status,(a,%22b%20c%22))")]
    fn filters_are_written_as_connect_reads_them(#[case] filter: Rql, #[case] text: &str) {
        assert_eq!(filter.text().unwrap(), text);
    }

    #[rstest]
    #[case::comma("a,b", "eq(m,%22a%2Cb%22)")]
    #[case::parentheses("null()", "eq(m,%22null%28%29%22)")]
    #[case::ampersand("a&limit=0", "eq(m,%22a%26limit%3D0%22)")]
    #[case::quotes("say \"no\"", "eq(m,%27say%20%22no%22%27)")]
    #[case::apostrophe("d'Arc", "eq(m,%22d%27Arc%22)")]
    #[case::nothing("", "eq(m,%22%22)")]
    #[case::umlaut("ü", "eq(m,%22%C3%BC%22)")]
    fn a_value_never_becomes_part_of_the_query(#[case] value: &str, #[case] text: &str) {
        assert_eq!(Rql::eq("m", value).text().unwrap(), text);
    }

    #[test]
    fn what_rql_has_no_words_for_is_an_error_of_the_whole_filter() {
        let impossible = Rql::eq("a", "'\"");
        assert!(Rql::eq("b", 1).and(impossible).text().unwrap_err().to_string().contains("both kinds of quotes"));
        assert!(Rql::eq("a)&x=(", 1).text().is_err());
    }
}
