//! Where the guest comes in.

use std::fmt::Debug;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use serde_json::json;

use super::forward;
use super::line::Visitor;
use super::shared::Shared;
use super::way::Way;
use crate::authority::serve_until;
use crate::observe::{Level, LinkState};
use crate::runtime::socket::{self, Opened};

/// The largest message taken from the guest: results carry their task's whole input back.
const LARGEST: usize = 64 << 20;

/// Serves whoever comes through `listener` until the relay closes.
pub(super) async fn serve<L: Listener<Addr: Debug>>(shared: Arc<Shared>, listener: L) {
    let app = Router::new().fallback(handle).with_state(Arc::clone(&shared));
    if let Err(e) = serve_until(shared.closing.clone(), listener, app).await {
        shared.scope.log(Level::Error, super::TARGET, format!("the relay stopped listening: {e}"));
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    if !parts.uri.path().starts_with("/public/v1/devops/ws/") {
        return forward::forward(&shared, parts, body).await;
    }
    let own = parts.headers.get(AUTHORIZATION).is_some_and(|key| key.as_bytes() == shared.api_key.reveal().as_bytes());
    if !own {
        return refused(StatusCode::UNAUTHORIZED, "this key is not the one the relay gave its runner");
    }
    let way = Way::of(&shared.connect.environment_id, parts.uri.path(), parts.uri.query().unwrap_or_default());
    match way {
        Some(way) => upgrade(shared, &mut parts, way).await,
        None => refused(StatusCode::NOT_FOUND, "the relay serves another environment"),
    }
}

/// Connect is asked first: what it answers instead of opening a WebSocket, the guest is to know.
async fn upgrade(shared: Arc<Shared>, parts: &mut Parts, way: Way) -> Response {
    let upgrade = match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => upgrade.max_message_size(LARGEST),
        Err(refused) => return refused.into_response(),
    };
    let visitors = match shared.line(&way) {
        Ok(visitors) => visitors,
        Err(why) => {
            shared.scope.log(Level::Error, super::TARGET, why.clone());
            return refused(StatusCode::INTERNAL_SERVER_ERROR, &why);
        }
    };
    let count = |name: &str| {
        let value = parts.uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|n| n.parse().ok()).unwrap_or(0)
    };
    let url = way.url(&shared.connect, count("running_tasks"), count("running_scheduled_tasks"));
    let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default().to_owned();
    match socket::open(&url, &shared.connect.api_key, &agent).await.map(Opened::halves) {
        Ok(connect) => upgrade.on_upgrade(async move |guest| {
            // A line that is gone was closed with the relay.
            let _ = visitors.send(Visitor { guest, connect, agent }).await;
        }),
        Err(refusal) => {
            shared.link(&way, Some(LinkState::Waiting), &format!("{}; the runner tries again by itself", refusal.why));
            let status = refusal.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
            refused(status, &refusal.why)
        }
    }
}

/// An answer of the relay itself, in the form of Connect's.
pub(super) fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({"error_code": "RELAY", "errors": [why]}))).into_response()
}
