//! Which fields of a document are answered.

use bson::raw::CString;
use bson::{RawArray, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf};

use super::error::{Code, CommandError};
use super::matcher::Matcher;

/// A parsed projection.
#[derive(Debug, Clone)]
pub(super) struct Projection {
    mode: Mode,
    id: bool,
    tree: Tree,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Include,
    Exclude,
}

/// The named fields, and below each the named fields inside; an empty tree is the field as a whole.
#[derive(Debug, Clone, Default)]
struct Tree(Vec<(String, Tree)>);

impl Tree {
    fn get(&self, name: &str) -> Option<&Self> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, inner)| inner)
    }

    /// Adds a path; a path that ends inside another one, or goes on beyond it, collides.
    fn add(&mut self, whole: &str, path: &str) -> Result<(), CommandError> {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        if first.is_empty() {
            let message = "FieldPath field names may not be empty strings.";
            return Err(CommandError::new(Code::location(15998), message));
        }
        let collision = || CommandError::new(Code::location(31250), format!("Path collision at {whole}"));
        match (self.0.iter_mut().find(|(known, _)| known == first), rest) {
            (Some((_, inner)), Some(rest)) if !inner.0.is_empty() => inner.add(whole, rest),
            (Some(_), _) => Err(collision()),
            (None, rest) => {
                let mut inner = Self::default();
                if let Some(rest) = rest {
                    inner.add(whole, rest)?;
                }
                self.0.push((first.to_owned(), inner));
                Ok(())
            }
        }
    }
}

impl Projection {
    /// Understands a projection; `None` for one that changes nothing.
    ///
    /// # Errors
    /// Inclusion mixed with exclusion, colliding paths, operators the sandbox does not have.
    pub(super) fn parse(spec: &RawDocument) -> Result<Option<Self>, CommandError> {
        let (mut mode, mut id, mut tree) = (None, None, Tree::default());
        for element in spec.iter() {
            let (name, value) = element?;
            let (name, wanted) = (name.as_str(), wanted(name.as_str(), value)?);
            if name == "_id" {
                id = Some(wanted);
                continue;
            }
            match (mode, wanted) {
                (Some(Mode::Exclude), true) => {
                    let message = format!("Cannot do inclusion on field {name} in exclusion projection");
                    return Err(CommandError::new(Code::location(31253), message));
                }
                (Some(Mode::Include), false) => {
                    let message = format!("Cannot do exclusion on field {name} in inclusion projection");
                    return Err(CommandError::new(Code::location(31254), message));
                }
                _ => mode = Some(if wanted { Mode::Include } else { Mode::Exclude }),
            }
            tree.add(name, name)?;
        }
        Ok(match (mode, id) {
            (None, None) => None,
            (None, Some(true)) => Some(Self { mode: Mode::Include, id: true, tree }),
            (None, Some(false)) => Some(Self { mode: Mode::Exclude, id: false, tree }),
            (Some(mode), id) => Some(Self { mode, id: id.unwrap_or(true), tree }),
        })
    }

    /// As [`apply`](Self::apply), for a document that `found_by` found.
    ///
    /// # Errors
    /// A computed field that cannot be computed.
    pub(super) fn apply_found(&self, document: &RawDocument, _found_by: &Matcher) -> Result<RawDocumentBuf, CommandError> {
        Ok(self.apply(document))
    }

    /// The document with the projected fields only, in the order it has them.
    pub(super) fn apply(&self, document: &RawDocument) -> RawDocumentBuf {
        let mut out = RawDocumentBuf::new();
        for (name, value) in document.iter().flatten() {
            if name.as_str() == "_id" && self.tree.get("_id").is_none() {
                if self.id {
                    out.append(name, value);
                }
                continue;
            }
            if let Some(value) = self.field(&self.tree, name.as_str(), value) {
                value.append_to(&mut out, name);
            }
        }
        out
    }

