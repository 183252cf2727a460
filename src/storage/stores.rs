use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::{Backend, DataApi, Driver, Settings, Store, StoreError};
use crate::observe::Secret;

/// How many clients are kept: two backends, before and after a change of variables, and some room.
const KEPT: usize = 8;

/// Opens a way to the documents. Its connections live as long as the store does: share it, or let [`Stores`] do so.
///
/// # Errors
/// [`StoreError::Settings`] and, for the driver, [`StoreError::Unreachable`] when DNS does not know the host. Whether a
/// server is there shows with the first call.
pub async fn connect(backend: Backend, settings: &Settings) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match backend {
        Backend::Driver => Arc::new(Driver::new(settings).await?),
        Backend::DataApi => Arc::new(DataApi::new(settings)?),
    })
}

/// What a connection depends on; the collections are not part of it.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    backend: Backend,
    place: String,
    who: String,
    secret: Secret,
}

impl Key {
    fn new(backend: Backend, settings: &Settings) -> Self {
        let (place, who, secret) = match backend {
            Backend::Driver => (&settings.db_host, &settings.db_user, &settings.db_password),
            Backend::DataApi => (&settings.data_api_endpoint, &settings.cluster, &settings.api_key),
        };
        Self { backend, place: place.clone(), who: who.clone(), secret: secret.clone() }
    }
}

/// Open stores by settings: the same settings get the same connections, others get new ones. Cheap to clone.
///
/// ```no_run
/// use connect_console::extension::{Background, Context, HandlerError};
/// use connect_console::storage::bson::doc;
/// use connect_console::storage::{Backend, Observed, Settings, Store, Stores};
/// use serde_json::Value;
///
/// async fn purchase(stores: Stores, cx: Context, request: Value) -> Result<Background, HandlerError> {
///     // DB_HOST, DB_USER and DB_PASSWORD, DB and DRIVER_COLLECTION: as the variables say.
///     let settings = Settings::from_variables(|name| cx.config.get(name).map(Into::into))?;
///     let store = stores.get(Backend::Driver, &settings).await?;
///     // What it writes is seen in the trace, inside the step it is written in.
///     let store = Observed::new(store, cx.scope.clone());
///     store.insert_one(&settings.namespace(Backend::Driver), doc! {"request": request["id"].as_str()}).await?;
///     Ok(Background::Done)
/// }
/// ```
#[derive(Clone, Default)]
pub struct Stores(Arc<Mutex<Open>>);

/// The longest unused first.
type Open = VecDeque<(Key, Arc<dyn Store>)>;

impl Stores {
    /// The store of these settings, opened where there is none yet. The one longest unused makes room for it.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn get(&self, backend: Backend, settings: &Settings) -> Result<Arc<dyn Store>, StoreError> {
        let key = Key::new(backend, settings);
        let mut open = self.0.lock().await;
        let entry = match open.iter().position(|(known, _)| *known == key).and_then(|at| open.remove(at)) {
            Some(entry) => entry,
            None => (key, connect(backend, settings).await?),
        };
        let store = Arc::clone(&entry.1);
        open.push_back(entry);
        if open.len() > KEPT {
            open.pop_front();
        }
        Ok(store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { data_api_endpoint: "http://127.0.0.1:9/data".into(), db_host: "127.0.0.1:9".into(), ..Settings::default() }
    }

    #[tokio::test]
    async fn the_same_place_and_credentials_share_a_connection_whatever_the_collection() {
        let stores = Stores::default();
        for backend in [Backend::Driver, Backend::DataApi] {
            let one = stores.get(backend, &settings()).await.unwrap();
            let other_collection = Settings { driver_collection: "other".into(), http_collection: "other".into(), ..settings() };
            assert!(Arc::ptr_eq(&one, &stores.get(backend, &other_collection).await.unwrap()));
            let other_secret = Settings { db_password: "x".into(), api_key: "x".into(), ..settings() };
            assert!(!Arc::ptr_eq(&one, &stores.get(backend, &other_secret).await.unwrap()));
            assert!(Arc::ptr_eq(&one, &stores.get(backend, &settings()).await.unwrap()));
        }
    }

    #[tokio::test]
    async fn no_more_are_kept_than_there_is_room_for() {
        let stores = Stores::default();
        let first = stores.get(Backend::DataApi, &settings()).await.unwrap();
        for n in 0..KEPT {
            let settings = Settings { cluster: n.to_string(), ..settings() };
            stores.get(Backend::DataApi, &settings).await.unwrap();
        }
        assert_eq!(stores.0.lock().await.len(), KEPT);
        assert!(!Arc::ptr_eq(&first, &stores.get(Backend::DataApi, &settings()).await.unwrap()));
    }
}
