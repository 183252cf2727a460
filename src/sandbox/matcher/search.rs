use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::super::error::{Code, CommandError};
use super::pcre::{invalid, translate};

/// A regular expression of MongoDB's syntax and meaning, which are PCRE's.
///
/// `regex` searches, in time that grows with the text, whatever it can; `fancy_regex` does where an expression looks around
/// or back, and gives up where that takes it too many steps.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Regex(Arc<Searcher>);

#[derive(Debug)]
enum Searcher {
    Plain(regex::Regex),
    /// Where the text ends with a newline it has to be searched another way, which is made when it is needed.
    ByLastLine {
        plain: regex::Regex,
        exact: OnceLock<Option<fancy_regex::Regex>>,
        source: String,
        options: String,
    },
    LooksAround(fancy_regex::Regex),
}

/// Where the whole and each group of a match are.
pub(in crate::sandbox) type Groups = Vec<Option<Range<usize>>>;

/// So many bytes of a compiled expression, and so many steps back of one search, are the most.
const SIZE: usize = 4 << 20;
const STEPS: usize = 1_000_000;

impl Regex {
    /// Understands an expression.
    ///
    /// # Errors
    /// 51108 for an option, 51091 for a mistake in it; `NotImplemented` for what the sandbox cannot search for.
    pub(in crate::sandbox) fn new(source: &str, options: &str) -> Result<Self, CommandError> {
        let translated = translate(source, options, false)?;
        if translated.looks_around {
            return Ok(Self(Arc::new(Searcher::LooksAround(looking_around(source, options)?))));
        }
        let mut builder = regex::RegexBuilder::new(&translated.text);
        let plain = builder.size_limit(SIZE).dfa_size_limit(SIZE).build().map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => CommandError::not_implemented("a regular expression of this size"),
            other => invalid(other),
        })?;
        Ok(Self(Arc::new(if translated.minds_last_line {
            Searcher::ByLastLine { plain, exact: OnceLock::new(), source: source.to_owned(), options: options.to_owned() }
        } else {
            Searcher::Plain(plain)
        })))
    }

    /// Whether it is found in a text. A search that takes too many steps finds nothing, as in MongoDB's filters.
    pub(in crate::sandbox) fn is_match(&self, text: &str) -> bool {
        match self.searched(text) {
            Ok(plain) => plain.is_match(text),
            Err(exact) => exact.is_match(text).unwrap_or(false),
        }
    }

    /// Where it is found first, from a byte of the text on.
    ///
    /// # Errors
    /// The search takes too many steps.
    pub(in crate::sandbox) fn find_from(&self, text: &str, from: usize) -> Result<Option<Groups>, CommandError> {
        match self.searched(text) {
            Ok(plain) => {
                let found = plain.captures_at(text, from);
                Ok(found.map(|groups| groups.iter().map(|group| group.map(|group| group.range())).collect()))
            }
            Err(exact) => {
                let found = exact.captures_from_pos(text, from).map_err(|_| {
                    let message = "Error occurred while executing the regular expression: it takes too many steps";
                    CommandError::new(Code::location(51156), message)
                })?;
                Ok(found.map(|groups| groups.iter().map(|group| group.map(|group| group.range())).collect()))
            }
        }
    }

    /// What searches this text.
    fn searched(&self, text: &str) -> Result<&regex::Regex, &fancy_regex::Regex> {
        match &*self.0 {
            Searcher::Plain(plain) => Ok(plain),
            Searcher::LooksAround(exact) => Err(exact),
            Searcher::ByLastLine { plain, exact, source, options } if text.ends_with('\n') => {
                exact.get_or_init(|| looking_around(source, options).ok()).as_ref().map_or(Ok(plain), Err)
            }
            Searcher::ByLastLine { plain, .. } => Ok(plain),
        }
    }
}

