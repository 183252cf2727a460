use bson::{RawBsonRef, RawDocument};

/// A value as MongoDB writes it in its messages: as one would type it in the shell.
pub(in crate::sandbox) fn shell(value: RawBsonRef<'_>) -> String {
    match value {
        RawBsonRef::Double(n) if n.fract() == 0.0 && n.abs() < 1e15 => format!("{n:.1}"),
        RawBsonRef::Double(n) => n.to_string(),
        RawBsonRef::String(s) | RawBsonRef::Symbol(s) => format!("{s:?}"),
        RawBsonRef::Array(a) => {
            let inner: Vec<_> = a.into_iter().flatten().map(shell).collect();
            if inner.is_empty() { "[]".into() } else { format!("[ {} ]", inner.join(", ")) }
        }
        RawBsonRef::Document(d) => shell_document(d),
        RawBsonRef::Boolean(b) => b.to_string(),
        RawBsonRef::Null => "null".into(),
        RawBsonRef::RegularExpression(r) => format!("/{}/{}", r.pattern, r.options),
        RawBsonRef::JavaScriptCode(c) => c.into(),
        RawBsonRef::JavaScriptCodeWithScope(c) => format!("CodeWScope( {}, {})", c.code, shell_document(c.scope)),
        RawBsonRef::Int32(n) => n.to_string(),
        RawBsonRef::Int64(n) => n.to_string(),
        RawBsonRef::Timestamp(t) => format!("Timestamp({}, {})", t.time, t.increment),
        RawBsonRef::Binary(b) => {
            let hex: String = b.bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("BinData({}, {hex})", u8::from(b.subtype))
        }
        RawBsonRef::ObjectId(id) => format!("ObjectId('{id}')"),
        RawBsonRef::DateTime(d) => format!("new Date({})", d.timestamp_millis()),
        RawBsonRef::Decimal128(d) => format!("NumberDecimal(\"{d}\")"),
        RawBsonRef::Undefined => "undefined".into(),
        RawBsonRef::MaxKey => "MaxKey".into(),
        RawBsonRef::MinKey => "MinKey".into(),
        RawBsonRef::DbPointer(_) => "DBPointer".into(),
    }
}

fn shell_document(document: &RawDocument) -> String {
    let inner: Vec<_> = document.iter().flatten().map(|(name, value)| format!("{name}: {}", shell(value))).collect();
    if inner.is_empty() { "{}".into() } else { format!("{{ {} }}", inner.join(", ")) }
}

/// Number and alias of every BSON type, as `$type` takes them and messages name them.
const TYPES: [(i32, &str); 21] = [
    (1, "double"),
    (2, "string"),
    (3, "object"),
    (4, "array"),
    (5, "binData"),
    (6, "undefined"),
    (7, "objectId"),
    (8, "bool"),
    (9, "date"),
    (10, "null"),
    (11, "regex"),
    (12, "dbPointer"),
    (13, "javascript"),
    (14, "symbol"),
    (15, "javascriptWithScope"),
    (16, "int"),
    (17, "timestamp"),
    (18, "long"),
    (19, "decimal"),
    (-1, "minKey"),
    (127, "maxKey"),
];

/// The BSON type number of a value.
pub(in crate::sandbox) fn type_number(value: RawBsonRef<'_>) -> i32 {
    match value.element_type() as u8 {
        0xff => -1,
        number => i32::from(number),
    }
}

/// The alias of a value's type: `string`, `objectId`, ...
pub(in crate::sandbox) fn type_alias(value: RawBsonRef<'_>) -> &'static str {
    let number = type_number(value);
    TYPES.iter().find(|(n, _)| *n == number).map_or("unknown", |(_, alias)| alias)
}

/// The numbers an alias or a number in a `$type` stands for (`number` stands for four); `None` if there is no such type.
pub(in crate::sandbox) fn type_from_alias(value: RawBsonRef<'_>) -> Option<Vec<i32>> {
    if let RawBsonRef::String("number") = value {
        return Some(vec![1, 16, 18, 19]);
    }
    let found = TYPES.iter().find(|(number, alias)| match value {
        RawBsonRef::String(text) => text == *alias,
        RawBsonRef::Int32(n) => n == *number,
        RawBsonRef::Int64(n) => n == i64::from(*number),
        RawBsonRef::Double(n) => (n - f64::from(*number)).abs() < f64::EPSILON,
        _ => false,
    });
    found.map(|(number, _)| vec![*number])
}
