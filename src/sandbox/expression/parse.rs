use bson::{Bson, RawBsonRef, RawDocument};

use super::super::error::{Code, CommandError};
use super::super::value::{shell, type_alias};
use super::functions::{self, Arguments};
use super::{Expression, Given};

/// Nesting beyond this is refused: parser and evaluation are recursive.
const MAX_DEPTH: usize = 100;

/// Variables that are always there.
const SYSTEM: [&str; 5] = ["ROOT", "CURRENT", "REMOVE", "NOW", "CLUSTER_TIME"];

pub(super) struct Parser<'g> {
    given: &'g Given,
    variables: Vec<String>,
    depth: usize,
}

fn fault(location: i32, message: impl Into<String>) -> CommandError {
    CommandError::new(Code::location(location), message)
}

impl<'g> Parser<'g> {
    pub(super) fn new(given: &'g Given) -> Self {
        Self { given, variables: Vec::new(), depth: 0 }
    }

    pub(super) fn value(&mut self, value: RawBsonRef<'_>) -> Result<Expression, CommandError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(CommandError::bad_value(format!("expression exceeds the maximum nesting depth of {MAX_DEPTH}")));
        }
        let parsed = match value {
            RawBsonRef::String(text) if text.starts_with("$$") => self.variable(text),
            RawBsonRef::String(text) if text.starts_with('$') => field(text),
            RawBsonRef::Document(document) => self.document(document),
            RawBsonRef::Array(array) => {
                array.into_iter().map(|element| self.value(element?)).collect::<Result<_, _>>().map(Expression::Array)
            }
            literal => Ok(Expression::Literal(Bson::try_from(literal)?)),
        };
        self.depth -= 1;
        parsed
    }

    fn variable(&self, text: &str) -> Result<Expression, CommandError> {
        let mut parts = text.trim_start_matches('$').split('.').map(str::to_owned);
        let name = parts.next().unwrap_or_default();
        if name.is_empty() {
            return Err(CommandError::new(Code::FAILED_TO_PARSE, "empty variable names are not allowed"));
        }
        let path: Vec<String> = parts.collect();
        check_path(&path)?;
        if !SYSTEM.contains(&name.as_str()) && !self.variables.contains(&name) {
            let Some(value) = self.given.variable(&name) else {
                return Err(fault(17276, format!("Use of undefined variable: {name}")));
            };
            let value = value.as_ref().and_then(|value| super::evaluate::within_value(value, &path));
            return Ok(value.map_or_else(|| Expression::Variable("REMOVE".into(), Vec::new()), Expression::Literal));
        }
        Ok(match name.as_str() {
            "ROOT" | "CURRENT" if !path.is_empty() => Expression::Field(path),
            _ => Expression::Variable(name, path),
        })
    }

    fn document(&mut self, document: &RawDocument) -> Result<Expression, CommandError> {
        let mut fields = document.iter();
        let Some(first) = fields.next() else { return Ok(Expression::Object(Vec::new())) };
        let (name, operand) = first?;
        if name.as_str().starts_with('$') {
            if fields.next().is_some() {
                let message = format!(
                    "an expression specification must contain exactly one field, the name of the expression. Found {} fields in {}",
                    document.iter().count(),
                    shell(RawBsonRef::Document(document))
                );
                return Err(fault(15983, message));
            }
            return self.operator(name.as_str(), operand);
        }
        let mut object = Vec::new();
        for field in document.iter() {
            let (name, value) = field?;
            let name = name.as_str();
            if name.starts_with('$') {
                return Err(fault(15983, format!("an operator cannot stand beside fields: {name}")));
            }
            if name.contains('.') {
                return Err(fault(
                    16412,
                    format!("FieldPath field names may not contain '.'. Consider using $getField or $setField. Got: {name}"),
                ));
            }
            object.push((name.to_owned(), self.value(value)?));
        }
        Ok(Expression::Object(object))
    }

    fn operator(&mut self, name: &str, operand: RawBsonRef<'_>) -> Result<Expression, CommandError> {
        match name {
            "$literal" | "$const" => Ok(Expression::Literal(Bson::try_from(operand)?)),
            "$and" => self.list(operand).map(Expression::And),
            "$or" => self.list(operand).map(Expression::Or),
            "$cond" => self.cond(operand),
            "$ifNull" => {
                let arguments = self.list(operand)?;
                if arguments.len() < 2 {
                    let message = format!("$ifNull needs at least two arguments, had: {}", arguments.len());
                    return Err(fault(1_257_300, message));
                }
                Ok(Expression::IfNull(arguments))
            }
            "$switch" => self.switch(operand),
            "$let" => self.bindings(operand),
            "$map" => self.map(operand),
            "$filter" => self.filter(operand),
            "$reduce" => self.reduce(operand),
            _ => self.call(name, operand),
        }
    }

    /// The arguments: an array of them, or one alone.
    fn list(&mut self, operand: RawBsonRef<'_>) -> Result<Vec<Expression>, CommandError> {
        match operand {
            RawBsonRef::Array(array) => array.into_iter().map(|element| self.value(element?)).collect(),
            one => Ok(vec![self.value(one)?]),
        }
    }

    fn call(&mut self, name: &str, operand: RawBsonRef<'_>) -> Result<Expression, CommandError> {
        let Some(function) = functions::find(name) else {
            if functions::JAVASCRIPT.contains(&name) {
                let message = format!("{name} requires server-side JavaScript, and there is no JavaScript engine");
                return Err(fault(31241, message));
            }
            if functions::MISSING.contains(&name) {
                return Err(CommandError::not_implemented(&format!("the expression {name}")));
            }
            return Err(CommandError::new(Code::INVALID_PIPELINE_OPERATOR, format!("Unrecognized expression '{name}'")));
        };
        let arguments = match function.arguments {
            Arguments::Named { names, required } => self.named(name, operand, names, required)?,
            // A date may be given alone, or with its time zone.
            Arguments::Date => match operand {
                RawBsonRef::Document(inner) if inner.get("date")?.is_some() => {
                    self.named(name, operand, &["date", "timezone"], 1)?
                }
                other => {
                    let list = self.list(other)?;
                    if list.len() != 1 {
                        return Err(fault(
                            40536,
                            format!("{name} accepts exactly one argument if given an array, but was given {}", list.len()),
                        ));
                    }
                    list.into_iter().map(Some).collect()
                }
            },
            Arguments::Positional { least, most } => {
                let list = self.list(operand)?;
                let n = list.len();
                if n < least || n > most {
                    return Err(if least == most {
                        fault(16020, format!("Expression {name} takes exactly {least} arguments. {n} were passed in."))
                    } else {
                        fault(
                            28667,
                            format!(
                                "Expression {name} takes at least {least} arguments, and at most {most}, but {n} were passed in."
                            ),
                        )
                    });
                }
                list.into_iter().map(Some).collect()
            }
        };
        Ok(Expression::Call(function, arguments, self.given.collation().clone()))
    }

    fn named(
        &mut self,
        operator: &str,
        operand: RawBsonRef<'_>,
        names: &[&str],
        required: usize,
    ) -> Result<Vec<Option<Expression>>, CommandError> {
        let RawBsonRef::Document(fields) = operand else {
            // $getField may be given its field alone.
            if operator == "$getField" {
                return Ok(vec![Some(self.value(operand)?), Some(whole_document())]);
            }
            return Err(CommandError::new(Code::FAILED_TO_PARSE, format!("{operator} only supports an object as its argument")));
        };
        if operator == "$getField" && fields.get("field")?.is_none() {
            return Ok(vec![Some(self.value(operand)?), Some(whole_document())]);
        }
        let mut arguments: Vec<Option<Expression>> = names.iter().map(|_| None).collect();
        for field in fields.iter() {
            let (name, value) = field?;
            let slot = names.iter().position(|known| *known == name.as_str()).and_then(|index| arguments.get_mut(index));
            let Some(slot) = slot else {
                return Err(CommandError::new(Code::FAILED_TO_PARSE, format!("Unrecognized argument to {operator}: {name}")));
            };
            *slot = Some(self.value(value)?);
        }
        if operator == "$getField"
            && let Some(input @ None) = arguments.get_mut(1)
        {
            *input = Some(whole_document());
        }
        match names.iter().zip(&arguments).take(required).find(|(_, argument)| argument.is_none()) {
            Some((name, _)) => Err(CommandError::new(Code::FAILED_TO_PARSE, format!("Missing '{name}' parameter to {operator}"))),
            None => Ok(arguments),
        }
    }

    fn cond(&mut self, operand: RawBsonRef<'_>) -> Result<Expression, CommandError> {
        let parts = match operand {
            RawBsonRef::Document(_) => {
                let parts = self.named("$cond", operand, &["if", "then", "else"], 3)?;
                parts.into_iter().flatten().collect()
            }
            _ => self.list(operand)?,
        };
        let n = parts.len();
        let parts: [Expression; 3] = parts
            .try_into()
            .map_err(|_| fault(16020, format!("Expression $cond takes exactly 3 arguments. {n} were passed in.")))?;
        Ok(Expression::Cond(Box::new(parts)))
    }

    fn switch(&mut self, operand: RawBsonRef<'_>) -> Result<Expression, CommandError> {
        let RawBsonRef::Document(fields) = operand else {
            return Err(fault(40060, format!("$switch requires an object as an argument, found: {}", type_alias(operand))));
        };
        let (mut branches, mut otherwise) = (Vec::new(), None);
        for field in fields.iter() {
            match field? {
                (name, RawBsonRef::Array(array)) if name.as_str() == "branches" => {
                    for branch in array {
                        let mut parts = self.named("$switch", branch?, &["case", "then"], 2)?.into_iter().flatten();
                        if let (Some(case), Some(then)) = (parts.next(), parts.next()) {
                            branches.push((case, then));
                        }
                    }
                }
                (name, _) if name.as_str() == "branches" => {
                    return Err(fault(40061, "$switch expected an array for 'branches'"));
                }
                (name, value) if name.as_str() == "default" => otherwise = Some(Box::new(self.value(value)?)),
                (name, _) => return Err(fault(40067, format!("$switch found an unknown argument: {name}"))),
            }
        }
        if branches.is_empty() {
            return Err(fault(40068, "$switch requires at least one branch."));
        }
        Ok(Expression::Switch { branches, otherwise })
    }

    fn with_variables<T>(
        &mut self,
        names: &[&str],
        parse: impl FnOnce(&mut Self) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let before = self.variables.len();
        self.variables.extend(names.iter().map(|name| (*name).to_owned()));
        let parsed = parse(self);
        self.variables.truncate(before);
        parsed
    }

    fn bindings(&mut self, operand: RawBsonRef<'_>) -> Result<Expression, CommandError> {
        let RawBsonRef::Document(fields) = operand else {
            return Err(fault(16874, "$let only supports an object as its argument"));
        };
        let (Some(RawBsonRef::Document(vars)), Some(within)) = (fields.get("vars")?, fields.get("in")?) else {
            return Err(fault(16876, "Missing 'vars' or 'in' parameter to $let"));
        };
        let mut variables = Vec::new();
        for variable in vars.iter() {
            let (name, value) = variable?;
            check_variable(name.as_str())?;
            variables.push((name.as_str().to_owned(), self.value(value)?));
        }
        let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
        let within = self.with_variables(&names, |parser| parser.value(within))?;
        Ok(Expression::Let { variables, within: Box::new(within) })
    }

    fn map(&mut self, operand: RawBsonRef<'_>) -> Result<Expression, CommandError> {
        let (fields, input, name) = self.over_array("$map", operand)?;
        let within = required("$map", fields, "in")?;
        let within = self.with_variables(&[&name], |parser| parser.value(within))?;
        Ok(Expression::Map { input, name, within: Box::new(within) })
    }

    fn filter(&mut self, operand: RawBsonRef<'_>) -> Result<Expression, CommandError> {
        let (fields, input, name) = self.over_array("$filter", operand)?;
        let keep = required("$filter", fields, "cond")?;
        let limit = fields.get("limit")?.map(|limit| self.value(limit)).transpose()?.map(Box::new);
        let keep = self.with_variables(&[&name], |parser| parser.value(keep))?;
        Ok(Expression::Filter { input, name, keep: Box::new(keep), limit })
    }

    fn over_array<'a>(
        &mut self,
        operator: &str,
        operand: RawBsonRef<'a>,
    ) -> Result<(&'a RawDocument, Box<Expression>, String), CommandError> {
        let RawBsonRef::Document(fields) = operand else {
            return Err(fault(28646, format!("{operator} only supports an object as its argument")));
        };
        let known = ["input", "as", "in", "cond", "limit"];
        if let Some((name, _)) = fields.iter().flatten().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(fault(28647, format!("Unrecognized parameter to {operator}: {name}")));
        }
        let input = self.value(required(operator, fields, "input")?)?;
        let name = match fields.get("as")? {
            None => "this".to_owned(),
            Some(RawBsonRef::String(name)) => {
                check_variable(name)?;
                name.to_owned()
            }
            Some(other) => return Err(fault(16866, format!("'as' must be a string, found {}", type_alias(other)))),
        };
        Ok((fields, Box::new(input), name))
    }

    fn reduce(&mut self, operand: RawBsonRef<'_>) -> Result<Expression, CommandError> {
        let RawBsonRef::Document(fields) = operand else {
            return Err(fault(40075, "$reduce requires an object as an argument"));
        };
        let input = self.value(required("$reduce", fields, "input")?)?;
        let initial = self.value(required("$reduce", fields, "initialValue")?)?;
        let within = required("$reduce", fields, "in")?;
        let within = self.with_variables(&["this", "value"], |parser| parser.value(within))?;
        Ok(Expression::Reduce { input: Box::new(input), initial: Box::new(initial), within: Box::new(within) })
    }
}