    fn field<'a>(&self, tree: &Tree, name: &str, value: RawBsonRef<'a>) -> Option<Projected<'a>> {
        match (tree.get(name), self.mode) {
            (None, Mode::Include) => None,
            (None, Mode::Exclude) => Some(Projected::Same(value)),
            (Some(inner), mode) if inner.0.is_empty() => (mode == Mode::Include).then_some(Projected::Same(value)),
            (Some(inner), _) => self.inside(inner, value),
        }
    }

    /// A value whose parts are projected; what has no parts is left out of an inclusion.
    fn inside<'a>(&self, tree: &Tree, value: RawBsonRef<'a>) -> Option<Projected<'a>> {
        match value {
            RawBsonRef::Document(inner) => Some(Projected::Document(self.document(tree, inner))),
            RawBsonRef::Array(array) => Some(Projected::Array(self.array(tree, array))),
            _ => (self.mode == Mode::Exclude).then_some(Projected::Same(value)),
        }
    }

    fn document(&self, tree: &Tree, document: &RawDocument) -> RawDocumentBuf {
        let mut out = RawDocumentBuf::new();
        for (name, value) in document.iter().flatten() {
            if let Some(value) = self.field(tree, name.as_str(), value) {
                value.append_to(&mut out, name);
            }
        }
        out
    }

    fn array(&self, tree: &Tree, array: &RawArray) -> RawArrayBuf {
        let mut out = RawArrayBuf::new();
        for value in array.into_iter().flatten() {
            match self.inside(tree, value) {
                Some(Projected::Same(value)) => out.push(value),
                Some(Projected::Document(inner)) => out.push(inner),
                Some(Projected::Array(inner)) => out.push(inner),
                None => {}
            }
        }
        out
    }
}

enum Projected<'a> {
    Same(RawBsonRef<'a>),
    Document(RawDocumentBuf),
    Array(RawArrayBuf),
}

impl Projected<'_> {
    fn append_to(self, out: &mut RawDocumentBuf, name: &bson::raw::CStr) {
        let name = CString::from(name);
        match self {
            Self::Same(value) => out.append(&*name, value),
            Self::Document(value) => out.append(&*name, value),
            Self::Array(value) => out.append(&*name, value),
        }
    }
}

fn wanted(name: &str, value: RawBsonRef<'_>) -> Result<bool, CommandError> {
    match value {
        RawBsonRef::Boolean(b) => Ok(b),
        RawBsonRef::Int32(n) => Ok(n != 0),
        RawBsonRef::Int64(n) => Ok(n != 0),
        RawBsonRef::Double(n) => Ok(n != 0.0),
        RawBsonRef::Document(inner) => {
            let operator = inner.iter().next().and_then(Result::ok).map_or("", |(name, _)| name.as_str());
            Err(CommandError::not_implemented(&format!("the projection {name}: {{{operator}: ...}}")))
        }
        _ => Err(CommandError::not_implemented(&format!("a computed value in the projection of {name}"))),
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::inclusion_keeps_the_id(rawdoc! { "b": 1 }, rawdoc! { "_id": 1, "b": 3 })]
    #[case::inclusion_without_the_id(rawdoc! { "b": 1, "_id": 0 }, rawdoc! { "b": 3 })]
    #[case::only_the_id(rawdoc! { "_id": 1 }, rawdoc! { "_id": 1 })]
    #[case::everything_but_the_id(rawdoc! { "_id": 0 }, rawdoc! { "b": 3, "a": { "x": 1, "y": [{ "z": 1, "w": 2 }, 5] } })]
    #[case::exclusion(rawdoc! { "a": 0 }, rawdoc! { "_id": 1, "b": 3 })]
    #[case::dotted_inclusion(rawdoc! { "a.x": true }, rawdoc! { "_id": 1, "a": { "x": 1 } })]
    #[case::dotted_exclusion(rawdoc! { "a.y": false }, rawdoc! { "_id": 1, "b": 3, "a": { "x": 1 } })]
    #[case::inclusion_inside_arrays_drops_scalars(rawdoc! { "a.y.z": 1 }, rawdoc! { "_id": 1, "a": { "y": [{ "z": 1 }] } })]
    #[case::exclusion_inside_arrays_keeps_scalars(
        rawdoc! { "a.y.z": 0 },
        rawdoc! { "_id": 1, "b": 3, "a": { "x": 1, "y": [{ "w": 2 }, 5] } }
    )]
    fn a_projection_answers_what_it_names(#[case] spec: RawDocumentBuf, #[case] expected: RawDocumentBuf) {
        let document = rawdoc! { "_id": 1, "b": 3, "a": { "x": 1, "y": [{ "z": 1, "w": 2 }, 5] } };
        let projection = Projection::parse(&spec).unwrap().unwrap();
        assert_eq!(projection.apply(&document), expected);
    }

    #[rstest]
    #[case(rawdoc! { "a": 1, "b": 0 }, 31254)]
    #[case(rawdoc! { "a": 0, "b": 1 }, 31253)]
    #[case(rawdoc! { "a": 1, "a.b": 1 }, 31250)]
    #[case(rawdoc! { "a": { "$slice": 1 } }, 238)]
    fn a_projection_that_makes_no_sense_is_refused_with_the_servers_code(#[case] spec: RawDocumentBuf, #[case] code: i32) {
        assert_eq!(Projection::parse(&spec).unwrap_err().code.number, code);
    }
}
