use bson::{RawBsonRef, RawDocument};

/// A value as MongoDB writes it in its messages: as one would type it in the shell.
pub(in crate::sandbox) fn shell(value: RawBsonRef<'_>) -> String {
    match value {
        RawBsonRef::Double(n) if n.fract() == 0.0 && n.abs() < 1e15 => format!("{n:.1}"),
        RawBsonRef::Double(n) => double_text(n),
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

/// A double as the server writes it: the shortest digits that are read as the same, with an exponent below 10^-4 and from
/// 10^16 on.
pub(in crate::sandbox) fn double_text(n: f64) -> String {
    if !n.is_finite() {
        return if n.is_nan() {
            "NaN"
        } else if n > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .into();
    }
    let scientific = format!("{n:e}");
    match scientific.split_once('e').map(|(digits, power)| (digits, power.parse::<i32>().unwrap_or(0))) {
        Some((digits, power)) if !(-4..16).contains(&power) => {
            format!("{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
        }
        _ => n.to_string(),
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    #[rstest]
    #[case(2.5, "2.5")]
    #[case(3.0, "3")]
    #[case(1e25, "1e+25")]
    #[case(1.5e-7, "1.5e-07")]
    #[case(1e15, "1000000000000000")]
    #[case(1e16, "1e+16")]
    #[case(0.0001, "0.0001")]
    #[case(-1e300, "-1e+300")]
    #[case(f64::NAN, "NaN")]
    fn a_double_is_written_as_the_server_writes_it(#[case] n: f64, #[case] text: &str) {
        assert_eq!(super::double_text(n), text);
    }
}
