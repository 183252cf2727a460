//! What two runs did differently, for a reader.

use super::CliError;
use super::output::{Output, span};
use crate::replay::Difference;
use crate::workbench::RunsCompared;

/// Prints a comparison, with or without that of the documents left behind; whether they differ.
pub(super) fn tell(output: Output, compared: &RunsCompared, documents: bool) -> Result<bool, CliError> {
    if output.is_json() {
        output.object(compared)?;
        return Ok(!compared.differences.is_empty());
    }
    let took = |micros: Option<u64>| micros.map_or_else(|| "-".into(), span);
    let (before, after) = compared.micros;
    let head = format!("#{} -> #{}   took {} -> {}", compared.before, compared.after, took(before), took(after));
    output.line(&head)?;
    compared.notes.iter().try_for_each(|note| output.line(&format!("note: {note}")))?;
    if compared.differences.is_empty() && documents && compared.notes.is_empty() {
        output.line("no difference: the same result, reason, steps, API calls, writes, and documents in both backends")?;
        return Ok(false);
    }
    differences(output, &compared.differences)
}

/// Prints differences; whether there are any.
pub(super) fn differences(output: Output, differences: &[Difference]) -> Result<bool, CliError> {
    if differences.is_empty() {
        output.line("no difference: the same result, reason, steps, API calls and writes")?;
    }
    differences.iter().try_for_each(|difference| output.line(&difference.to_string()))?;
    Ok(!differences.is_empty())
}
