//! Usage: what is uploaded can be had again, and reconciled; the rest are collections like others.

use std::sync::Arc;

use axum::http::Method;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::answer::{Answer, parse};
use super::refusal::Refusal;
use super::routes::{Call, search};
use super::{collections, lifecycle, resources, verbs};
use crate::platform::core::{Core, State};
use crate::platform::{ids, time};

const FILES: &str = "usage/files";
const CHUNKS: &str = "usage/chunks";
const RECONCILIATIONS: &str = "usage/reconciliations";
/// Where what was uploaded is kept, by the id of what it belongs to.
pub(crate) const UPLOADS: &str = "uploads";

/// Answers a call below `usage`.
pub(crate) fn answer(core: &Arc<Core>, call: &Call<'_>, segments: &[&str], rest: &[&str]) -> Result<Answer, Refusal> {
    match rest {
        ["files", id, "upload"] if *call.method == Method::POST => {
            let done = collections::answer(core, call, segments)?;
            keep(&mut core.lock(), id, call.file);
            Ok(done)
        }
        ["files", id, "approve-all"] => match *call.method {
            Method::PUT => approve_all(core, id),
            _ => Err(Refusal::method()),
        },
        ["files", id, "categories"] => {
            let categories = core.lock().objects.contains(FILES, id).then(Vec::new).ok_or_else(Refusal::not_found)?;
            call.list(categories)
        }
        ["files", id, "reconciliation"] => call.only(&Method::POST, || reconcile(core, id, call.file)),
        ["chunks", id, "download"] => call.only(&Method::GET, || {
            let mut state = core.lock();
            let chunk = state.objects.get(CHUNKS, id).ok_or_else(Refusal::not_found)?;
            let of = chunk.pointer("/usagefile/id").and_then(Value::as_str).unwrap_or_default();
            upload(&mut state, of)
        }),
        ["reconciliations"] => call.only(&Method::GET, || Ok(search(core, RECONCILIATIONS, parse(call.query)?))),
        ["reconciliations", id] => call.only(&Method::GET, || {
            core.lock().objects.text(RECONCILIATIONS, id).map(Answer::Text).ok_or_else(Refusal::not_found)
        }),
        ["reconciliations", id, "uploadedfile" | "processedfile"] => call.only(&Method::GET, || upload(&mut core.lock(), id)),
        ["aggregates"] => call.list(Vec::new()),
        _ => collections::answer(core, call, segments),
    }
}

/// Every category of a file is accepted, and so the file.
fn approve_all(core: &Arc<Core>, id: &str) -> Result<Answer, Refusal> {
    let resource = resources::named(FILES).ok_or_else(Refusal::not_found)?;
    let mut guard = core.lock();
    let state = &mut *guard;
    let mut file = state.objects.get(FILES, id).ok_or_else(Refusal::not_found)?;
    lifecycle::perform(resource, &verbs::APPROVE_ALL, &mut file, &Value::Null)?;
    core.keep(state, FILES, Some("pending"), &file);
    Ok(Answer::Object(file))
}

/// A file with what was billed comes back: what it holds is taken as it is.
fn reconcile(core: &Core, id: &str, file: (&[u8], &str)) -> Result<Answer, Refusal> {
    let mut state = core.lock();
    let of = state.objects.get(FILES, id).ok_or_else(Refusal::not_found)?;
    if of.get("status").is_none_or(|status| status != "accepted") {
        return Err(Refusal::state("Only accepted files can be reconciled."));
    }
    let (name, _) = part(file).ok_or_else(|| Refusal::invalid("file: No file was submitted."))?;
    let own = ids::random("URC", &[4, 2, 10]);
    let now = time::now();
    let reconciliation = json!({
        "id": own, "status": "done", "file": {"id": id, "name": of.get("name")}, "uploaded_file": name, "note": "",
        "events": {"created": {"at": now}, "processed": {"at": now}},
    });
    keep(&mut state, &own, file);
    state.objects.put(RECONCILIATIONS, &own, &reconciliation);
    Ok(Answer::Created(reconciliation))
}

fn keep(state: &mut State, id: &str, file: (&[u8], &str)) {
    if let Some((name, content)) = part(file) {
        state.objects.put(UPLOADS, id, &json!({"id": id, "name": name, "content": BASE64_STANDARD.encode(content)}));
    }
}

fn upload(state: &mut State, id: &str) -> Result<Answer, Refusal> {
    let kept = state.objects.get(UPLOADS, id).ok_or_else(Refusal::not_found)?;
    let text = |name: &str| kept.get(name).and_then(Value::as_str).unwrap_or_default();
    let content = BASE64_STANDARD.decode(text("content")).map_err(|e| Refusal::broken(&e.to_string()))?;
    Ok(Answer::File { name: text("name").to_owned(), content })
}

/// The name and the content of the first file of a form (`multipart/form-data`).
fn part<'a>((body, sort): (&'a [u8], &str)) -> Option<(String, &'a [u8])> {
    let boundary = sort.split(';').find_map(|p| p.trim().strip_prefix("boundary="))?.trim_matches('"');
    let delimiter = format!("--{boundary}");
    let mut rest = body;
    loop {
        let start = find(rest, delimiter.as_bytes())? + delimiter.len();
        rest = rest.get(start..)?;
        let head_end = find(rest, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(rest.get(..head_end)?).into_owned();
        let content = rest.get(head_end + 4..)?;
        let end = find(content, format!("\r\n{delimiter}").as_bytes())?;
        if let Some((_, name)) = head.split_once("filename=\"") {
            return Some((name.split('"').next()?.to_owned(), content.get(..end)?));
        }
        rest = content.get(end..)?;
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len().max(1)).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn the_file_of_a_form_is_found_among_its_fields() {
        let body = b"--xyz\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--xyz\r\n\
            Content-Disposition: form-data; name=\"usage_file\"; filename=\"june.xlsx\"\r\nContent-Type: a/b\r\n\r\nPK\x03\x04\r\n--\r\n--xyz--\r\n";
        let (name, content) = part((body, "multipart/form-data; boundary=\"xyz\"")).unwrap();
        assert_eq!((name.as_str(), content), ("june.xlsx", &b"PK\x03\x04\r\n--"[..]));
        assert_eq!(part((b"--xyz\r\nbroken", "multipart/form-data; boundary=xyz")), None);
        assert_eq!(part((b"{}", "application/json")), None);
    }
}
