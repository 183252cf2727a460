use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use bson::{Bson, RawBson, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use icu_collator::options::{AlternateHandling, CaseLevel, CollatorOptions, MaxVariable, Strength};
use icu_collator::preferences::{CollationCaseFirst, CollationNumericOrdering};
use icu_collator::{Collator, CollatorBorrowed};
use icu_locale_core::Locale;

use super::super::error::{Code, CommandError};
use super::key::{class, encode_bytes, encode_text, encode_with};
use super::{compare, compare_values, shell, type_alias, whole_number};

/// How strings are compared: byte by byte, or by the rules of a language. Cheap to clone.
#[derive(Clone, Default)]
pub(in crate::sandbox) struct Collation(Option<Arc<Rules>>);

struct Rules {
    collator: CollatorBorrowed<'static>,
    spec: RawDocumentBuf,
}

impl fmt::Debug for Collation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.as_ref().map_or_else(|| "simple".into(), |rules| shell(RawBsonRef::Document(&rules.spec))))
    }
}

impl PartialEq for Collation {
    fn eq(&self, other: &Self) -> bool {
        self.spec() == other.spec()
    }
}

/// The languages MongoDB knows; others are refused as by it.
const LANGUAGES: &str = "af am ar as az be bg bn bo bs ca chr cs cy da de dsb dz ee el en eo es et fa fi fil fo fr ga gl gu ha \
    haw he hi hr hsb hu hy id ig is it ja ka kk kl km kn ko kok ky lb lkt ln lo lt lv mk ml mn mr ms mt my nb ne nl nn om or pa \
    pl ps pt ro ru se si sk sl smn sq sr sv sw ta te th to tr ug uk ur vi wae yi yo zh zu";

/// MongoDB's names of sorts within a language, and those of Unicode.
const KINDS: [(&str, &str); 11] = [
    ("big5han", "big5han"),
    ("compat", "compat"),
    ("dictionary", "dict"),
    ("gb2312han", "gb2312"),
    ("phonebook", "phonebk"),
    ("phonetic", "phonetic"),
    ("pinyin", "pinyin"),
    ("standard", "standard"),
    ("stroke", "stroke"),
    ("traditional", "trad"),
    ("zhuyin", "zhuyin"),
];

/// The version of the rules: keys made by others are not comparable with those made by these.
pub(in crate::sandbox) const RULES: &str = "icu4x-2.4";

impl Collation {
    /// Strings byte by byte.
    pub(in crate::sandbox) const SIMPLE: Self = Self(None);

    /// Understands a collation as commands give it.
    ///
    /// # Errors
    /// A locale or an option that is not known, or that these rules cannot follow.
    pub(in crate::sandbox) fn parse(spec: &RawDocument) -> Result<Self, CommandError> {
        let given = Spec::read(spec)?;
        if given.locale == "simple" {
            if spec.iter().flatten().any(|(name, _)| name.as_str() != "locale") {
                let message =
                    format!("If locale=simple, no other fields should be present in: {}", shell(RawBsonRef::Document(spec)));
                return Err(CommandError::bad_value(message));
            }
            return Ok(Self::SIMPLE);
        }
        let invalid = || CommandError::bad_value(format!("Field 'locale' is invalid in: {}", shell(RawBsonRef::Document(spec))));
        let locale: Locale = bcp47(&given.locale).ok_or_else(invalid)?.parse().map_err(|_| invalid())?;
        let mut preferences: icu_collator::CollatorPreferences = (&locale).into();
        preferences.case_first = given.case_first.or(preferences.case_first);
        preferences.numeric_ordering = given.numeric.or(preferences.numeric_ordering);
        let mut options = CollatorOptions::default();
        options.strength = Some(given.strength);
        options.case_level = given.case_level;
        options.alternate_handling = given.alternate;
        options.max_variable = given.max_variable;
        let collator = Collator::try_new(preferences, options).map_err(|_| invalid())?;
        if given.backwards.is_some_and(|wanted| wanted != given.goes_backwards()) {
            return Err(CommandError::not_implemented("'backwards' other than the locale's own, in a collation,"));
        }
        let spec = complete(&given, &collator);
        Ok(Self(Some(Arc::new(Rules { collator, spec }))))
    }

