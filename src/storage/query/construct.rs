//! Values that are written with a name: `ObjectId("...")`, `{"$oid": "..."}`, `true`. Errors are sentences; the parser
//! knows where they belong.

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, JavaScriptCodeWithScope, Regex, Timestamp};

use super::dates;

type Constructed = Result<Bson, String>;

/// The smallest of MongoDB's integer types that holds it.
pub(super) fn integer(number: i64) -> Bson {
    i32::try_from(number).map_or(Bson::Int64(number), Bson::Int32)
}

pub(super) fn regex(pattern: impl Into<String>, options: &str) -> Constructed {
    let mut flags: Vec<char> = options.chars().collect();
    flags.sort_unstable();
    flags.dedup();
    if let Some(flag) = flags.iter().find(|flag| !"imsxlu".contains(**flag)) {
        return Err(format!("MongoDB knows no regular expression flag `{flag}`; there are i, m, s, x, l and u"));
    }
    let nul = |_| "a regular expression can't contain the character NUL".to_owned();
    let options = flags.into_iter().collect::<String>().try_into().map_err(nul)?;
    Ok(Bson::RegularExpression(Regex { pattern: pattern.into().try_into().map_err(nul)?, options }))
}

pub(super) fn constant(word: &str) -> Constructed {
    Ok(match word {
        "true" => Bson::Boolean(true),
        "false" => Bson::Boolean(false),
        "null" => Bson::Null,
        "undefined" => Bson::Undefined,
        "NaN" => Bson::Double(f64::NAN),
        "Infinity" => Bson::Double(f64::INFINITY),
        "MinKey" => Bson::MinKey,
        "MaxKey" => Bson::MaxKey,
        _ => return Err(format!("`{word}` is no value; a text needs quotes")),
    })
}

/// `name(arguments)`, with or without `new`.
pub(super) fn call(name: &str, arguments: Vec<Bson>) -> Constructed {
    let usage = |usage: &str| Err(format!("`{name}` is written {usage}"));
    match (name, arguments.as_slice()) {
        ("ObjectId", []) => Ok(Bson::ObjectId(ObjectId::new())),
        ("ObjectId", [Bson::String(hex)]) => object_id(hex),
        ("ObjectId", _) => usage("ObjectId(\"24 hexadecimal digits\")"),
        ("ISODate" | "Date", []) => Ok(Bson::DateTime(DateTime::now())),
        ("ISODate" | "Date", [value]) => date(value),
        ("ISODate" | "Date", _) => usage("ISODate(\"2024-05-06T08:15:30Z\")"),
        ("NumberInt" | "Int32", [value]) => number_int(value),
        ("NumberLong" | "Long", [value]) => number_long(value),
        ("Double", [value]) => number_double(value),
        ("NumberDecimal" | "Decimal128", [value]) => number_decimal(value),
        ("NumberInt" | "Int32" | "NumberLong" | "Long" | "Double" | "NumberDecimal" | "Decimal128", _) => {
            usage(&format!("{name}(\"5\")"))
        }
        ("UUID", []) => Ok(Bson::from(bson::Uuid::new())),
        ("UUID", [Bson::String(text)]) => uuid(text),
        ("UUID", _) => usage("UUID(\"3b241101-e2bb-4255-8caf-4136c566a962\")"),
        ("BinData", [Bson::Int32(subtype), Bson::String(base64)]) => match u8::try_from(*subtype) {
            Ok(subtype) => binary(base64, subtype),
            Err(_) => Err("the subtype of `BinData` is a number from 0 to 255".into()),
        },
        ("BinData", _) => usage("BinData(0, \"base64\")"),
        ("RegExp", [Bson::String(pattern)]) => regex(pattern, ""),
        ("RegExp", [Bson::String(pattern), Bson::String(options)]) => regex(pattern, options),
        ("RegExp", _) => usage("RegExp(\"pattern\", \"flags\")"),
        ("Timestamp", [time, increment]) => timestamp(Some(time), Some(increment)),
        ("Timestamp", [Bson::Document(parts)]) => timestamp(parts.get("t"), parts.get("i")),
        ("Timestamp", _) => usage("Timestamp(seconds, increment)"),
        ("Code", [Bson::String(code)]) => Ok(Bson::JavaScriptCode(code.clone())),
        ("MinKey", []) => Ok(Bson::MinKey),
        ("MaxKey", []) => Ok(Bson::MaxKey),
        _ => Err(format!(
            "there is no `{name}(...)` here; known are ObjectId, ISODate, Date, NumberInt, NumberLong, NumberDecimal, \
                          Double, UUID, BinData, RegExp, Timestamp, MinKey and MaxKey"
        )),
    }
}

