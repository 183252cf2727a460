use futures::stream::{self, Stream, TryStreamExt};
use serde_json::Value;

use super::{ApiError, Client, Page};

/// The pages of a collection, one by one. See [`Collection::pages`](super::Collection::pages).
///
/// ```no_run
/// use connect_console::connect::{ApiError, Client, Rql};
/// use futures::TryStreamExt;
/// use serde_json::Value;
///
/// async fn pending(client: &Client) -> Result<Vec<String>, ApiError> {
///     let requests = client.requests().filter(Rql::eq("status", "pending"));
///     // The next page is asked for when the last one is used up.
///     let ids = requests.pages().objects().map_ok(|request: Value| request["id"].to_string());
///     ids.try_collect().await
/// }
/// ```
#[derive(Debug)]
pub struct Pages {
    client: Client,
    query: Option<Result<String, ApiError>>,
    size: u64,
    offset: u64,
}

impl Pages {
    pub(super) fn new(client: Client, query: Result<String, ApiError>, size: u64) -> Self {
        Self { client, query: Some(query), size, offset: 0 }
    }

    /// Asks for the next page; `None` after the last. An error ends them.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn next(&mut self) -> Result<Option<Page>, ApiError> {
        let Some(query) = self.query.take() else { return Ok(None) };
        let query = query?;
        let page = self.client.page(&format!("{query}limit={}&offset={}", self.size, self.offset)).await?;
        if page.items.is_empty() {
            return Ok(None);
        }
        self.offset += page.items.len() as u64;
        if self.offset < page.total {
            self.query = Some(Ok(query));
        }
        Ok(Some(page))
    }

    /// The pages as a stream.
    pub fn stream(self) -> impl Stream<Item = Result<Page, ApiError>> + Send {
        stream::try_unfold(self, |mut pages| async move { Ok(pages.next().await?.map(|page| (page, pages))) })
    }

    /// The objects of all pages as a stream, the next page asked for when the last one is used up.
    pub fn objects(self) -> impl Stream<Item = Result<Value, ApiError>> + Send {
        self.stream().map_ok(|page| stream::iter(page.items.into_iter().map(Ok))).try_flatten()
    }
}
