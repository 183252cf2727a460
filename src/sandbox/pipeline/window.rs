use std::collections::HashMap;

use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf};

use super::super::error::{Code, CommandError};
use super::super::expression::{Expression, Given, Value};
use super::super::sort::Sort;
use super::super::value::{Collation, double, type_alias, whole_number};
use super::group::Field;
use super::unwind::put;

/// `$setWindowFields`: fields made of the documents around each one.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    partition: Option<Expression>,
    sort: Option<Sort>,
    /// The one expression that is sorted by, for what counts along it.
    along: Option<Expression>,
    outputs: Vec<(Vec<String>, Output)>,
    collation: Collation,
}

#[derive(Debug, Clone)]
enum Output {
    Over(Field, Window),
    Rank {
        dense: bool,
    },
    Number,
    Shift {
        value: Expression,
        by: i64,
        otherwise: Bson,
    },
    /// The last value that is not null.
    Carried(Expression),
}

/// Which documents of the partition count for one of them.
#[derive(Debug, Clone)]
enum Window {
    All,
    Places(Option<i64>, Option<i64>),
    /// Those whose value lies so far from its own; with a unit, so many milliseconds.
    Range(Option<f64>, Option<f64>),
}

fn wrong(message: impl Into<String>) -> CommandError {
    CommandError::new(Code::FAILED_TO_PARSE, message)
}