fn looking_around(source: &str, options: &str) -> Result<fancy_regex::Regex, CommandError> {
    let text = translate(source, options, true)?.text;
    let mut builder = fancy_regex::RegexBuilder::new(&text);
    builder.backtrack_limit(STEPS).delegate_size_limit(SIZE).delegate_dfa_size_limit(SIZE).build().map_err(invalid)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::no_intersection("^[x&&y]$", "", &["x", "&", "y"], &["", "z"])]
    #[case::no_difference("^[+--~~]$", "", &["+", ",", "-", "~"], &["a"])]
    #[case::bracket_in_a_class("x[[]y", "", &["x[y"], &["xy"])]
    #[case::first_bracket("^[]a]+$", "", &["]a"], &["[a"])]
    #[case::digits_of_ascii(r"^\d$", "", &["7"], &["\u{663}"])]
    #[case::words_of_ascii(r"^\w$", "i", &["a", "_", "K"], &["é", "\u{212a}"])]
    #[case::blanks_of_ascii(r"^\s$", "", &[" ", "\u{b}"], &["\u{a0}", "x"])]
    #[case::negated(r"^[^\D3]$", "", &["4"], &["3", "x"])]
    #[case::boundary_of_ascii(r"é\b", "", &["éa"], &["é", "é "])]
    #[case::no_boundary(r"a\Bb", "", &["ab"], &["a b"])]
    #[case::unicode_when_asked(r"(*UCP)^\w$", "", &["é"], &["-"])]
    #[case::look_ahead("a(?=bd)", "", &["abd"], &["abc"])]
    #[case::look_behind("(?<!x)a", "", &["ba"], &["xa"])]
    #[case::back_reference(r"(o)\1", "", &["foo"], &["fo"])]
    #[case::by_name(r"(?<l>o)\k<l>", "", &["foo"], &["fo"])]
    #[case::before(r"(a)(b)\g{-1}", "", &["abb"], &["aba"])]
    #[case::possessive("^a{1,3}+a", "", &["aaaa"], &["aaa"])]
    #[case::last_line(r"b\Z", "", &["ab", "ab\n"], &["ab\n\n", "b "])]
    #[case::end("^a$", "", &["a", "a\n"], &["a\nb", "a\n\n"])]
    #[case::very_end(r"a\z", "", &["a"], &["a\n"])]
    #[case::lines("^b$", "m", &["a\nb\nc"], &["ab"])]
    #[case::no_line_after_the_last("^$", "m", &["", "\n", "a\n\nb"], &["a"])]
    #[case::quoted(r"\Qa.b*\E+", "", &["a.b*", "a.b**"], &["axb"])]
    #[case::quoted_in_a_class(r"^[\Q^-]\E]+$", "", &["]^-"], &["a"])]
    #[case::braces("a{b}", "", &["a{b}"], &["ab"])]
    #[case::repetition("^a{2,}$", "", &["aa", "aaa"], &["a"])]
    #[case::spaced("a b # c\n[ ]d", "x", &["ab d"], &["a b d", "abd"])]
    #[case::modes("(?i)A(?-i:b)", "", &["ab", "Ab"], &["aB"])]
    #[case::characters(r"^\x41\x{e9}\101\e\cA$", "", &["AéA\u{1b}\u{1}"], &["A"])]
    #[case::dot_and_lines("a.b", "s", &["a\nb"], &["ab"])]
    #[case::any_line_end(r"a\Rb", "", &["a\r\nb", "a\u{2028}b"], &["a b"])]
    #[case::posix("^[[:alpha:]_]+$", "", &["ab_"], &["a1"])]
    #[case::property(r"^\p{Lu}\pL$", "", &["Éa"], &["ab"])]
    #[case::escaped(r"^a\-b\/\_\é$", "", &["a-b/_é"], &["ab"])]
    #[case::comment("a(?#not this)b", "", &["ab"], &["anot thisb"])]
    fn an_expression_means_what_it_means_to_pcre(
        #[case] source: &str,
        #[case] options: &str,
        #[case] found: &[&str],
        #[case] not: &[&str],
    ) {
        let regex = Regex::new(source, options).unwrap();
        for text in found {
            assert!(regex.is_match(text), "{source} is found in {text:?}");
            assert!(regex.find_from(text, 0).unwrap().is_some());
        }
        not.iter().for_each(|text| assert!(!regex.is_match(text), "{source} is not found in {text:?}"));
    }

    #[rstest]
    #[case("(", 51091)]
    #[case(")", 51091)]
    #[case("[a", 51091)]
    #[case("*a", 51091)]
    #[case("a{2,1}", 51091)]
    #[case("[z-a]", 51091)]
    #[case(r"[\w-z]", 51091)]
    #[case(r"(a)\2", 51091)]
    #[case(r"\y", 51091)]
    #[case("\\", 51091)]
    #[case("(?R)", 238)]
    #[case("(a)(?1)", 238)]
    #[case("(?|a|b)", 238)]
    #[case("(?(1)a|b)", 238)]
    #[case("a(*SKIP)b", 238)]
    fn a_mistake_is_told_from_what_the_sandbox_has_not(#[case] source: &str, #[case] code: i32) {
        assert_eq!(Regex::new(source, "").unwrap_err().code.number, code);
    }

    #[test]
    fn a_search_that_looks_back_ends_after_so_many_steps() {
        let regex = Regex::new(r"^(a|a|b\1)*c", "").unwrap();
        let text = "a".repeat(60);
        assert!(!regex.is_match(&text));
        assert_eq!(regex.find_from(&text, 0).unwrap_err().code.number, 51156);
    }

    #[test]
    fn groups_are_where_they_are_and_a_last_newline_is_not_taken() {
        assert_eq!(Regex::new("(a)(x)?$", "").unwrap().find_from("ba\n", 0).unwrap(), Some(vec![Some(1..2), Some(1..2), None]));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(source in r"[\\\[\](){}?*+^$|<>=!:a-zQEZ0-9,'&~#é -]{0,24}", text in "[ab\n]{0,6}") {
            if let Ok(regex) = Regex::new(&source, "") {
                regex.is_match(&text);
            }
        }
    }
}
