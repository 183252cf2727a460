use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::Query;

fn request() -> Value {
    json!({
        "id": "PR-1", "status": "pending", "created": "2024-05-06T08:15:30+00:00", "note": "", "reason": null,
        "answered": false, "retries": 7,
        "asset": {"id": "AS-1", "product": {"id": "PRD-1", "name": "Fern Backup, large"}, "params": [{"id": "a", "value": "1"}, {"id": "b", "value": "2"}]},
    })
}

#[rstest]
#[case::the_runners_own("and(eq(id,PR-1),in(status,(pending,approved)))&limit=0&offset=0", true)]
#[case::another_status("and(eq(id,PR-1),in(status,(approved,failed)))", false)]
#[case::no_status_at_all("in(status,())", false)]
#[case::empty("", true)]
#[case::field_is_value("status=pending", true)]
#[case::field_op_value("status=ne=pending", false)]
#[case::field_in("status=in=(failed,pending)", true)]
#[case::ne("ne(status,failed)", true)]
#[case::out("out(status,(failed,pending))", false)]
#[case::not("not(eq(status,failed))", true)]
#[case::or("or(eq(status,failed),eq(status,pending))", true)]
#[case::or_with_a_bar("(eq(status,failed)|eq(status,pending))", true)]
#[case::or_with_a_semicolon("eq(status,failed);eq(status,pending)", true)]
#[case::and_with_an_ampersand("eq(status,pending)&eq(id,PR-2)", false)]
#[case::group_with_comma("(eq(status,pending),eq(id,PR-2))", false)]
#[case::nested("eq(asset.product.id,PRD-1)", true)]
#[case::any_of_a_list("eq(asset.params.id,b)", true)]
#[case::none_of_a_list("eq(asset.params.id,c)", false)]
#[case::quoted("eq(asset.product.name,\"Fern Backup, large\")", true)]
#[case::quoted_and_encoded("eq(asset.product.name,%22Fern%20Backup%2C%20large%22)", true)]
#[case::like("like(asset.product.name,*Backup*)", true)]
#[case::like_is_anchored("like(asset.product.name,Backup*)", false)]
#[case::like_minds_the_case("like(asset.product.name,fern*)", false)]
#[case::ilike("ilike(asset.product.name,fern*LARGE)", true)]
#[case::null("eq(reason,null())", true)]
#[case::not_null("ne(status,null())", true)]
#[case::missing_is_null("eq(no.such.field,null())", true)]
#[case::empty_text("eq(note,empty())", true)]
#[case::boolean("answered=false", true)]
#[case::number("gt(retries,6)&lt(retries,8)", true)]
#[case::number_is_no_text("gt(retries,10)", false)]
#[case::moment("ge(created,2024-05-06T10:15:30+02:00)", true)]
#[case::moment_before("lt(created,2024-05-06T10:15:30+02:00)", false)]
#[case::comma_at_the_top("eq(status,pending),eq(id,PR-2)", false)]
#[case::paging_is_no_condition("limit=5&ordering(-created,id)&eq(status,pending)&select(+asset,-note)", true)]
fn a_condition_holds_or_not(#[case] query: &str, #[case] expected: bool) {
    let parsed = Query::parse(query).unwrap();
    assert_eq!(parsed.matches(&request()), expected, "{query}");
    let glance = parsed.glance(&request().to_string()).unwrap();
    assert_eq!(parsed.matches(&glance), expected, "{query}: nothing it asks of is passed over");
}

#[rstest]
#[case("eq(id")]
#[case("eq(id,PR-1))")]
#[case("nope(id,1)")]
#[case("limit=many")]
#[case("eq(,1)")]
#[case("eq(id,\"PR-1)")]
#[case("and(,)")]
#[case("id")]
fn what_is_no_rql_is_refused_with_a_place(#[case] query: &str) {
    let error = Query::parse(query).unwrap_err();
    assert!(error.offset <= query.len() && !error.reason.is_empty());
}

#[test]
fn paging_and_order_are_read_in_both_forms() {
    let query = Query::parse("ordering(-created,asset.id)&limit=10&offset=20").unwrap();
    assert_eq!((query.limit, query.offset), (Some(10), 20));
    assert_eq!(query.ordering, Query::parse("ordering=-created,asset.id").unwrap().ordering);
    let mut list = vec![json!({"n": 1}), json!({"n": 10}), json!({"n": 9})];
    Query::parse("ordering(-n)").unwrap().sort(&mut list);
    assert_eq!(list, [json!({"n": 10}), json!({"n": 9}), json!({"n": 1})]);
}

#[test]
fn what_is_deselected_is_left_out_wherever_it_is() {
    let mut object = request();
    let query = Query::parse("select(+asset.product,note,-asset.product.name,-asset.params.value,-reason,-no.such)").unwrap();
    query.shorten(&mut object);
    let asset = json!({"id": "AS-1", "product": {"id": "PRD-1"}, "params": [{"id": "a"}, {"id": "b"}]});
    assert_eq!((&object["asset"], object.get("reason"), &object["note"]), (&asset, None, &json!("")));
    assert!(Query::parse("select(-)").is_err());
}

#[rstest]
#[case("and(eq(id,PR-1),in(status,(a)))", Some("PR-1"))]
#[case("id=PR-1&status=a", Some("PR-1"))]
#[case("or(eq(id,PR-1),eq(id,PR-2))", None)]
#[case("not(eq(id,PR-1))", None)]
#[case("eq(asset.id,AS-1)", None)]
fn a_query_for_one_id_is_recognised(#[case] query: &str, #[case] expected: Option<&str>) {
    assert_eq!(Query::parse(query).unwrap().pinned_id(), expected);
}

#[test]
fn nesting_without_end_is_refused_and_not_followed() {
    assert!(Query::parse(&"not(".repeat(100_000)).is_err());
    assert!(Query::parse(&"(".repeat(100_000)).is_err());
}

proptest! {
    #[test]
    fn no_query_whatever_panics(query in ".*") {
        if let Ok(query) = Query::parse(&query) {
            query.matches(&request());
            query.sort(&mut [request(), json!({})]);
        }
    }

    #[test]
    fn no_query_of_rqls_own_letters_panics(query in "(and|or|not|in|eq|like|ordering|limit|[(),&|;=.\"'%*0-9a-z-]){0,40}") {
        if let Ok(query) = Query::parse(&query) {
            query.matches(&request());
        }
    }
}
