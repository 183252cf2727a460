use bson::raw::cstr;
use bson::{Bson, RawDocumentBuf, rawdoc};

use super::super::engine::{Catalog, Engine, Index, Source};
use super::super::error::{Code, CommandError};
use super::super::value::whole_number;
use super::admin::check_view;
use super::{Args, Command, refuse_options};

/// Changes what a collection or view was created with, or when an index lets documents expire.
pub(super) async fn coll_mod(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    engine
        .write(move |connection| {
            let args = command.args();
            refuse_options(&args, &["timeseries", "expireAfterSeconds", "cappedSize", "cappedMax"])?;
            let (namespace, catalog) = (args.namespace("collMod")?, Catalog(connection));
            let Some((id, old)) = catalog.entry(&namespace)? else {
                return Err(CommandError::new(Code::NAMESPACE_NOT_FOUND, format!("ns does not exist: {namespace}")));
            };
            let source = catalog.source(&namespace)?;
            let changing: &[&str] = match source {
                Source::View { .. } => &["viewOn", "pipeline"],
                _ => &["validator", "validationLevel", "validationAction"],
            };
            let mut options = RawDocumentBuf::new();
            let given = |name: &str| changing.contains(&name) && matches!(args.get(name), Ok(Some(_)));
            old.iter().flatten().filter(|(name, _)| !given(name.as_str())).for_each(|(name, value)| options.append(name, value));
            for (name, value) in command.body.iter().flatten().filter(|(name, _)| given(name.as_str())) {
                options.append(name, value);
            }
            catalog.set_options(id, &options)?;
            check_view(connection, &namespace)?;
            let mut reply = RawDocumentBuf::new();
            if let (Some(index), Source::Collection(collection)) = (args.document("index")?, &source) {
                let index = Args::new("collMod.index", index);
                let wanted = |known: &&Index| match (index.text("name"), index.document("keyPattern")) {
                    (Ok(Some(name)), _) => known.name == name,
                    (_, Ok(Some(keys))) => known.is_of(keys),
                    _ => false,
                };
                let found = collection.all_indexes().find(wanted);
                let found = found
                    .ok_or_else(|| CommandError::new(Code::INDEX_NOT_FOUND, format!("cannot find index for ns {namespace}")))?;
                change_index(&catalog, found, &index, &mut reply)?;
            }
            rawdoc! { "ok": 1.0 }.iter().flatten().for_each(|(name, value)| reply.append(name, value));
            Ok(reply)
        })
        .await
}

/// Changes when an index lets documents expire, and whether queries pass it over.
fn change_index(catalog: &Catalog<'_>, found: &Index, change: &Args<'_>, reply: &mut RawDocumentBuf) -> Result<(), CommandError> {
    refuse_options(change, &["unique", "prepareUnique"])?;
    let (seconds, hidden) = (change.get("expireAfterSeconds")?, change.flag("hidden")?);
    if seconds.is_none() && hidden.is_none() {
        let message = "no expireAfterSeconds, hidden, unique, or prepareUnique field";
        return Err(CommandError::new(Code::INVALID_OPTIONS, message));
    }
    if seconds.is_some_and(|seconds| Bson::try_from(seconds).ok().as_ref().and_then(whole_number).is_none()) {
        return Err(CommandError::new(Code::TYPE_MISMATCH, "expireAfterSeconds field must be a number"));
    }
    if hidden == Some(true) && found.is_of_id() {
        return Err(CommandError::bad_value("can't hide _id index"));
    }
    let replaced = |name: &str| name == "expireAfterSeconds" && seconds.is_some() || name == "hidden" && hidden.is_some();
    let mut spec = RawDocumentBuf::new();
    found.spec.iter().flatten().filter(|(name, _)| !replaced(name.as_str())).for_each(|(name, value)| spec.append(name, value));
    if let Some(seconds) = seconds {
        spec.append(cstr!("expireAfterSeconds"), seconds);
        if let Some(before) = found.expires_after {
            reply.append(cstr!("expireAfterSeconds_old"), before);
        }
        reply.append(cstr!("expireAfterSeconds_new"), seconds);
    }
    if let Some(hidden) = hidden {
        if hidden {
            spec.append(cstr!("hidden"), true);
        }
        reply.append(cstr!("hidden_old"), found.hidden);
        reply.append(cstr!("hidden_new"), hidden);
    }
    catalog.set_index(found, &spec)
}