    /// The collation of a field `collation` that may be missing.
    ///
    /// # Errors
    /// As of [`parse`](Self::parse); a value that is no document.
    pub(in crate::sandbox) fn of_field(value: Option<RawBsonRef<'_>>) -> Result<Option<Self>, CommandError> {
        match value {
            None | Some(RawBsonRef::Null) => Ok(None),
            Some(RawBsonRef::Document(spec)) if spec.is_empty() => Ok(None),
            Some(RawBsonRef::Document(spec)) => Self::parse(spec).map(Some),
            Some(other) => Err(wrong_type("collation", other, "object")),
        }
    }

    /// All its options, as MongoDB lists them; `None` for the simple one.
    pub(in crate::sandbox) fn spec(&self) -> Option<&RawDocument> {
        self.0.as_ref().map(|rules| &*rules.spec)
    }

    /// Whether a value compares the same by every collation: there is no string in it.
    pub(in crate::sandbox) fn is_indifferent_to(&self, value: RawBsonRef<'_>) -> bool {
        self.0.is_none()
            || !matches!(value, RawBsonRef::String(_) | RawBsonRef::Symbol(_) | RawBsonRef::Document(_) | RawBsonRef::Array(_))
    }

    /// Appends the bytes that sort like `value`.
    pub(in crate::sandbox) fn encode(&self, value: RawBsonRef<'_>, out: &mut Vec<u8>) {
        match &self.0 {
            None => encode_with(value, &mut encode_text, out),
            Some(rules) => {
                let mut sorting = Vec::new();
                let mut text = |text: &str, out: &mut Vec<u8>| {
                    sorting.clear();
                    let Ok(()) = rules.collator.write_sort_key_to(text, &mut sorting);
                    encode_bytes(&sorting, out);
                };
                encode_with(value, &mut text, out);
            }
        }
    }

    /// The bytes that sort like `value`; equal values have equal ones.
    pub(in crate::sandbox) fn key(&self, value: RawBsonRef<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        self.encode(value, &mut out);
        out
    }

    /// The same of a value that was built up.
    pub(in crate::sandbox) fn key_of(&self, value: &Bson) -> Vec<u8> {
        self.key(RawBson::try_from(value.clone()).unwrap_or(RawBson::Null).as_raw_bson_ref())
    }

    /// Which of two values comes first.
    pub(in crate::sandbox) fn compare(&self, a: RawBsonRef<'_>, b: RawBsonRef<'_>) -> Ordering {
        match (&self.0, a, b) {
            (None, ..) => compare(a, b),
            (Some(rules), RawBsonRef::String(x), RawBsonRef::String(y)) => rules.collator.compare(x, y),
            _ if self.is_indifferent_to(a) || self.is_indifferent_to(b) => compare(a, b),
            _ => class(a).cmp(&class(b)).then_with(|| self.key(a).cmp(&self.key(b))),
        }
    }

    /// The same of values that were built up.
    pub(in crate::sandbox) fn compare_values(&self, a: &Bson, b: &Bson) -> Ordering {
        match (&self.0, a, b) {
            (None, ..) => compare_values(a, b),
            (Some(rules), Bson::String(x), Bson::String(y)) => rules.collator.compare(x, y),
            (_, Bson::Document(_) | Bson::Array(_) | Bson::Symbol(_), _) | (_, _, Bson::Symbol(_)) => {
                self.key_of(a).cmp(&self.key_of(b))
            }
            _ => compare_values(a, b),
        }
    }
}

fn wrong_type(name: &str, value: RawBsonRef<'_>, expected: &str) -> CommandError {
    let message = format!("BSON field '{name}' is the wrong type '{}', expected type '{expected}'", type_alias(value));
    CommandError::new(Code::TYPE_MISMATCH, message)
}

/// A collation as it was given.
struct Spec {
    locale: String,
    strength: Strength,
    case_level: Option<CaseLevel>,
    case_first: Option<CollationCaseFirst>,
    numeric: Option<CollationNumericOrdering>,
    alternate: Option<AlternateHandling>,
    max_variable: Option<MaxVariable>,
    normalization: bool,
    backwards: Option<bool>,
}

impl Spec {
    /// Only Canadian French compares accents from the end of a word.
    fn goes_backwards(&self) -> bool {
        self.locale.starts_with("fr_CA")
    }

