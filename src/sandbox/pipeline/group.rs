use std::collections::HashMap;

use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use super::super::error::{Code, CommandError};
use super::super::expression::{Expression, Given, Value};
use super::super::sort::Sort;
use super::super::value::{Collation, shell, whole_number};
use super::accumulator::{Accumulator, Kind};

/// `$group`, and what is written with it.
#[derive(Debug, Clone)]
pub(super) struct Group {
    id: Expression,
    fields: Vec<Field>,
    collation: Collation,
}

/// A field of a group: what is made of which values, by which order.
#[derive(Debug, Clone)]
pub(super) struct Field {
    name: String,
    kind: Kind,
    value: Expression,
    order: Option<Sort>,
}

impl Field {
    /// The number of documents, as `count`.
    pub(super) fn count() -> Self {
        Self { name: "count".into(), kind: Kind::Sum, value: Expression::Literal(Bson::Int32(1)), order: None }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn begin(&self, collation: &Collation) -> Accumulator {
        Accumulator::new(self.kind, collation)
    }

    /// Gives one more document to what was begun; how many bytes more are held, about.
    pub(super) fn add(&self, document: &RawDocument, to: &mut Accumulator) -> Result<usize, CommandError> {
        let value = self.value.evaluate(document)?;
        let held = match self.kind {
            Kind::Push | Kind::AddToSet => {
                value.as_ref().map_or(0, |value| value.as_document().map_or(32, |_| document.as_bytes().len()))
            }
            _ => 0,
        };
        to.add(value, self.order.as_ref().map(|order| order.key(document)))?;
        Ok(held)
    }

    /// What is made of these documents.
    pub(super) fn of<'d>(
        &self,
        documents: impl Iterator<Item = &'d RawDocument>,
        collation: &Collation,
    ) -> Result<Value, CommandError> {
        let mut accumulator = self.begin(collation);
        for document in documents {
            self.add(document, &mut accumulator)?;
        }
        accumulator.result()
    }

    /// Understands `{$operator: operand}`; `None` if there is no such accumulator.
    pub(super) fn parse(
        name: &str,
        operator: &str,
        operand: RawBsonRef<'_>,
        given: &Given,
    ) -> Result<Option<Self>, CommandError> {
        let name = name.to_owned();
        if let Some(kind) = Kind::of(operator) {
            return Ok(Some(Self { name, kind, value: Expression::parse(operand, given)?, order: None }));
        }
        let ranked = matches!(operator, "$top" | "$bottom" | "$topN" | "$bottomN");
        if !ranked && !matches!(operator, "$firstN" | "$lastN" | "$minN" | "$maxN") {
            return Ok(None);
        }
        let RawBsonRef::Document(spec) = operand else {
            return Err(fault(5_787_900, format!("specification must be an object; found {operator}: {}", shell(operand))));
        };
        let value = if ranked { "output" } else { "input" };
        let missing = |what: &str| fault(5_788_003, format!("Missing value for '{what}' in {operator}"));
        let n = match operator {
            "$top" | "$bottom" => 1,
            _ => {
                let n = Expression::parse(spec.get("n")?.ok_or_else(|| missing("n"))?, given)?.evaluate(&RawDocumentBuf::new())?;
                let n = n.as_ref().and_then(whole_number).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
                n.ok_or_else(|| fault(5_787_908, "'n' must be greater than 0, and a whole number"))?
            }
        };
        let order = match (ranked, spec.get("sortBy")?) {
            (false, _) => None,
            (true, Some(RawBsonRef::Document(by))) => Sort::parse(by, given.collation())?,
            (true, _) => return Err(missing("sortBy")),
        };
        let kind = match operator {
            "$firstN" => Kind::FirstN(n),
            "$lastN" => Kind::LastN(n),
            "$minN" => Kind::MinN(n),
            "$maxN" => Kind::MaxN(n),
            "$top" | "$topN" => Kind::Top(n, operator == "$top"),
            _ => Kind::Bottom(n, operator == "$bottom"),
        };
        let value = Expression::parse(spec.get(value)?.ok_or_else(|| missing(value))?, given)?;
        Ok(Some(Self { name, kind, value, order }))
    }
}

