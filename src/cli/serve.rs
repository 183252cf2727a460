//! `sandbox` and `platform`: one of the servers alone, for programs started elsewhere.

use std::sync::Arc;

use serde_json::json;

use super::args::{Platform as PlatformArgs, Sandbox as SandboxArgs};
use super::run::stop_signal;
use super::{CliError, Setting};
use crate::journal::Journal;
use crate::platform::{Platform, PlatformOptions};
use crate::sandbox::{Sandbox, SandboxOptions};
use crate::workbench;

/// `sandbox [--port N] [--http-port N] [--no-auth]`
pub(super) async fn sandbox(setting: Setting, args: SandboxArgs) -> Result<(), CliError> {
    let dir = setting.options.data_dir.clone();
    let journal = alone(&setting)?;
    let options = SandboxOptions { dir, port: args.port, http_port: args.http_port, auth: !args.no_auth };
    let sandbox = Sandbox::start(options, Arc::new(journal.clone())).await.map_err(|e| CliError::usage(e.to_string()))?;
    let access = sandbox.access();
    setting.output.object(&json!({
        "mongodb": access.connection_string().reveal(),
        "data_api": access.data_api,
        "api_key": access.api_key.reveal(),
    }))?;
    stop_signal().await;
    sandbox.stop().await;
    Ok(journal.close().await?)
}

/// `platform [--port N]`
pub(super) async fn platform(setting: Setting, args: PlatformArgs) -> Result<(), CliError> {
    let dir = setting.options.data_dir.clone();
    let journal = alone(&setting)?;
    let options = PlatformOptions { dir, port: args.port, ..PlatformOptions::default() };
    let platform = Platform::start(options, Arc::new(journal.clone())).await.map_err(|e| CliError::usage(e.to_string()))?;
    let access = platform.access();
    let env = json!({
        "API_KEY": access.api_key.reveal(),
        "ENVIRONMENT_ID": access.environment_id,
        "SERVER_ADDRESS": access.server_address,
        "API_ADDRESS": access.api_address,
    });
    setting.output.object(&json!({
        "server_address": access.server_address,
        "api_address": access.api_address,
        "environment_id": access.environment_id,
        "api_key": access.api_key.reveal(),
        "env": env,
    }))?;
    stop_signal().await;
    platform.stop().await;
    Ok(journal.close().await?)
}

/// The journal of the data directory: whoever holds it has the directory to itself.
fn alone(setting: &Setting) -> Result<Journal, CliError> {
    workbench::private_dir(&setting.options.data_dir)?;
    Journal::open(&setting.options.data_dir).map_err(|e| CliError::usage(e.to_string()))
}