    fn read(spec: &RawDocument) -> Result<Self, CommandError> {
        let mut read = Self {
            locale: String::new(),
            strength: Strength::Tertiary,
            case_level: None,
            case_first: None,
            numeric: None,
            alternate: None,
            max_variable: None,
            normalization: false,
            backwards: None,
        };
        for field in spec.iter() {
            let (name, value) = field?;
            let name = name.as_str();
            let text = || value.as_str().ok_or_else(|| wrong_type(&format!("collation.{name}"), value, "string"));
            let flag = || value.as_bool().ok_or_else(|| wrong_type(&format!("collation.{name}"), value, "bool"));
            let unknown = || {
                let value = shell(value);
                let value = value.trim_matches('"');
                CommandError::bad_value(format!("Enumeration value '{value}' for field 'collation.{name}' is not a valid value."))
            };
            match name {
                "locale" => read.locale = text()?.to_owned(),
                "strength" => {
                    let number = Bson::try_from(value).ok().as_ref().and_then(whole_number);
                    read.strength = match number.ok_or_else(|| wrong_type("collation.strength", value, "int"))? {
                        1 => Strength::Primary,
                        2 => Strength::Secondary,
                        3 => Strength::Tertiary,
                        4 => Strength::Quaternary,
                        5 => Strength::Identical,
                        _ => return Err(unknown()),
                    };
                }
                "caseLevel" => read.case_level = Some(if flag()? { CaseLevel::On } else { CaseLevel::Off }),
                "caseFirst" => {
                    read.case_first = Some(match text()? {
                        "off" => CollationCaseFirst::False,
                        "upper" => CollationCaseFirst::Upper,
                        "lower" => CollationCaseFirst::Lower,
                        _ => return Err(unknown()),
                    });
                }
                "numericOrdering" => {
                    read.numeric = Some(if flag()? { CollationNumericOrdering::True } else { CollationNumericOrdering::False });
                }
                "alternate" => {
                    read.alternate = Some(match text()? {
                        "non-ignorable" => AlternateHandling::NonIgnorable,
                        "shifted" => AlternateHandling::Shifted,
                        _ => return Err(unknown()),
                    });
                }
                "maxVariable" => {
                    read.max_variable = Some(match text()? {
                        "punct" => MaxVariable::Punctuation,
                        "space" => MaxVariable::Space,
                        _ => return Err(unknown()),
                    });
                }
                // Text is always normalised before it is compared; only text that is not could tell the difference.
                "normalization" => read.normalization = flag()?,
                "backwards" => read.backwards = Some(flag()?),
                "version" => drop(text()?),
                _ => {
                    let message = format!("BSON field 'collation.{name}' is an unknown field.");
                    return Err(CommandError::new(Code::location(40415), message));
                }
            }
        }
        if read.locale.is_empty() {
            let message = "BSON field 'collation.locale' is missing but a required field";
            return Err(CommandError::new(Code::location(40414), message));
        }
        Ok(read)
    }
}

/// A locale of MongoDB's writing (`de_AT@collation=phonebook`) in Unicode's; `None` if it is none.
fn bcp47(locale: &str) -> Option<String> {
    let (name, kind) = locale.split_once("@collation=").map_or((locale, None), |(name, kind)| (name, Some(kind)));
    let mut parts = name.split('_');
    let language = parts.next().filter(|language| LANGUAGES.split_whitespace().any(|known| known == *language))?;
    let mut out = language.to_owned();
    for part in parts {
        // A script, or a country. Variants (`POSIX`) sort by rules of their own, which are not here.
        if !(part.len() == 4 || part.len() == 2) || !part.chars().all(|c| c.is_ascii_alphabetic()) {
            return None;
        }
        out.push('-');
        out.push_str(part);
    }
    if let Some(kind) = kind {
        let (_, kind) = KINDS.iter().find(|(known, _)| *known == kind)?;
        out.push_str("-u-co-");
        out.push_str(kind);
    }
    Some(out)
}

