use std::marker::PhantomData;
use std::ops::Deref;

use serde_json::Value;

use super::{ApiError, Client, Pages, Rql, rql};

/// Objects of one kind: `requests`, `tier/config-requests`, `products/PRD-1/templates`. Nothing is asked before one of its
/// async methods is called.
///
/// ```no_run
/// # async fn example(client: connect_console::connect::Client) -> Result<(), connect_console::connect::ApiError> {
/// use connect_console::connect::Rql;
///
/// let pending = client.requests().filter(Rql::eq("status", "pending")).order_by(&["-created"]);
/// let mut pages = pending.pages();
/// while let Some(page) = pages.next().await? {
///     println!("{} of {}", page.items.len(), page.total);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Collection<R = Resource> {
    client: Client,
    path: Result<String, ApiError>,
    terms: Vec<Result<String, ApiError>>,
    page_size: u64,
    members: PhantomData<fn() -> R>,
}

impl<R: From<Resource>> Collection<R> {
    pub(super) fn new(client: Client, path: impl Into<String>) -> Self {
        Self::at(client, Ok(path.into()))
    }

    fn at(client: Client, path: Result<String, ApiError>) -> Self {
        Self { client, path, terms: Vec::new(), page_size: 100, members: PhantomData }
    }

    /// One of them by its id.
    pub fn id(&self, id: &str) -> R {
        let path = self.path().and_then(|path| Ok(format!("{path}/{}", segment(path, id)?)));
        Resource { client: self.client.clone(), path }.into()
    }

    /// Only those the filter lets through; each further filter narrows it down.
    #[must_use]
    pub fn filter(mut self, filter: Rql) -> Self {
        self.terms.push(filter.text().map(Into::into));
        self
    }

    /// In this order; a minus in front turns it round: `-created`.
    #[must_use]
    pub fn order_by(self, members: &[&str]) -> Self {
        self.term("ordering", members)
    }

    /// With or without optional members: `+asset.params`, `-events`.
    #[must_use]
    pub fn select(self, members: &[&str]) -> Self {
        self.term("select", members)
    }

    fn term(mut self, function: &str, members: &[&str]) -> Self {
        let members: Result<Vec<_>, _> = members.iter().map(|member| signed(member)).collect();
        self.terms.push(members.map(|members| format!("{function}({})", members.join(","))).map_err(ApiError::Settings));
        self
    }

    /// How many a page has; 100 unless told.
    #[must_use]
    pub fn page_size(mut self, objects: u64) -> Self {
        self.page_size = objects.max(1);
        self
    }

    /// Their pages, each asked for when it is wanted.
    #[must_use]
    pub fn pages(&self) -> Pages {
        Pages::new(self.client.clone(), self.query(), self.page_size)
    }

    /// All of them, page by page, in memory.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn all(&self) -> Result<Vec<Value>, ApiError> {
        let mut pages = self.pages();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await? {
            all.extend(page.items);
        }
        Ok(all)
    }

    /// The first of them.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn first(&self) -> Result<Option<Value>, ApiError> {
        let page = self.client.page(&format!("{}limit=1&offset=0", self.query()?)).await?;
        Ok(page.items.into_iter().next())
    }

    /// How many there are.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn count(&self) -> Result<u64, ApiError> {
        Ok(self.client.page(&format!("{}limit=0&offset=0", self.query()?)).await?.total)
    }

    /// Creates one and returns it as Connect made it.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn create(&self, body: &Value) -> Result<Value, ApiError> {
        self.client.post(self.path()?, Some(body)).await
    }

    fn path(&self) -> Result<&str, ApiError> {
        copied(&self.path)
    }

    /// Path and query, ready for `limit` and `offset`.
    fn query(&self) -> Result<String, ApiError> {
        let mut query = format!("{}?", self.path()?);
        for term in &self.terms {
            query.push_str(copied(term)?);
            query.push('&');
        }
        Ok(query)
    }
}

/// One object: `requests/PR-1`.
#[derive(Debug)]
pub struct Resource {
    client: Client,
    path: Result<String, ApiError>,
}

impl Resource {
    /// The object.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn get(&self) -> Result<Value, ApiError> {
        self.client.get(self.path()?).await
    }

    /// Changes it and returns it as it is now.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn update(&self, body: &Value) -> Result<Value, ApiError> {
        self.client.put(self.path()?, body).await
    }

    /// Deletes it.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn delete(&self) -> Result<(), ApiError> {
        self.client.delete(self.path()?).await
    }

    /// Calls an action of it: `approve`, `fail`, ...
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn action(&self, name: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        let path = self.path()?;
        self.client.post(&format!("{path}/{}", segment(path, name)?), body).await
    }

    /// What belongs to it: `messages`, `templates`, ...
    #[must_use]
    pub fn collection(&self, name: &str) -> Collection {
        Collection::at(self.client.clone(), self.path().map(|path| format!("{path}/{name}")))
    }

    fn path(&self) -> Result<&str, ApiError> {
        copied(&self.path)
    }
}

impl Client {
    /// Objects of any kind, by their path: `listing-requests`, `usage/files`.
    #[must_use]
    pub fn collection(&self, path: &str) -> Collection {
        Collection::new(self.clone(), path.trim_matches('/'))
    }
}

/// A kind of object with methods of its own is a [`Resource`] all the same.
macro_rules! resource {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(crate::connect::Resource);

        impl From<crate::connect::Resource> for $name {
            fn from(resource: crate::connect::Resource) -> Self {
                Self(resource)
            }
        }

        impl std::ops::Deref for $name {
            type Target = crate::connect::Resource;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    };
}
pub(super) use resource;

/// An id as a part of a path. An empty one would ask the whole collection, dots another one.
fn segment(path: &str, id: &str) -> Result<String, ApiError> {
    match id.trim() {
        "" => Err(ApiError::Settings(format!("{path}: the id is empty"))),
        "." | ".." => Err(ApiError::Settings(format!("{path}: `{id}` is no id"))),
        id => Ok(rql::escaped(id)),
    }
}

/// A member with a sign in front of it, for `ordering` and `select`.
fn signed(member: &str) -> Result<String, String> {
    let (sign, member) = match member.chars().next() {
        Some(sign @ ('+' | '-')) => (rql::escaped(sign.encode_utf8(&mut [0; 4])), member.get(1..).unwrap_or_default()),
        _ => (String::new(), member),
    };
    Ok(format!("{sign}{}", rql::name(member)?))
}

/// What was wrong with the making of a path is said where the path is used.
fn copied<T: Deref<Target = str>>(made: &Result<T, ApiError>) -> Result<&str, ApiError> {
    made.as_deref().map_err(|error| ApiError::Settings(error.to_string()))
}
