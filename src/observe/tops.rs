use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What the fields of an object say, as far as they are texts: the others are passed over, many times cheaper than to read
/// them. Whoever has read it knows that the object is JSON.
#[derive(Default)]
pub(super) struct Tops(Vec<(Box<str>, Text)>);

/// A field; `None` where it is no text.
struct Text(Option<Box<str>>);

impl Tops {
    /// Of a piece of JSON; what is no object has no fields.
    pub(super) fn of(json: &str) -> serde_json::Result<Self> {
        if json.trim_start().starts_with('{') {
            serde_json::from_str(json)
        } else {
            serde_json::from_str::<IgnoredAny>(json).map(|_| Self::default())
        }
    }

    /// The text of the first of these fields that is there. Of two fields of one name the later one counts, as everywhere.
    pub(super) fn text(&self, names: &[&str]) -> Option<&str> {
        let field = |name: &&str| self.0.iter().rfind(|(own, _)| **own == **name);
        names.iter().find_map(field)?.1.0.as_deref()
    }
}

impl<'de> Deserialize<'de> for Tops {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Tops;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tops, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Tops(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Field;

        impl<'de> Visitor<'de> for Field {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(Some(text.into())))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_unit<E>(self) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Text, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Text, A::Error> {
                while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }
        }

        deserializer.deserialize_any(Field)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec(("[ab\"\\\\é]{0,2}", inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_field_says_what_it_says_in_the_whole_object(value in json(), name in "[ab\"\\\\é]{0,2}", other in "[ab]") {
            let tops = Tops::of(&value.to_string()).unwrap();
            let whole = [&name, &other].into_iter().find_map(|name| value.get(name)).and_then(Value::as_str);
            prop_assert_eq!(tops.text(&[&name, &other]), whole);
        }

        #[test]
        fn what_is_no_json_is_refused_like_by_a_whole_reading(text in "[{}\\[\\]:,\"a1 .e-]{0,12}") {
            prop_assert_eq!(Tops::of(&text).is_ok(), serde_json::from_str::<IgnoredAny>(&text).is_ok());
        }
    }

    #[test]
    fn of_two_fields_of_one_name_the_later_counts() {
        assert_eq!(Tops::of(r#"{"a":"x","a":"y"}"#).unwrap().text(&["a"]), Some("y"));
        assert_eq!(Tops::of(r#"{"a":"x","a":1}"#).unwrap().text(&["a"]), None);
    }
}
