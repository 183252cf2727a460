use bson::{RawBsonRef, RawDocument};

/// A dotted path, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct Path(Vec<String>);

/// What to do with an array at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Leaf {
    /// Take its elements, then itself: how queries look at it.
    ElementsAndWhole,
    /// Take its elements; an empty one counts as undefined: how sorting looks at it.
    Elements,
    /// Take itself.
    Whole,
}

impl Path {
    pub(in crate::sandbox) fn new(dotted: &str) -> Self {
        Self(dotted.split('.').map(str::to_owned).collect())
    }

    pub(in crate::sandbox) fn of(parts: &[String]) -> Self {
        Self(parts.to_vec())
    }

    pub(in crate::sandbox) fn parts(&self) -> &[String] {
        &self.0
    }

    /// Shows `test` every value the path leads to, through arrays of documents and by index, until it says yes; `None` is
    /// a missing field. Whether it said yes.
    pub(in crate::sandbox) fn any<'a>(
        &self,
        document: &'a RawDocument,
        leaf: Leaf,
        test: &mut dyn FnMut(Option<RawBsonRef<'a>>) -> bool,
    ) -> bool {
        in_document(document, &self.0, leaf, test)
    }
}

fn in_document<'a>(
    document: &'a RawDocument,
    parts: &[String],
    leaf: Leaf,
    test: &mut dyn FnMut(Option<RawBsonRef<'a>>) -> bool,
) -> bool {
    let Some((first, rest)) = parts.split_first() else { return false };
    from_value(document.get(first).ok().flatten(), rest, leaf, test)
}

fn from_value<'a>(
    value: Option<RawBsonRef<'a>>,
    rest: &[String],
    leaf: Leaf,
    test: &mut dyn FnMut(Option<RawBsonRef<'a>>) -> bool,
) -> bool {
    let Some((next, after)) = rest.split_first() else { return at_leaf(value, leaf, test) };
    match value {
        Some(RawBsonRef::Document(inner)) => in_document(inner, rest, leaf, test),
        Some(RawBsonRef::Array(array)) => {
            for element in array.into_iter().flatten() {
                if let RawBsonRef::Document(inner) = element
                    && in_document(inner, rest, leaf, test)
                {
                    return true;
                }
            }
            let by_index = next.parse::<usize>().ok().and_then(|index| array.get(index).ok().flatten());
            by_index.is_some() && from_value(by_index, after, leaf, test)
        }
        _ => test(None),
    }
}

fn at_leaf<'a>(value: Option<RawBsonRef<'a>>, leaf: Leaf, test: &mut dyn FnMut(Option<RawBsonRef<'a>>) -> bool) -> bool {
    match value {
        Some(RawBsonRef::Array(array)) if leaf != Leaf::Whole => {
            if leaf == Leaf::Elements && array.is_empty() {
                return test(Some(RawBsonRef::Undefined));
            }
            array.into_iter().flatten().any(|element| test(Some(element))) || leaf == Leaf::ElementsAndWhole && test(value)
        }
        _ => test(value),
    }
}