impl Windows {
    pub(super) fn parse(spec: &RawDocument, given: &Given) -> Result<Self, CommandError> {
        let known = ["partitionBy", "sortBy", "output"];
        if let Some((name, _)) = spec.iter().flatten().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(CommandError::new(
                Code::location(40415),
                format!("BSON field '$setWindowFields.{name}' is an unknown field."),
            ));
        }
        let sort_by = match spec.get("sortBy")? {
            None => None,
            Some(RawBsonRef::Document(by)) => Some(by),
            Some(other) => return Err(wrong(format!("sortBy must be an object, found {}", type_alias(other)))),
        };
        let sort = sort_by.map(|by| Sort::parse(by, given.collation())).transpose()?.flatten();
        let along = match sort.as_ref().map(Sort::keys) {
            Some([(path, _)]) => Some(Expression::Field(path.parts().to_vec())),
            _ => None,
        };
        let Some(RawBsonRef::Document(output)) = spec.get("output")? else {
            return Err(CommandError::new(
                Code::location(40414),
                "BSON field '$setWindowFields.output' is missing but a required field",
            ));
        };
        let mut outputs = Vec::new();
        for field in output.iter() {
            let (name, value) = field?;
            let RawBsonRef::Document(value) = value else {
                return Err(wrong(format!("The field '{name}' must be a window function object")));
            };
            let path = name.as_str().split('.').map(str::to_owned).collect();
            outputs.push((path, Output::parse(name.as_str(), value, sort.as_ref(), given)?));
        }
        let partition = spec.get("partitionBy")?.map(|by| Expression::parse(by, given)).transpose()?;
        Ok(Self { partition, sort, along, outputs, collation: given.collation().clone() })
    }

    pub(super) fn apply(&self, documents: &[RawDocumentBuf]) -> Result<Vec<RawDocumentBuf>, CommandError> {
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut partitions: Vec<(Vec<u8>, Vec<&RawDocumentBuf>)> = Vec::new();
        for document in documents {
            let value = self.partition.as_ref().map(|by| by.evaluate(document)).transpose()?.flatten().unwrap_or(Bson::Null);
            let key = self.collation.key_of(&value);
            let place = *places.entry(key.clone()).or_insert_with(|| {
                partitions.push((key, Vec::new()));
                partitions.len() - 1
            });
            if let Some((_, rows)) = partitions.get_mut(place) {
                rows.push(document);
            }
        }
        // Partitions come in the order of what they are made by.
        partitions.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut out = Vec::with_capacity(documents.len());
        for (_, mut rows) in partitions {
            if let Some(sort) = &self.sort {
                rows.sort_by_cached_key(|document| sort.key(document));
            }
            out.extend(self.partition(&rows)?);
        }
        Ok(out)
    }

    fn partition(&self, rows: &[&RawDocumentBuf]) -> Result<Vec<RawDocumentBuf>, CommandError> {
        let mut made: Vec<Document> =
            rows.iter().map(|row| Ok(Document::try_from(row.as_ref())?)).collect::<Result<_, CommandError>>()?;
        for (path, output) in &self.outputs {
            let values = self.values(output, rows)?;
            for (document, value) in made.iter_mut().zip(values) {
                if let Some(value) = value {
                    put(document, path, Some(value));
                }
            }
        }
        made.iter().map(|document| Ok(RawDocumentBuf::try_from(document)?)).collect()
    }

    fn values(&self, output: &Output, rows: &[&RawDocumentBuf]) -> Result<Vec<Value>, CommandError> {
        let whole = |n: usize| super::super::value::narrow(i64::try_from(n).unwrap_or(i64::MAX));
        match output {
            Output::Number => Ok((1..=rows.len()).map(|n| Some(whole(n))).collect()),
            Output::Rank { dense } => {
                let keys: Vec<Vec<u8>> =
                    rows.iter().map(|row| self.sort.as_ref().map(|sort| sort.key(row)).unwrap_or_default()).collect();
                let (mut ranks, mut rank, mut last) = (Vec::new(), 0, None);
                for (index, key) in keys.iter().enumerate() {
                    if last != Some(key) {
                        rank = if *dense { rank + 1 } else { index + 1 };
                        last = Some(key);
                    }
                    ranks.push(Some(whole(rank)));
                }
                Ok(ranks)
            }
            Output::Shift { value, by, otherwise } => (0_i64..)
                .zip(rows)
                .map(|(index, _)| match usize::try_from(index + by).ok().and_then(|at| rows.get(at)) {
                    Some(row) => Ok(Some(value.evaluate(row)?.unwrap_or(Bson::Null))),
                    None => Ok(Some(otherwise.clone())),
                })
                .collect(),
            Output::Carried(value) => {
                let (mut carried, mut last) = (Vec::new(), Bson::Null);
                for row in rows {
                    if let Some(fresh) = value.evaluate(row)?.filter(|value| !matches!(value, Bson::Null | Bson::Undefined)) {
                        last = fresh;
                    }
                    carried.push(Some(last.clone()));
                }
                Ok(carried)
            }
            Output::Over(field, window) => self.over(field, window, rows),
        }
    }

    fn over(&self, field: &Field, window: &Window, rows: &[&RawDocumentBuf]) -> Result<Vec<Value>, CommandError> {
        let of = |from: usize, to: usize| {
            let some = rows.get(from..to.max(from)).unwrap_or_default();
            field.of(some.iter().map(|row| &***row), &self.collation)
        };
        match window {
            Window::All => {
                let value = of(0, rows.len())?;
                Ok(vec![value; rows.len()])
            }
            // What only grows is not made anew for every document.
            Window::Places(None, Some(0)) => {
                let mut growing = field.begin(&self.collation);
                let mut values = Vec::new();
                for row in rows {
                    field.add(row, &mut growing)?;
                    values.push(growing.clone().result()?);
                }
                Ok(values)
            }
            Window::Places(low, high) => {
                let bound =
                    |at: usize, by: i64| usize::try_from(i64::try_from(at).unwrap_or(0).saturating_add(by).max(0)).unwrap_or(0);
                (0..rows.len())
                    .map(|at| {
                        let to = high.map_or(rows.len(), |high| bound(at, high.saturating_add(1)));
                        of(low.map_or(0, |low| bound(at, low)), to.min(rows.len()))
                    })
                    .collect()
            }
            Window::Range(low, high) => {
                let along = self.along.as_ref().ok_or_else(|| wrong("Range-based windows require a sortBy of one field"))?;
                let at: Vec<f64> = rows.iter().map(|row| position(&along.evaluate(row)?)).collect::<Result<_, CommandError>>()?;
                at.iter()
                    .map(|here| {
                        let from = low.map_or(0, |low| at.partition_point(|there| *there < here + low));
                        of(from, high.map_or(rows.len(), |high| at.partition_point(|there| *there <= here + high)))
                    })
                    .collect()
            }
        }
    }
}

/// Where on a line a number or a date is.
fn position(value: &Value) -> Result<f64, CommandError> {
    match value {
        #[allow(clippy::cast_precision_loss)] // milliseconds since 1970 are exact in a double
        Some(Bson::DateTime(at)) => Ok(at.timestamp_millis() as f64),
        Some(value) => double(value).ok_or_else(|| {
            CommandError::new(Code::location(5_429_413), "Invalid range: Expected the sortBy field to be a number or a date")
        }),
        None => {
            Err(CommandError::new(Code::location(5_429_413), "Invalid range: Expected the sortBy field to be a number or a date"))
        }
    }
}