fn complete(given: &Spec, collator: &CollatorBorrowed<'_>) -> RawDocumentBuf {
    let used = collator.resolved_options();
    rawdoc! {
        "locale": given.locale.as_str(),
        "caseLevel": used.case_level == CaseLevel::On,
        "caseFirst": match used.case_first {
            CollationCaseFirst::Upper => "upper",
            CollationCaseFirst::Lower => "lower",
            _ => "off",
        },
        "strength": match used.strength {
            Strength::Primary => 1,
            Strength::Secondary => 2,
            Strength::Quaternary => 4,
            Strength::Identical => 5,
            _ => 3,
        },
        "numericOrdering": used.numeric == CollationNumericOrdering::True,
        "alternate": if used.alternate_handling == AlternateHandling::Shifted { "shifted" } else { "non-ignorable" },
        "maxVariable": if used.max_variable == MaxVariable::Space { "space" } else { "punct" },
        "normalization": given.normalization,
        "backwards": given.goes_backwards(),
        "version": RULES,
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn collation(spec: &RawDocument) -> Collation {
        Collation::parse(spec).unwrap()
    }

    fn order(spec: &RawDocument, a: &str, b: &str) -> Ordering {
        collation(spec).compare(RawBsonRef::String(a), RawBsonRef::String(b))
    }

    #[rstest]
    #[case::case_counts_last(rawdoc! { "locale": "en" }, "ping", "PING", Ordering::Less)]
    #[case::without_case(rawdoc! { "locale": "en_US", "strength": 2 }, "ping", "PING", Ordering::Equal)]
    #[case::with_accents(rawdoc! { "locale": "en", "strength": 2 }, "resume", "résumé", Ordering::Less)]
    #[case::without_accents(rawdoc! { "locale": "en", "strength": 1 }, "resume", "RÉSUMÉ", Ordering::Equal)]
    #[case::case_without_accents(rawdoc! { "locale": "en", "strength": 1, "caseLevel": true }, "resume", "Résumé", Ordering::Less)]
    #[case::upper_first(rawdoc! { "locale": "en", "caseFirst": "upper" }, "a", "A", Ordering::Greater)]
    #[case::numbers_as_text(rawdoc! { "locale": "en" }, "10", "9", Ordering::Less)]
    #[case::numbers(rawdoc! { "locale": "en", "numericOrdering": true }, "item10", "item9", Ordering::Greater)]
    #[case::swedish(rawdoc! { "locale": "sv" }, "ö", "z", Ordering::Greater)]
    #[case::german(rawdoc! { "locale": "de" }, "ö", "z", Ordering::Less)]
    #[case::phonebook(rawdoc! { "locale": "de@collation=phonebook" }, "ä", "ad", Ordering::Greater)]
    #[case::punctuation_ignored(rawdoc! { "locale": "en", "alternate": "shifted" }, "a-b", "ab", Ordering::Equal)]
    fn strings_compare_by_the_rules_of_a_language(
        #[case] spec: RawDocumentBuf,
        #[case] a: &str,
        #[case] b: &str,
        #[case] expected: Ordering,
    ) {
        assert_eq!(order(&spec, a, b), expected);
    }

    #[rstest]
    #[case(rawdoc! { "locale": "xx" }, 2)]
    #[case(rawdoc! { "locale": "en_US_POSIX" }, 2)]
    #[case(rawdoc! { "strength": 2 }, 40414)]
    #[case(rawdoc! { "locale": "en", "strength": 6 }, 2)]
    #[case(rawdoc! { "locale": "en", "caseFirst": "no" }, 2)]
    #[case(rawdoc! { "locale": "en", "size": 1 }, 40415)]
    #[case(rawdoc! { "locale": 1 }, 14)]
    #[case(rawdoc! { "locale": "simple", "strength": 1 }, 2)]
    #[case(rawdoc! { "locale": "en", "backwards": true }, 238)]
    fn a_collation_that_is_not_known_is_refused(#[case] spec: RawDocumentBuf, #[case] code: i32) {
        assert_eq!(Collation::parse(&spec).unwrap_err().code.number, code);
    }

    proptest! {
        #[test]
        fn keys_sort_as_the_strings_compare(a in ".{0,6}", b in ".{0,6}", strength in 1..=3_i32) {
            let collation = collation(&rawdoc! { "locale": "fr", "strength": strength });
            let (a, b) = (RawBsonRef::String(&a), RawBsonRef::String(&b));
            prop_assert_eq!(collation.key(a).cmp(&collation.key(b)), collation.compare(a, b));
        }
    }
}