/// Turns `{"$oid": "..."}` and its like into the value they stand for; any other document is itself.
pub(super) fn extended(document: Document) -> Constructed {
    let Some(key) = document.keys().find(|key| is_wrapper(key)).cloned() else { return Ok(Bson::Document(document)) };
    let Some(value) = document.get(&key) else { return Ok(Bson::Document(document)) };
    let alone = document.len() == 1;
    match (key.as_str(), value) {
        ("$code", Bson::String(code)) if alone => Ok(Bson::JavaScriptCode(code.clone())),
        ("$code", Bson::String(code)) if document.len() == 2 => match document.get("$scope") {
            Some(Bson::Document(scope)) => {
                Ok(Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code: code.clone(), scope: scope.clone() }))
            }
            _ => Err("beside `$code` only a `$scope` may stand, which is a document".into()),
        },
        // The form of Extended JSON version 1.
        ("$binary", Bson::String(base64)) if document.len() == 2 => binary(base64, hex_byte(document.get("$type"))?),
        _ if !alone => Err(format!("beside `{key}` no other key may stand: it writes a single value")),
        ("$oid", Bson::String(hex)) => object_id(hex),
        ("$symbol", Bson::String(text)) => Ok(Bson::Symbol(text.clone())),
        ("$numberInt", value @ Bson::String(_)) => number_int(value),
        ("$numberLong", value @ Bson::String(_)) => number_long(value),
        ("$numberDouble", value @ Bson::String(_)) => number_double(value),
        ("$numberDecimal", value @ Bson::String(_)) => number_decimal(value),
        ("$binary", Bson::Document(parts)) => match parts.get("base64") {
            Some(Bson::String(base64)) => binary(base64, hex_byte(parts.get("subType"))?),
            _ => Err("`$binary` has two keys: `base64` and `subType`".into()),
        },
        ("$uuid", Bson::String(text)) => uuid(text),
        ("$timestamp", Bson::Document(parts)) => timestamp(parts.get("t"), parts.get("i")),
        ("$regularExpression", Bson::Document(parts)) => match (parts.get("pattern"), parts.get("options")) {
            (Some(Bson::String(pattern)), Some(Bson::String(options))) => regex(pattern, options),
            _ => Err("`$regularExpression` has two keys, both texts: `pattern` and `options`".into()),
        },
        ("$date", value) => date(value),
        ("$dbPointer", Bson::Document(_)) => db_pointer(&document),
        ("$undefined", Bson::Boolean(true)) => Ok(Bson::Undefined),
        ("$minKey", Bson::Int32(1)) => Ok(Bson::MinKey),
        ("$maxKey", Bson::Int32(1)) => Ok(Bson::MaxKey),
        _ => Err(format!("this is not what `{key}` stands before in Extended JSON")),
    }
}

fn is_wrapper(key: &str) -> bool {
    matches!(
        key,
        "$oid"
            | "$symbol"
            | "$numberInt"
            | "$numberLong"
            | "$numberDouble"
            | "$numberDecimal"
            | "$binary"
            | "$uuid"
            | "$code"
            | "$timestamp"
            | "$regularExpression"
            | "$date"
            | "$dbPointer"
            | "$undefined"
            | "$minKey"
            | "$maxKey"
    )
}

fn object_id(hex: &str) -> Constructed {
    ObjectId::parse_str(hex).map(Bson::ObjectId).map_err(|_| format!("`{hex}` is no ObjectId: it has 24 hexadecimal digits"))
}

