//! How answers look: objects, and lists with their `Content-Range`.

use std::sync::Arc;

use axum::Json;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::refusal::Refusal;
use crate::observe::Body;
use crate::platform::rql::Query;
use crate::platform::state::{Selected, select};

const CONTENT_RANGE: HeaderName = HeaderName::from_static("content-range");

/// What a workbook is called in `Content-Type`.
pub(crate) const WORKBOOK: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// A call carried out.
#[derive(Debug)]
pub(crate) enum Answer {
    /// 200 with an object.
    Object(Value),
    /// 200 with an object that is JSON text already.
    Text(Arc<str>),
    /// 201 with the new object.
    Created(Value),
    /// 200 with a page of a list.
    List {
        /// The page.
        items: Vec<Value>,
        /// Where it begins.
        offset: u64,
        /// How many there are in all.
        total: usize,
    },
    /// 200 with text.
    Plain(String),
    /// 200 with a file.
    File {
        /// Its name.
        name: String,
        /// What it holds.
        content: Vec<u8>,
    },
    /// 204.
    Nothing,
    /// Something that takes a while first.
    Later(Later),
}

/// Where an answer comes from that is not at hand.
#[derive(Debug)]
pub(crate) enum Later {
    /// A list of the file.
    Search {
        /// The collection.
        collection: String,
        /// What is asked for.
        query: Query,
    },
    /// Tasks, those that are done included.
    Tasks {
        /// What is asked for.
        query: Query,
        /// One of them, or all.
        id: Option<String>,
        /// Of one installation, or all.
        installation: Option<String>,
    },
    /// A task that failed is to be delivered again.
    Resubmit {
        /// Which.
        id: String,
    },
    /// What became of the tasks of the last hour, day or week.
    Statistics {
        /// `hour`, `day` or `week`.
        granularity: String,
    },
    /// The extension validates.
    Validation {
        /// With which task.
        task_id: String,
    },
}

impl Answer {
    /// The page of `objects` that `query` asks for.
    pub(crate) fn page(query: &Query, objects: Vec<Value>) -> Self {
        let Selected { items, total } = select(objects, query);
        Self::List { items, offset: query.offset, total }
    }
}

/// Reads the query of a list.
pub(crate) fn parse(query: &str) -> Result<Query, Refusal> {
    Query::parse(query).map_err(|e| Refusal::invalid(&format!("Bad filter: {e}.")))
}

impl Answer {
    /// Status, body and `Content-Range`, as they are observed.
    pub(crate) fn observed(&self) -> (u16, Option<Body>, Option<String>) {
        match self {
            Self::Object(object) => (200, Some(object.clone().into()), None),
            Self::Text(text) => (200, Some(Body::of_compact(Arc::clone(text))), None),
            Self::Created(object) => (201, Some(object.clone().into()), None),
            Self::List { items, offset, total } => {
                (200, Some(Value::Array(items.clone()).into()), Some(content_range(*offset, items.len(), *total)))
            }
            Self::Plain(text) => (200, Some(Value::String(text.clone()).into()), None),
            Self::File { .. } => (200, None, None),
            // By now it has come; what is left of it is nothing to tell.
            Self::Nothing | Self::Later(_) => (204, None, None),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Object(object) => Json(object).into_response(),
            Self::Text(text) => ([(CONTENT_TYPE, "application/json")], text.to_string()).into_response(),
            Self::Created(object) => (StatusCode::CREATED, Json(object)).into_response(),
            Self::List { items, offset, total } => {
                let range = content_range(offset, items.len(), total);
                ([(CONTENT_RANGE, range)], Json(items)).into_response()
            }
            Self::Plain(text) => ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
            Self::File { name, content } => {
                let name: String = name.chars().map(|c| if c.is_ascii_graphic() && c != '"' { c } else { '_' }).collect();
                let disposition = format!("attachment; filename=\"{name}\"");
                let sort = if name.ends_with(".xlsx") { WORKBOOK } else { "application/octet-stream" };
                ([(CONTENT_TYPE, sort.to_owned()), (CONTENT_DISPOSITION, disposition)], content).into_response()
            }
            // They are finished before.
            Self::Later(_) => StatusCode::ACCEPTED.into_response(),
            Self::Nothing => StatusCode::NO_CONTENT.into_response(),
        }
    }
}

/// `items 0-9/37`; an empty page is `items 0-0/37`, an empty list `items 0-0/0`.
fn content_range(offset: u64, length: usize, total: usize) -> String {
    let first = if total == 0 { 0 } else { offset };
    let last = first.saturating_add(u64::try_from(length.saturating_sub(1)).unwrap_or(0));
    format!("items {first}-{last}/{total}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    #[rstest]
    #[case(0, 10, 37, "items 0-9/37")]
    #[case(30, 7, 37, "items 30-36/37")]
    #[case(0, 0, 37, "items 0-0/37")]
    #[case(0, 0, 0, "items 0-0/0")]
    #[case(5, 0, 0, "items 0-0/0")]
    fn a_content_range_is_written_as_connect_writes_it(
        #[case] offset: u64,
        #[case] length: usize,
        #[case] total: usize,
        #[case] expected: &str,
    ) {
        assert_eq!(super::content_range(offset, length, total), expected);
    }
}
