//! How another process of the same developer acts in a running session: commands over loopback HTTP, with a token that
//! only the owner of the data directory can read.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::bench::Workbench;
use super::paths::write_private;
use super::{Command, Reply, WorkbenchError};
use crate::observe::Secret;

/// The largest command: MongoDB's largest document, before and after an edit, with room for what Extended JSON makes of it.
const LARGEST: usize = 256 << 20;

/// Where a running session is found: `session.json` in its data directory, mode 0600.
#[derive(Serialize, Deserialize)]
struct Door {
    pid: u32,
    address: SocketAddr,
    token: String,
}

fn door_path(data_dir: &Path) -> PathBuf {
    data_dir.join("session.json")
}

/// Whether a session has left word of where it is.
pub(super) fn is_open(data_dir: &Path) -> bool {
    door_path(data_dir).exists()
}

/// The serving side; gone with the session.
pub(super) struct Control {
    path: PathBuf,
    server: JoinHandle<()>,
}

impl Control {
    /// Opens the door of a session.
    pub(super) async fn open(workbench: Workbench, data_dir: &Path) -> Result<Self, WorkbenchError> {
        let failed = |e: std::io::Error| WorkbenchError::Failed(format!("the session can't be opened to other commands: {e}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let token = format!("{:032x}", rand::random::<u128>());
        let door = Door { pid: std::process::id(), address: listener.local_addr().map_err(failed)?, token: token.clone() };
        let path = door_path(data_dir);
        write_private(&path, serde_json::to_string(&door).unwrap_or_default().as_bytes()).map_err(failed)?;
        let state = Desk { workbench, token: Secret::new(token) };
        let limit = DefaultBodyLimit::max(LARGEST);
        let router = Router::new().route("/command", post(take)).layer(limit).with_state(state);
        let server = tokio::spawn(async move {
            // It ends with the task; an error of `accept` is retried by axum itself.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { path, server })
    }

    /// Closes it.
    pub(super) fn close(&self) {
        self.server.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

#[derive(Clone)]
struct Desk {
    workbench: Workbench,
    token: Secret,
}

async fn take(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Json(command): Json<Command>,
) -> Result<Json<Reply>, (StatusCode, Json<WorkbenchError>)> {
    let given = headers.get("authorization").and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    if given != Some(desk.token.reveal()) {
        let error = WorkbenchError::Failed("this session belongs to somebody else".into());
        return Err((StatusCode::UNAUTHORIZED, Json(error)));
    }
    desk.workbench.command(command).await.map(Json).map_err(|e| (StatusCode::UNPROCESSABLE_ENTITY, Json(e)))
}

/// The asking side.
#[derive(Clone)]
pub(super) struct Caller {
    http: reqwest::Client,
    url: String,
    token: Secret,
}

impl Caller {
    /// Finds the session running in a data directory.
    pub(super) async fn find(data_dir: &Path) -> Result<Self, WorkbenchError> {
        let silent = |why: &str| {
            WorkbenchError::Failed(format!(
                "another connect-console is using {} but {why}; stop it, or give another directory with --data-dir DIR",
                data_dir.display()
            ))
        };
        let text = std::fs::read(door_path(data_dir)).map_err(|_| silent("it takes no commands (yet)"))?;
        let door: Door = serde_json::from_slice(&text).map_err(|_| silent("its session.json can't be read"))?;
        crate::connect::tls::install();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(120))
            .build()
            .map_err(|e| WorkbenchError::Failed(format!("no HTTP client could be made: {e}")))?;
        let caller = Self { http, url: format!("http://{}/command", door.address), token: Secret::new(door.token) };
        caller.call(&Command::Status).await.map_err(|_| silent("it does not answer"))?;
        Ok(caller)
    }

    /// Has a command carried out there.
    pub(super) async fn call(&self, command: &Command) -> Result<Reply, WorkbenchError> {
        let gone = |_| WorkbenchError::Failed("the running connect-console went away".into());
        let answer = self.http.post(&self.url).bearer_auth(self.token.reveal()).json(command).send().await.map_err(gone)?;
        if answer.status().is_success() {
            return answer.json().await.map_err(|e| mismatch(&e));
        }
        let error: WorkbenchError = answer.json().await.map_err(|e| mismatch(&e))?;
        Err(error)
    }
}

fn mismatch(error: &reqwest::Error) -> WorkbenchError {
    WorkbenchError::Failed(format!("the running connect-console is of another version ({error}); stop it and start it again"))
}
