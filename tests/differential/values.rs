//! Values of commands and answers: what is in them, and when two are the same.

use bson::{Bson, Document, doc};

/// The documents of an answer.
pub(crate) fn batch(answer: &Document) -> Vec<&Document> {
    let cursor = answer.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    cursor.into_iter().flatten().filter_map(Bson::as_document).collect()
}

/// What an operator is given wherever it stands in a command, each with the stage of the pipeline it is in.
pub(crate) fn operands<'a>(command: &'a Document, operator: &str) -> Vec<(usize, &'a Bson)> {
    let mut found = Vec::new();
    for (name, value) in command {
        match value {
            Bson::Array(stages) if name == "pipeline" => {
                stages.iter().enumerate().for_each(|(at, stage)| within(stage, operator, at, &mut found));
            }
            _ => within(value, operator, 0, &mut found),
        }
    }
    found
}

fn within<'a>(value: &'a Bson, operator: &str, stage: usize, found: &mut Vec<(usize, &'a Bson)>) {
    match value {
        Bson::Document(document) => document.iter().for_each(|(name, value)| {
            if name == operator {
                found.push((stage, value));
            }
            within(value, operator, stage, found);
        }),
        Bson::Array(values) => values.iter().for_each(|value| within(value, operator, stage, found)),
        _ => {}
    }
}

/// Whether a number is in it that a double may not hold exactly.
pub(crate) fn is_large(value: &Bson) -> bool {
    const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
    match value {
        Bson::Int64(number) => number.unsigned_abs() > EXACT,
        Bson::Double(number) => number.abs() > EXACT as f64,
        Bson::Array(values) => values.iter().any(is_large),
        Bson::Document(document) => document.values().any(is_large),
        _ => false,
    }
}

/// A way to take values for the same.
pub(crate) struct Alike {
    /// `true` is 1, and `{}` is `[]`.
    loosely: bool,
    digits: usize,
}

impl Alike {
    /// As MongoDB has it: numbers are equal across their types.
    const STRICTLY: Self = Self { loosely: false, digits: 17 };
    /// As SecantusDB has it within documents and keys.
    pub(crate) const LOOSELY: Self = Self { loosely: true, digits: 17 };
    /// But for the last digits of a number.
    pub(crate) const SHORT: Self = Self { loosely: false, digits: 12 };

    /// What stands for all values that are the same.
    pub(crate) fn of(&self, value: &Bson) -> Bson {
        let number = |number: f64| Bson::from(format!("number {:.*e}", self.digits, number + 0.0));
        match value {
            Bson::Boolean(value) if self.loosely => number(f64::from(u8::from(*value))),
            Bson::Int32(value) => number(f64::from(*value)),
            Bson::Int64(value) => number(*value as f64),
            Bson::Double(value) => number(*value),
            Bson::Decimal128(value) => number(value.to_string().parse().unwrap_or(f64::NAN)),
            Bson::Array(values) if self.loosely && values.is_empty() => doc! {}.into(),
            Bson::Array(values) => values.iter().map(|value| self.of(value)).collect::<Vec<_>>().into(),
            Bson::Document(document) => {
                document.iter().map(|(name, value)| (name.clone(), self.of(value))).collect::<Document>().into()
            }
            other => other.clone(),
        }
    }

    /// Whether two of them are the same.
    pub(crate) fn pair(&self, values: &[Bson]) -> bool {
        let values: Vec<Bson> = values.iter().map(|value| self.of(value)).collect();
        (1..values.len()).any(|at| values[..at].contains(&values[at]))
    }
}

/// Whether two of them are the same to MongoDB.
pub(crate) fn strictly_the_same(values: &[Bson]) -> bool {
    Alike::STRICTLY.pair(values)
}
