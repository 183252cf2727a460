//! The HTTP side: everything under `/public/v1`, behind the key.
//!
//! [`routes`] says what is where. Collections are a table ([`resources`]) with what can be done with their objects
//! ([`verbs`], carried out by [`lifecycle`]), and [`collections`] answers for all of them; [`orders`] makes requests,
//! [`accounts`], [`conversations`], [`devops`], [`environment`], [`invitations`], [`parts`] of products, [`schedules`],
//! [`statistics`], [`tasks`], [`usage`] and [`variables`] are a matter of their own; [`actions`] are what links of product
//! actions lead to. [`refusal`] is what a wrong call gets, [`answer`] how answers look, [`later`] where those come from
//! that take a while.

mod accounts;
mod actions;
mod answer;
mod collections;
pub(crate) mod conversations;
mod devops;
mod environment;
mod invitations;
mod later;
mod lifecycle;
mod orders;
mod parts;
mod refusal;
mod render;
mod resources;
mod routes;
mod schedules;
mod statistics;
mod tasks;
pub(crate) mod usage;
mod variables;
mod verbs;

use std::fmt::Debug;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State, WebSocketUpgrade};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use axum::serve::{Listener, ListenerExt};
use serde_json::Value;
use tokio::net::TcpListener;

use self::answer::{Answer, WORKBOOK};
use self::refusal::Refusal;
use self::routes::Call;
use super::changes::INSTALLATIONS;
use super::core::Core;
use super::foreign::{Concern, api_call, task_of};
use super::hub::RunnerType;
use super::hub::socket::{self, Caller, MAX_MESSAGE};
use super::recording::Played;
use super::rql::percent_decode;
use crate::authority::serve_until;
use crate::observe::Level;

/// Where the API begins.
const PREFIX: &str = "/public/v1/";
/// The largest body taken.
const MAX_BODY: usize = 16 << 20;
/// The platform's version, by which tools decide whether a runner fits.
const CONNECT_VERSION: (&str, &str) = ("connect-version", "43.1.0");

/// Serves without TLS until the platform closes.
pub(crate) async fn serve_plain(core: Arc<Core>, listener: TcpListener) {
    let listener = listener.tap_io(|stream| {
        // Answers are small and somebody waits for each: without this the kernel holds them back for more to come.
        let _ = stream.set_nodelay(true);
    });
    serve(core, listener).await;
}

/// Serves whoever comes through `listener` until the platform closes.
pub(crate) async fn serve<L: Listener<Addr: Debug>>(core: Arc<Core>, listener: L) {
    let app = Router::new().fallback(handle).with_state(Arc::clone(&core));
    if let Err(e) = serve_until(core.closing.clone(), listener, app).await {
        core.log(Level::Error, format!("the local Connect stopped listening: {e}"));
    }
}

async fn handle(State(core): State<Arc<Core>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    // As Connect does: the head of what would be answered. The body is left out by the server.
    if parts.method == Method::HEAD {
        parts.method = Method::GET;
    }
    let mut response = admitted(&core, parts, body).await;
    let (name, version) = CONNECT_VERSION;
    response.headers_mut().insert(name, HeaderValue::from_static(version));
    response
}

