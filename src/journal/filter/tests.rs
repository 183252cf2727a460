use rstest::rstest;

use super::{Column, DeliveryFilter, Moment, Op, Term};

fn one(line: &str) -> Term {
    let mut terms = DeliveryFilter::parse(line).unwrap().terms;
    assert_eq!(terms.len(), 1, "{terms:?}");
    terms.remove(0)
}

fn column(column: Column, op: Op, values: &[&str]) -> Term {
    Term::Column { column, op, values: values.iter().map(|v| (*v).into()).collect() }
}

#[test]
fn one_line_says_all_and_every_part_must_fit() {
    let filter =
        DeliveryFilter::parse("purchase !tier type = x  result=fail,retry asset.product.id != 'PRD 1' body~Timeout").unwrap();
    assert_eq!(
        filter.terms,
        [
            Term::Text { text: "purchase".into(), not: false },
            Term::Text { text: "tier".into(), not: true },
            column(Column::Type, Op::Is, &["x"]),
            column(Column::Result, Op::Is, &["fail", "retry"]),
            Term::Path { path: vec!["asset".into(), "product".into(), "id".into()], op: Op::IsNot, values: vec!["PRD 1".into()] },
            Term::Body { text: "timeout".into(), not: false },
        ]
    );
    assert!(filter.reads_payloads());
    assert_eq!(DeliveryFilter::parse("  ").unwrap(), DeliveryFilter::default());
}

#[rstest]
#[case("took>1.5s", column(Column::Took, Op::Greater, &["1500000"]))]
#[case("try >= 2", column(Column::Try, Op::AtLeast, &["2"]))]
#[case("!reason~down", column(Column::Reason, Op::HasNot, &["down"]))]
#[case("since=10m", Term::Time { since: true, moment: Moment::Ago(600_000_000) })]
#[case("until=2d", Term::Time { since: false, moment: Moment::Ago(172_800_000_000) })]
#[case("is=pinned", Term::Mark { mark: "pinned".into(), not: false })]
#[case("a.b=x=y>z", Term::Path { path: vec!["a".into(), "b".into()], op: Op::Is, values: vec!["x=y>z".into()] })]
fn a_comparison_is_read(#[case] line: &str, #[case] expected: Term) {
    assert_eq!(one(line), expected);
}

#[rstest]
#[case("since=2026-03-01T14:30")]
#[case("since=2026-03-01")]
#[case("since=14:30")]
#[case("since=2026-03-01T14:30:00Z")]
fn a_moment_may_be_given_by_the_calendar(#[case] line: &str) {
    assert!(matches!(one(line), Term::Time { since: true, moment: Moment::At(_) }));
}

#[rstest]
#[case("result=faild", 7, "there is no result `faild`")]
#[case("type>3", 4, "`type` is a text")]
#[case("asset..id=3", 0, "is no path")]
#[case("x \"abc", 2, "never closed")]
#[case("result=", 6, "compared with nothing")]
#[case("=5", 0, "a name is missing")]
#[case("since=soon", 6, "is no moment")]
#[case("took>fast", 5, "such as 250ms")]
#[case("is=big", 3, "there is no mark `big`")]
#[case("ab !", 3, "must not be there")]
fn what_is_wrong_is_pointed_at(#[case] line: &str, #[case] at: usize, #[case] says: &str) {
    let error = DeliveryFilter::parse(line).unwrap_err();
    assert_eq!(error.at, at, "{error}");
    assert!(error.message.contains(says), "{error}");
}

proptest::proptest! {
    #[test]
    fn whatever_is_typed_is_a_filter_or_an_error_within_the_line(line in ".{0,60}") {
        if let Err(error) = DeliveryFilter::parse(&line) {
            proptest::prop_assert!(error.at <= line.chars().count());
        }
    }
}