fn required<'a>(operator: &str, fields: &'a RawDocument, name: &str) -> Result<RawBsonRef<'a>, CommandError> {
    let missing = || fault(28648, format!("Missing '{name}' parameter to {operator}"));
    fields.get(name)?.ok_or_else(missing)
}

fn whole_document() -> Expression {
    Expression::Variable("CURRENT".into(), Vec::new())
}

fn field(text: &str) -> Result<Expression, CommandError> {
    let path: Vec<String> = text.trim_start_matches('$').split('.').map(str::to_owned).collect();
    if text == "$" {
        return Err(fault(16872, "'$' by itself is not a valid FieldPath"));
    }
    check_path(&path)?;
    Ok(Expression::Field(path))
}

fn check_path(path: &[String]) -> Result<(), CommandError> {
    if path.iter().any(String::is_empty) {
        return Err(fault(15998, "FieldPath field names may not be empty strings."));
    }
    match path.iter().find(|part| part.starts_with('$')) {
        Some(_) => Err(fault(16410, "FieldPath field names may not start with '$'. Consider using $getField or $setField.")),
        None => Ok(()),
    }
}

fn check_variable(name: &str) -> Result<(), CommandError> {
    if name.starts_with(|c: char| c.is_ascii_lowercase() || !c.is_ascii()) || name == "CURRENT" {
        return Ok(());
    }
    let message = format!("'{name}' starts with an invalid character for a user variable name");
    Err(CommandError::new(Code::FAILED_TO_PARSE, message))
}