/// Lets in who has a key, or the link of an action.
async fn admitted(core: &Arc<Core>, mut parts: Parts, body: Body) -> Response {
    if parts.uri.path().starts_with(actions::PREFIX) {
        return actions::visit(core, &parts).await;
    }
    let key = parts.headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    // The environment's own key is by far the most frequent, and the quickest to be known.
    let own = core.access.admits(key);
    let installation = if own { None } else { installation(core, key) };
    if installation.is_none() && !own {
        core.log(Level::Warning, format!("{} {} came without the right key and was refused", parts.method, parts.uri.path()));
        return Refusal::unauthorized().into_response();
    }
    let Some(path) = parts.uri.path().strip_prefix(PREFIX).map(str::to_owned) else {
        return Refusal::not_found().into_response();
    };
    let segments: Vec<String> = path.trim_end_matches('/').split('/').map(percent_decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if let ["devops", "ws", environment, instance, rest @ ..] = &segments[..]
        && let Some(application) = application(rest)
        && installation.is_none()
    {
        return upgrade(core, &mut parts, environment, instance, application).await;
    }
    match to_bytes(body, MAX_BODY).await {
        Ok(body) => called(core, &parts, (&path, &segments), &body, installation.as_deref()).await,
        Err(_) => Refusal::invalid("the body is larger than 16 MiB, or broke off").into_response(),
    }
}

/// Answers a call, from a recording or in earnest; whose delivery it is of, that is told.
async fn called(
    core: &Arc<Core>,
    parts: &Parts,
    (path, segments): (&str, &[&str]),
    body: &[u8],
    installation: Option<&str>,
) -> Response {
    let concern = core.foreign.concern(parts);
    if let Some(played) = played(core, parts, path, body, concern.as_ref()) {
        if let Some(concern) = concern {
            let told = (played.status, played.body.clone().map(Into::into), played.content_range.clone());
            core.foreign.called(concern, api_call(parts, path, body, told));
        }
        return played.into_response();
    }
    let answer = answered(core, parts, segments, body, installation).await;
    if let Some(concern) = concern {
        let told = answer.as_ref().map_or_else(Refusal::observed, Answer::observed);
        core.foreign.called(concern, api_call(parts, path, body, told));
    }
    answer.into_response()
}

/// What a recording answers, where one is played for the task a call is made for.
fn played(core: &Core, parts: &Parts, path: &str, body: &[u8], concern: Option<&Concern>) -> Option<Played> {
    let task = task_of(parts).or_else(|| concern?.look_up())?;
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    core.recordings.answer(task, parts.method.as_str(), &format!("{path}{query}"), body)
}

/// The installation a key is of, for as long as it is one.
fn installation(core: &Core, key: Option<&[u8]>) -> Option<String> {
    let id = core.access.installation_of(key?)?;
    let installation = core.lock().objects.get(INSTALLATIONS, &id)?;
    installation.get("status").is_some_and(|status| status == "installed").then_some(id)
}

async fn answered(
    core: &Arc<Core>,
    parts: &Parts,
    segments: &[&str],
    body: &[u8],
    installation: Option<&str>,
) -> Result<Answer, Refusal> {
    let sort = parts.headers.get(CONTENT_TYPE).and_then(|sort| sort.to_str().ok()).unwrap_or_default();
    let raw = body;
    let body = match body {
        _ if sort.starts_with("multipart/") || sort.starts_with(WORKBOOK) => Value::Null,
        [] => Value::Null,
        body => serde_json::from_slice(body).map_err(|e| Refusal::invalid(&format!("JSON parse error - {e}")))?,
    };
    let query = parts.uri.query().unwrap_or_default();
    let call = Call { method: &parts.method, query, body: &body, file: (raw, sort), installation };
    match routes::answer(core, &call, segments)? {
        Answer::Later(later) => later::finish(core, later).await,
        answer => Ok(answer),
    }
}

/// What stands behind the instance in the path: nothing for events, or an application; `None` where nobody connects.
fn application(rest: &[&str]) -> Option<Option<RunnerType>> {
    match rest {
        [] => Some(None),
        [name] => RunnerType::APPLICATIONS.iter().find(|(known, _)| known == name).map(|(_, of)| Some(*of)),
        _ => None,
    }
}

async fn upgrade(
    core: &Arc<Core>,
    parts: &mut Parts,
    environment: &str,
    instance: &str,
    application: Option<RunnerType>,
) -> Response {
    if environment != core.access.environment_id {
        core.log(Level::Warning, format!("a runner of {environment} knocked; this is {}", core.access.environment_id));
        return Refusal::not_found().into_response();
    }
    let caller = Caller::new(instance, application, parts.uri.query().unwrap_or_default());
    let core = Arc::clone(core);
    match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => upgrade.max_message_size(MAX_MESSAGE).on_upgrade(move |socket| socket::serve(core, caller, socket)),
        Err(refused) => refused.into_response(),
    }
}
