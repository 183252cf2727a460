use bson::raw::cstr;
use bson::{Bson, RawDocumentBuf, rawdoc};

use super::super::engine::{Catalog, Engine, Source};
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
                let wanted = |known: &&super::super::engine::Index| match (index.text("name"), index.document("keyPattern")) {
                    (Ok(Some(name)), _) => known.name == name,
                    (_, Ok(Some(keys))) => known.spec.get_document("key").is_ok_and(|known| known == keys),
                    _ => false,
                };
                let found = collection.indexes().iter().find(wanted);
                let found = found
                    .ok_or_else(|| CommandError::new(Code::INDEX_NOT_FOUND, format!("cannot find index for ns {namespace}")))?;
                let seconds = index.get("expireAfterSeconds")?.ok_or_else(|| {
                    CommandError::new(Code::INVALID_OPTIONS, "no expireAfterSeconds, hidden, unique, or prepareUnique field")
                })?;
                refuse_options(&index, &["hidden", "unique", "prepareUnique"])?;
                if Bson::try_from(seconds).ok().as_ref().and_then(whole_number).is_none() {
                    return Err(CommandError::new(Code::TYPE_MISMATCH, "expireAfterSeconds field must be a number"));
                }
                let mut spec = RawDocumentBuf::new();
                for (name, value) in found.spec.iter().flatten().filter(|(name, _)| name.as_str() != "expireAfterSeconds") {
                    spec.append(name, value);
                }
                spec.append(cstr!("expireAfterSeconds"), seconds);
                catalog.set_index(found, &spec)?;
                if let Some(before) = found.expires_after {
                    reply.append(cstr!("expireAfterSeconds_old"), before);
                }
                reply.append(cstr!("expireAfterSeconds_new"), seconds);
            }
            rawdoc! { "ok": 1.0 }.iter().flatten().for_each(|(name, value)| reply.append(name, value));
            Ok(reply)
        })
        .await
}
