use std::collections::HashMap;

use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use super::super::error::{Code, CommandError};
use super::super::expression::{Expression, Given};
use super::super::sort::Sort;
use super::super::value::{compare_values, key_of};
use super::accumulator::{Accumulator, Kind};

/// `$group`, and what is written with it.
#[derive(Debug, Clone)]
pub(super) struct Group {
    id: Expression,
    fields: Vec<(String, Kind, Expression)>,
}

fn fault(location: i32, message: impl Into<String>) -> CommandError {
    CommandError::new(Code::location(location), message)
}

impl Group {
    pub(super) fn parse(spec: &RawDocument, given: &Given) -> Result<Self, CommandError> {
        let id = spec.get("_id")?.ok_or_else(|| fault(15955, "a group specification must include an _id"))?;
        let id = Expression::parse(id, given)?;
        Ok(Self { id, fields: accumulators(spec, &["_id"], given)? })
    }

    /// `$sortByCount`.
    pub(super) fn counting(id: Expression) -> Result<Self, CommandError> {
        Ok(Self { id, fields: vec![("count".into(), Kind::Sum, Expression::Literal(Bson::Int32(1)))] })
    }

    /// `$bucket`: grouped by the boundary below, then sorted.
    pub(super) fn parse_bucket(spec: &RawDocument, given: &Given) -> Result<(Self, Sort), CommandError> {
        let (Some(by), Some(RawBsonRef::Array(boundaries))) = (spec.get("groupBy")?, spec.get("boundaries")?) else {
            return Err(fault(40198, "$bucket requires 'groupBy' and 'boundaries' to be specified."));
        };
        let by = Expression::parse(by, given)?;
        let boundaries: Vec<Bson> =
            boundaries.into_iter().map(|bound| Ok(Bson::try_from(bound?)?)).collect::<Result<_, CommandError>>()?;
        if boundaries.len() < 2 || !boundaries.windows(2).all(|pair| matches!(pair, [a, b] if compare_values(a, b).is_lt())) {
            return Err(fault(40194, "The 'boundaries' parameter to $bucket must be at least two constants in ascending order"));
        }
        let call = |name: &str, arguments: Vec<Expression>| Expression::call(name, arguments);
        let mut branches = Vec::new();
        for pair in boundaries.windows(2) {
            if let [low, high] = pair {
                let above = call("$gte", vec![by.clone(), Expression::Literal(low.clone())])?;
                let below = call("$lt", vec![by.clone(), Expression::Literal(high.clone())])?;
                branches.push((Expression::And(vec![above, below]), Expression::Literal(low.clone())));
            }
        }
        let otherwise = match spec.get("default")? {
            Some(value) => Some(Box::new(Expression::Literal(Bson::try_from(value)?))),
            None => None,
        };
        let fields = match spec.get("output")? {
            Some(RawBsonRef::Document(output)) => accumulators(output, &[], given)?,
            _ => vec![("count".into(), Kind::Sum, Expression::Literal(Bson::Int32(1)))],
        };
        let sort = Sort::parse(&rawdoc! { "_id": 1 })?.ok_or_else(|| fault(40194, "no boundaries"))?;
        Ok((Self { id: Expression::Switch { branches, otherwise }, fields }, sort))
    }
}

fn accumulators(spec: &RawDocument, except: &[&str], given: &Given) -> Result<Vec<(String, Kind, Expression)>, CommandError> {
    let mut fields = Vec::new();
    for field in spec.iter() {
        let (name, value) = field?;
        let name = name.as_str();
        if except.contains(&name) {
            continue;
        }
        if name.contains('.') {
            return Err(fault(40235, format!("The field name '{name}' cannot contain '.'")));
        }
        let RawBsonRef::Document(accumulator) = value else {
            return Err(fault(40234, format!("The field '{name}' must be an accumulator object")));
        };
        let mut operators = accumulator.iter();
        let (Some(operator), None) = (operators.next(), operators.next()) else {
            return Err(fault(40238, format!("The field '{name}' must specify one accumulator")));
        };
        let (operator, operand) = operator?;
        let Some(kind) = Kind::of(operator.as_str()) else {
            let known = [
                "$accumulator",
                "$bottom",
                "$bottomN",
                "$firstN",
                "$lastN",
                "$maxN",
                "$median",
                "$minN",
                "$percentile",
                "$top",
                "$topN",
            ];
            if known.contains(&operator.as_str()) {
                return Err(CommandError::not_implemented(&format!("the accumulator {operator}")));
            }
            return Err(fault(15952, format!("unknown group operator '{operator}'")));
        };
        fields.push((name.to_owned(), kind, Expression::parse(operand, given)?));
    }
    Ok(fields)
}

/// The groups so far, in the order they were met.
#[derive(Debug)]
pub(super) struct Groups<'p> {
    group: &'p Group,
    places: HashMap<Vec<u8>, usize>,
    groups: Vec<(Bson, Vec<Accumulator>)>,
}

impl<'p> Groups<'p> {
    pub(super) fn new(group: &'p Group) -> Self {
        Self { group, places: HashMap::new(), groups: Vec::new() }
    }

    /// Takes one more document; how many bytes more are held, about.
    pub(super) fn add(&mut self, document: &RawDocument) -> Result<usize, CommandError> {
        let id = self.group.id.evaluate(document)?.unwrap_or(Bson::Null);
        let (key, mut held) = (key_of(&id), 0);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                held += key.len() + 100;
                self.places.insert(key, self.groups.len());
                let fresh = self.group.fields.iter().map(|(_, kind, _)| Accumulator::new(*kind)).collect();
                self.groups.push((id, fresh));
                self.groups.len() - 1
            }
        };
        if let Some((_, accumulators)) = self.groups.get_mut(place) {
            for (accumulator, (_, kind, expression)) in accumulators.iter_mut().zip(&self.group.fields) {
                let value = expression.evaluate(document)?;
                if matches!(kind, Kind::Push | Kind::AddToSet) {
                    held += value.as_ref().map_or(0, |value| value.as_document().map_or(32, |_| document.as_bytes().len()));
                }
                accumulator.add(value)?;
            }
        }
        Ok(held)
    }

    /// The groups, leaving none.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.group))
    }

    pub(super) fn finish(self) -> Result<Vec<RawDocumentBuf>, CommandError> {
        let mut documents = Vec::new();
        for (id, accumulators) in self.groups {
            let mut document = Document::new();
            document.insert("_id", id);
            for (accumulator, (name, ..)) in accumulators.into_iter().zip(&self.group.fields) {
                if let Some(value) = accumulator.result()? {
                    document.insert(name, value);
                }
            }
            documents.push(RawDocumentBuf::try_from(&document)?);
        }
        Ok(documents)
    }
}