fn uuid(text: &str) -> Constructed {
    bson::Uuid::parse_str(text).map(Bson::from).map_err(|_| format!("`{text}` is no UUID"))
}

fn binary(base64: &str, subtype: u8) -> Constructed {
    Binary::from_base64(base64, BinarySubtype::from(subtype)).map(Bson::Binary).map_err(|_| "this is no base64".into())
}

fn hex_byte(subtype: Option<&Bson>) -> Result<u8, String> {
    match subtype {
        Some(Bson::String(hex)) if hex.len() <= 2 => u8::from_str_radix(hex, 16).ok(),
        _ => None,
    }
    .ok_or_else(|| "the subtype of `$binary` is a text of two hexadecimal digits".into())
}

/// A date given as text, or in milliseconds since 1970.
fn date(value: &Bson) -> Constructed {
    match value {
        Bson::String(text) => dates::parse(text).map(Bson::DateTime).ok_or_else(|| {
            format!("`{text}` is no date; one is written 2024-05-06 or 2024-05-06T08:15:30.123Z, in the years 0 to 9999")
        }),
        Bson::Int32(millis) => Ok(Bson::DateTime(DateTime::from_millis((*millis).into()))),
        Bson::Int64(millis) => Ok(Bson::DateTime(DateTime::from_millis(*millis))),
        _ => Err("a date is a text like 2024-05-06T08:15:30Z, or milliseconds since 1970".into()),
    }
}

fn timestamp(time: Option<&Bson>, increment: Option<&Bson>) -> Constructed {
    let part = |value: Option<&Bson>| match value {
        Some(Bson::Int32(n)) => u32::try_from(*n).ok(),
        Some(Bson::Int64(n)) => u32::try_from(*n).ok(),
        _ => None,
    };
    match (part(time), part(increment)) {
        (Some(time), Some(increment)) => Ok(Bson::Timestamp(Timestamp { time, increment })),
        _ => Err("a timestamp has two whole numbers from 0 to 4294967295: t, the seconds, and i, the increment".into()),
    }
}

/// Only the driver's own deserializer can make one.
fn db_pointer(document: &Document) -> Constructed {
    let wrong = "`$dbPointer` has two keys: `$ref`, a text, and `$id`, an ObjectId";
    let json = super::canonical(document);
    match serde_json::from_value(json) {
        Ok(pointer @ Bson::DbPointer(_)) => Ok(pointer),
        _ => Err(wrong.into()),
    }
}

fn number_int(value: &Bson) -> Constructed {
    match value {
        Bson::String(text) => text.parse().ok().map(Bson::Int32),
        Bson::Int32(_) => Some(value.clone()),
        _ => None,
    }
    .ok_or_else(|| "a NumberInt is a whole number from -2147483648 to 2147483647".into())
}

fn number_long(value: &Bson) -> Constructed {
    match value {
        Bson::String(text) => text.parse().ok().map(Bson::Int64),
        Bson::Int32(number) => Some(Bson::Int64((*number).into())),
        Bson::Int64(_) => Some(value.clone()),
        _ => None,
    }
    .ok_or_else(|| "a NumberLong is a whole number of 64 bits".into())
}

fn number_double(value: &Bson) -> Constructed {
    match value {
        Bson::String(text) => text.parse().ok().map(Bson::Double),
        Bson::Int32(number) => Some(Bson::Double((*number).into())),
        Bson::Double(_) => Some(value.clone()),
        _ => None,
    }
    .ok_or_else(|| "a Double is a number like 1.5, NaN, Infinity or -Infinity".into())
}

fn number_decimal(value: &Bson) -> Constructed {
    match value {
        Bson::String(_) | Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) => {
            let text = value.as_str().map_or_else(|| value.to_string(), Into::into);
            text.parse().ok().map(Bson::Decimal128)
        }
        _ => None,
    }
    .ok_or_else(|| "a NumberDecimal is a number of at most 34 digits".into())
}