fn fault(location: i32, message: impl Into<String>) -> CommandError {
    CommandError::new(Code::location(location), message)
}

impl Group {
    pub(super) fn parse(spec: &RawDocument, given: &Given) -> Result<Self, CommandError> {
        let id = spec.get("_id")?.ok_or_else(|| fault(15955, "a group specification must include an _id"))?;
        let id = Expression::parse(id, given)?;
        Ok(Self { id, fields: fields(spec, &["_id"], given)?, collation: given.collation().clone() })
    }

    /// `$sortByCount`.
    pub(super) fn counting(id: Expression, given: &Given) -> Self {
        Self { id, fields: vec![Field::count()], collation: given.collation().clone() }
    }

    /// `$bucket`: grouped by the boundary below, then sorted.
    pub(super) fn parse_bucket(spec: &RawDocument, given: &Given) -> Result<(Self, Sort), CommandError> {
        let (Some(by), Some(RawBsonRef::Array(boundaries))) = (spec.get("groupBy")?, spec.get("boundaries")?) else {
            return Err(fault(40198, "$bucket requires 'groupBy' and 'boundaries' to be specified."));
        };
        let by = Expression::parse(by, given)?;
        let boundaries: Vec<Bson> =
            boundaries.into_iter().map(|bound| Ok(Bson::try_from(bound?)?)).collect::<Result<_, CommandError>>()?;
        if boundaries.len() < 2
            || !boundaries.windows(2).all(|pair| matches!(pair, [a, b] if given.collation().compare_values(a, b).is_lt()))
        {
            return Err(fault(40194, "The 'boundaries' parameter to $bucket must be at least two constants in ascending order"));
        }
        let call = |name: &str, arguments: Vec<Expression>| Expression::call(name, arguments, given);
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
            Some(RawBsonRef::Document(output)) => fields(output, &[], given)?,
            _ => vec![Field::count()],
        };
        let sort = Sort::parse(&rawdoc! { "_id": 1 }, given.collation())?.ok_or_else(|| fault(40194, "no boundaries"))?;
        Ok((Self { id: Expression::Switch { branches, otherwise }, fields, collation: given.collation().clone() }, sort))
    }
}

/// The accumulators of a group.
pub(super) fn fields(spec: &RawDocument, except: &[&str], given: &Given) -> Result<Vec<Field>, CommandError> {
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
        match (operator.as_str(), Field::parse(name, operator.as_str(), operand, given)?) {
            (_, Some(field)) => fields.push(field),
            ("$accumulator", _) => {
                let message = "$accumulator requires server-side JavaScript, and there is no JavaScript engine";
                return Err(fault(31241, message));
            }
            (known @ ("$median" | "$percentile"), _) => {
                return Err(CommandError::not_implemented(&format!("the accumulator {known}")));
            }
            (unknown, None) => return Err(fault(15952, format!("unknown group operator '{unknown}'"))),
        }
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
        let (key, mut held) = (self.group.collation.key_of(&id), 0);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                held += key.len() + 100;
                self.places.insert(key, self.groups.len());
                let fresh = self.group.fields.iter().map(|field| field.begin(&self.group.collation)).collect();
                self.groups.push((id, fresh));
                self.groups.len() - 1
            }
        };
        if let Some((_, accumulators)) = self.groups.get_mut(place) {
            for (accumulator, field) in accumulators.iter_mut().zip(&self.group.fields) {
                held += field.add(document, accumulator)?;
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
            for (accumulator, field) in accumulators.into_iter().zip(&self.group.fields) {
                if let Some(value) = accumulator.result()? {
                    document.insert(field.name(), value);
                }
            }
            documents.push(RawDocumentBuf::try_from(&document)?);
        }
        Ok(documents)
    }
}
