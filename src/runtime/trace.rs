/// The traceparent our calls carry for a task's `connect_correlation_id` (`00-<32 hex>-<16 hex>-01`): the same trace,
/// whole, a span of our own. `None` when it is no traceparent.
pub(super) fn traceparent(correlation_id: &str) -> Option<String> {
    let mut parts = correlation_id.split('-');
    let (_version, trace) = (parts.next()?, parts.next()?);
    let whole = trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit());
    whole.then(|| format!("00-{trace}-{:016x}-01", rand::random::<u64>()))
}

#[cfg(test)]
mod tests {
    use super::traceparent;

    #[test]
    fn the_trace_keeps_all_its_digits_and_the_span_is_our_own() {
        let theirs = "00-0123456789abcdef0123456789abcdef-0000000000000007-01";
        let ours = traceparent(theirs).unwrap();
        assert!(ours.starts_with("00-0123456789abcdef0123456789abcdef-") && ours.ends_with("-01"), "{ours}");
        assert_eq!(ours.len(), theirs.len());
        assert_ne!(ours, theirs);
    }

    #[test]
    fn what_is_no_traceparent_is_not_made_into_one() {
        assert_eq!(traceparent(""), None);
        assert_eq!(traceparent("00-short-7-01"), None);
    }
}
