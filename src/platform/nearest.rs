//! What somebody may have meant.

/// How many suggestions are made.
const MOST: usize = 3;

/// The names nearest to what was typed; all of them where none is near.
pub(crate) fn advice(typed: &str, known: &[&str]) -> String {
    let near = nearest(typed, known);
    if near.is_empty() { format!("known are: {}", known.join(", ")) } else { format!("did you mean {}?", near.join(" or ")) }
}

/// Names a slip of the keys away, else those that have every word of it.
fn nearest<'a>(typed: &str, known: &[&'a str]) -> Vec<&'a str> {
    let typed = typed.trim().to_lowercase().replace(['-', ' ', '.'], "_");
    let slips = (typed.chars().count() / 6).max(2);
    let mut close: Vec<(usize, &str)> = known.iter().map(|name| (distance(&typed, name), *name)).collect();
    close.sort_by_key(|(far, _)| *far);
    let best = close.first().map_or(usize::MAX, |(far, _)| *far);
    if best <= slips {
        return close.into_iter().take_while(|(far, _)| *far == best).map(|(_, name)| name).take(MOST).collect();
    }
    let words: Vec<&str> = typed.split('_').filter(|word| !word.is_empty()).collect();
    let has_all = |name: &&&str| !words.is_empty() && words.iter().all(|word| name.contains(word));
    known.iter().filter(has_all).copied().take(MOST).collect()
}

/// How many letters must be put in, taken out or changed to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((b, above_left), above) in other.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(0);
            next.push((above_left + usize::from(a != *b)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const KNOWN: [&str; 4] = [
        "asset_purchase_request_processing",
        "asset_purchase_request_validation",
        "asset_cancel_request_processing",
        "product_action_execution",
    ];

    #[rstest]
    #[case("asset_purchase_request_procesing", "did you mean asset_purchase_request_processing?")]
    #[case("Asset-Purchase-Request-Processing", "did you mean asset_purchase_request_processing?")]
    #[case("purchase", "did you mean asset_purchase_request_processing or asset_purchase_request_validation?")]
    #[case("cancel_request", "did you mean asset_cancel_request_processing?")]
    #[case("action", "did you mean product_action_execution?")]
    fn what_was_meant_is_suggested(#[case] typed: &str, #[case] expected: &str) {
        assert_eq!(advice(typed, &KNOWN), expected);
    }

    #[rstest]
    #[case("something_else")]
    #[case("")]
    fn where_nothing_is_near_all_are_named(#[case] typed: &str) {
        assert!(advice(typed, &KNOWN).starts_with("known are: asset_purchase_request_processing, "));
    }
}
