//! `sandbox` and `platform`: one of the servers alone, for programs started elsewhere.

use std::sync::Arc;

use serde_json::json;

use super::args::{Platform as PlatformArgs, Sandbox as SandboxArgs};
use super::run::stop_signal;
use super::{CliError, Setting, deployment, output};
use crate::journal::Journal;
use crate::sandbox::{Front, FrontOptions, Sandbox, SandboxOptions};
use crate::workbench::{self, Command, OpenOptions, Reply, Session, Source};

/// `sandbox [--port N] [--http-port N] [--no-auth] [--data-api-for WHERE]`
pub(super) async fn sandbox(setting: Setting, args: SandboxArgs) -> Result<(), CliError> {
    if let Some(wanted) = &args.data_api_for {
        return data_api_for(setting, &args, wanted).await;
    }
    let stop = stop_signal();
    let dir = setting.options.data_dir.clone();
    let journal = alone(&setting)?;
    let options = SandboxOptions { dir, port: args.port, http_port: args.http_port, auth: !args.no_auth };
    let sandbox = Sandbox::start(options, Arc::new(journal.clone())).await.map_err(|e| CliError::usage(e.to_string()))?;
    let access = sandbox.access();
    setting.output.object(&json!({
        "mongodb": access.connection_string().reveal(),
        "ca_file": access.ca_file,
        "data_api": access.data_api,
        "api_key": access.api_key.reveal(),
    }))?;
    stop.await;
    sandbox.stop().await;
    Ok(journal.close().await?)
}

/// The Data API in front of another deployment.
async fn data_api_for(setting: Setting, args: &SandboxArgs, wanted: &str) -> Result<(), CliError> {
    let deployment = deployment::read(wanted, |name| std::env::var(name).ok())?;
    let dir = setting.options.data_dir.clone();
    let journal = alone(&setting)?;
    if let Some(password) = deployment::password(&deployment) {
        journal.redactor().learn("DEPLOYMENT_PASSWORD", &password);
    }
    let options = FrontOptions { dir, http_port: args.http_port, auth: !args.no_auth, deployment };
    let front = Front::start(options, Arc::new(journal.clone())).await.map_err(|e| CliError::usage(e.to_string()))?;
    journal.redactor().learn("SANDBOX_API_KEY", &front.api_key);
    setting.output.object(&json!({
        "data_api": front.data_api,
        "api_key": front.api_key.reveal(),
        "deployment": front.servers,
    }))?;
    stop_signal().await;
    front.stop().await;
    Ok(journal.close().await?)
}

/// `platform [--port N] [--tls-port N]`
pub(super) async fn platform(setting: Setting, args: PlatformArgs) -> Result<(), CliError> {
    let stop = stop_signal();
    let extension = Source::Elsewhere { port: args.port, tls_port: args.tls_port };
    let session = Session::open(OpenOptions { extension, ..setting.options.clone() }).await?;
    if session.is_elsewhere() {
        let dir = setting.options.data_dir.display();
        return Err(CliError::usage(format!("a session runs in {dir} already; give another directory with --data-dir DIR")));
    }
    if let Reply::Status(status) = session.command(Command::Status).await? {
        status.troubles.iter().chain(&status.notes).for_each(|said| output::remark(said));
    }
    if let Reply::Access { server_address, api_address, tls_address, ca_file, environment_id, api_key } =
        session.command(Command::Access).await?
    {
        // The official runner calls the API over https only, and its two HTTP clients ask different variables whom to trust.
        let env = json!({
            "API_KEY": api_key, "ENVIRONMENT_ID": environment_id, "SERVER_ADDRESS": server_address,
            "API_ADDRESS": tls_address, "SSL_CERT_FILE": ca_file, "REQUESTS_CA_BUNDLE": ca_file,
        });
        setting.output.object(&json!({
            "server_address": server_address, "api_address": api_address, "tls_address": tls_address,
            "environment_id": environment_id, "api_key": api_key, "ca_file": ca_file, "env": env,
        }))?;
    }
    stop.await;
    session.close().await;
    Ok(())
}

/// The journal of the data directory: whoever holds it has the directory to itself.
fn alone(setting: &Setting) -> Result<Journal, CliError> {
    workbench::private_dir(&setting.options.data_dir)?;
    Journal::open(&setting.options.data_dir).map_err(|e| CliError::usage(e.to_string()))
}