impl Output {
    fn parse(name: &str, spec: &RawDocument, sort: Option<&Sort>, given: &Given) -> Result<Self, CommandError> {
        let mut operators = spec.iter().flatten().filter(|(name, _)| name.as_str() != "window");
        let (Some((operator, operand)), None) = (operators.next(), operators.next()) else {
            return Err(wrong(format!("Expected exactly one window function for the field '{name}'")));
        };
        let sorted = |what: &str| match sort {
            Some(_) => Ok(()),
            None => Err(CommandError::new(
                Code::location(5_371_601),
                format!("{what} must be specified with a top level sortBy expression"),
            )),
        };
        match operator.as_str() {
            "$documentNumber" => sorted("$documentNumber").map(|()| Self::Number),
            "$rank" => sorted("$rank").map(|()| Self::Rank { dense: false }),
            "$denseRank" => sorted("$denseRank").map(|()| Self::Rank { dense: true }),
            "$locf" => Ok(Self::Carried(Expression::parse(operand, given)?)),
            "$shift" => {
                sorted("$shift")?;
                let RawBsonRef::Document(shift) = operand else { return Err(wrong("Argument to $shift must be an object")) };
                let by = shift.get("by")?.and_then(|by| Bson::try_from(by).ok()).as_ref().and_then(whole_number);
                let otherwise =
                    shift.get("default")?.map(|value| Expression::parse(value, given)?.evaluate(&RawDocumentBuf::new()));
                Ok(Self::Shift {
                    value: Expression::parse(shift.get("output")?.ok_or_else(|| wrong("$shift requires 'output'"))?, given)?,
                    by: by.ok_or_else(|| wrong("'$shift:by' field must be an integer"))?,
                    otherwise: otherwise.transpose()?.flatten().unwrap_or(Bson::Null),
                })
            }
            known @ ("$derivative" | "$integral" | "$expMovingAvg" | "$linearFill" | "$covariancePop" | "$covarianceSamp"
            | "$median" | "$percentile") => Err(CommandError::not_implemented(&format!("the window function {known}"))),
            accumulator => match Field::parse(name, accumulator, operand, given)? {
                Some(field) => Ok(Self::Over(field, Window::parse(spec.get("window")?, sort)?)),
                None => Err(wrong(format!("Unrecognized window function, {accumulator}"))),
            },
        }
    }
}

impl Window {
    fn parse(spec: Option<RawBsonRef<'_>>, sort: Option<&Sort>) -> Result<Self, CommandError> {
        let spec = match spec {
            None => return Ok(Self::All),
            Some(RawBsonRef::Document(spec)) => spec,
            Some(_) => return Err(wrong("'window' field must be an object")),
        };
        let bounds = |name: &str| match spec.get(name)? {
            None => Ok(None),
            Some(RawBsonRef::Array(bounds)) => {
                let bounds: Vec<_> = bounds.into_iter().collect::<Result<_, _>>()?;
                match bounds.as_slice() {
                    [low, high] => Ok(Some((bound(*low)?, bound(*high)?))),
                    _ => Err(wrong("Window bounds must be a 2-element array")),
                }
            }
            Some(_) => Err(wrong("Window bounds must be a 2-element array")),
        };
        match (bounds("documents")?, bounds("range")?) {
            (None, None) => Ok(Self::All),
            (Some(_), Some(_)) => Err(wrong("Window bounds can specify either 'documents' or 'unit', not both.")),
            (Some((low, high)), None) => {
                if sort.is_none() && (low.is_some() || high.is_some()) {
                    return Err(CommandError::new(Code::location(5_339_901), "Document-based bounds require a sortBy"));
                }
                #[allow(clippy::cast_possible_truncation)] // checked to be whole
                let place = |n: Option<f64>| match n {
                    Some(n) if n.fract() != 0.0 => Err(wrong("Numeric document-based bounds must be an integer")),
                    n => Ok(n.map(|n| n as i64)),
                };
                Ok(Self::Places(place(low)?, place(high)?))
            }
            (None, Some((low, high))) => {
                match sort.map(Sort::keys) {
                    Some([(_, false)]) => {}
                    _ => {
                        return Err(CommandError::new(
                            Code::location(5_339_902),
                            "Range-based bounds require sortBy a single field, ascending",
                        ));
                    }
                }
                let unit = match spec.get("unit")? {
                    None => 1.0,
                    Some(RawBsonRef::String(unit)) => match unit {
                        "millisecond" => 1.0,
                        "second" => 1e3,
                        "minute" => 6e4,
                        "hour" => 3.6e6,
                        "day" => 8.64e7,
                        "week" => 6.048e8,
                        other => return Err(CommandError::not_implemented(&format!("a range in the unit '{other}'"))),
                    },
                    Some(_) => return Err(wrong("'unit' must be a string")),
                };
                Ok(Self::Range(low.map(|n| n * unit), high.map(|n| n * unit)))
            }
        }
    }
}

/// A bound; `None` if there is none.
fn bound(value: RawBsonRef<'_>) -> Result<Option<f64>, CommandError> {
    match value {
        RawBsonRef::String("unbounded") => Ok(None),
        RawBsonRef::String("current") => Ok(Some(0.0)),
        number => Bson::try_from(number)
            .ok()
            .as_ref()
            .and_then(double)
            .map(Some)
            .ok_or_else(|| wrong("Window bounds must be 'unbounded', 'current', or a number.")),
    }
}
