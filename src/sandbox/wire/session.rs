use std::sync::Arc;

use bson::raw::cstr;
use bson::spec::BinarySubtype;
use bson::{Binary, DateTime, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use tokio::sync::OnceCell;

use super::super::commands::{self, Args, Command, MAX_BATCH};
use super::super::credentials::Credentials;
use super::super::engine::Engine;
use super::super::error::{Code, CommandError};
use super::super::value::MAX_DOCUMENT;
use super::about;
use super::frame::MAX_FRAME;
use super::patience::Patience;
use super::scram::{self, Conversation, Verifier};
use super::standalone;

/// The release whose behaviour the sandbox follows, so that drivers and their test suites know what to ask of it.
const VERSION: &str = "7.0.14";
const VERSION_PARTS: [i32; 4] = [7, 0, 14, 0];
const MAX_WIRE_VERSION: i32 = 21;

/// What all connections share.
pub(in crate::sandbox) struct Shared {
    pub(in crate::sandbox) engine: Engine,
    /// `None` if nobody needs to authenticate.
    pub(in crate::sandbox) credentials: Option<Credentials>,
    pub(in crate::sandbox) verifier: OnceCell<Verifier>,
    pub(in crate::sandbox) started: std::time::Instant,
    pub(in crate::sandbox) patience: Patience,
}

impl Shared {
    /// Derived when somebody first asks: a start does not wait for it.
    async fn verifier(&self) -> Result<&Verifier, CommandError> {
        let Some(credentials) = self.credentials.clone() else { return Err(scram::failed()) };
        self.verifier
            .get_or_try_init(|| async {
                let derived = tokio::task::spawn_blocking(move || Verifier::derive(&credentials)).await;
                derived.map_err(|error| CommandError::new(Code::INTERNAL_ERROR, error.to_string()))
            })
            .await
    }
}

/// One connection: who it is, and what is asked about itself.
pub(super) struct Session {
    shared: Arc<Shared>,
    id: i32,
    peer: String,
    user: Option<String>,
    scram: Option<Scram>,
}

struct Scram {
    conversation: Conversation,
    user: String,
    skip_empty_exchange: bool,
    proven: bool,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, id: i32, peer: String) -> Self {
        Self { shared, id, peer, user: None, scram: None }
    }

    /// Whether it may send commands to the databases.
    pub(super) fn is_trusted(&self) -> bool {
        self.shared.credentials.is_none() || self.user.is_some()
    }

    /// Answers one command.
    pub(super) async fn answer(&mut self, command: Command) -> Result<RawDocumentBuf, CommandError> {
        let args = Args::new(command.name(), &command.body);
        match command.name() {
            "hello" | "isMaster" | "ismaster" => self.hello(&args).await,
            "ping" => Ok(rawdoc! { "ok": 1.0 }),
            "buildInfo" | "buildinfo" => Ok(build_info()),
            "saslStart" => self.sasl_start(&command.body).await,
            "saslContinue" => self.sasl_continue(&command.body).await,
            "logout" => {
                self.user = None;
                Ok(rawdoc! { "ok": 1.0 })
            }
            "connectionStatus" => Ok(self.status()),
            "whatsmyuri" => Ok(rawdoc! { "you": self.peer.as_str(), "ok": 1.0 }),
            name if !self.is_trusted() => {
                Err(CommandError::new(Code::UNAUTHORIZED, format!("Command {name} requires authentication")))
            }
            "endSessions" | "refreshSessions" | "killSessions" => Ok(rawdoc! { "ok": 1.0 }),
            "startSession" => Ok(rawdoc! {
                "id": { "id": Binary { subtype: BinarySubtype::Uuid, bytes: bson::Uuid::new().bytes().to_vec() } },
                "timeoutMinutes": 30, "ok": 1.0,
            }),
            "getParameter" => get_parameter(&command.body),
            "getCmdLineOpts" => Ok(rawdoc! { "argv": ["connect-console", "sandbox"], "parsed": {}, "ok": 1.0 }),
            "getLog" => about::get_log(&command.body),
            "usersInfo" => about::users_info(&command.body, self.shared.credentials.as_ref().map(|known| known.user.as_str())),
            "rolesInfo" => about::roles_info(&command.body),
            "listCommands" => about::list_commands(),
            "hostInfo" => Ok(host_info()),
            "serverStatus" => Ok(self.server_status()),
            _ => {
                standalone::check(&args, &command.body)?;
                commands::run(&self.shared.engine, command).await
            }
        }
    }

    async fn hello(&mut self, args: &Args<'_>) -> Result<RawDocumentBuf, CommandError> {
        let mut reply = rawdoc! { "helloOk": true };
        match args.get("hello")? {
            Some(_) => reply.append(cstr!("isWritablePrimary"), true),
            None => reply.append(cstr!("ismaster"), true),
        }
        let limits = rawdoc! {
            "maxBsonObjectSize": i32::try_from(MAX_DOCUMENT).unwrap_or(i32::MAX),
            "maxMessageSizeBytes": i32::try_from(MAX_FRAME).unwrap_or(i32::MAX),
            "maxWriteBatchSize": i32::try_from(MAX_BATCH).unwrap_or(i32::MAX),
            "localTime": DateTime::now(), "logicalSessionTimeoutMinutes": 30, "connectionId": self.id,
            "minWireVersion": 0, "maxWireVersion": MAX_WIRE_VERSION, "readOnly": false,
        };
        limits.iter().flatten().for_each(|(name, value)| reply.append(name, value));
        if args.text("saslSupportedMechs")?.is_some() {
            reply.append(cstr!("saslSupportedMechs"), bson::RawArrayBuf::from_iter(["SCRAM-SHA-256"]));
        }
        // A speculative attempt that fails is no error: the client tries again aloud.
        if let Some(attempt) = args.document("speculativeAuthenticate")?
            && let Ok(begun) = self.sasl_start(attempt).await
        {
            reply.append(cstr!("speculativeAuthenticate"), begun);
        }
        reply.append(cstr!("ok"), 1.0);
        Ok(reply)
    }

    async fn sasl_start(&mut self, body: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
        let args = Args::new("saslStart", body);
        let mechanism = args.text("mechanism")?.unwrap_or_default();
        if mechanism != "SCRAM-SHA-256" {
            let message = format!("Received authentication for mechanism {mechanism} which is not enabled");
            return Err(CommandError::new(Code::MECHANISM_UNAVAILABLE, message));
        }
        let skip_empty_exchange = match args.document("options")? {
            Some(options) => Args::new("saslStart.options", options).flag("skipEmptyExchange")?.unwrap_or(false),
            None => false,
        };
        let shared = Arc::clone(&self.shared);
        let (conversation, answer) = Conversation::begin(payload(&args)?, shared.verifier().await?)?;
        let user = shared.credentials.as_ref().map(|known| known.user.clone()).unwrap_or_default();
        self.scram = Some(Scram { conversation, user, skip_empty_exchange, proven: false });
        Ok(sasl_reply(false, answer.as_bytes()))
    }

    async fn sasl_continue(&mut self, body: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
        let args = Args::new("saslContinue", body);
        let Some(mut scram) = self.scram.take() else {
            return Err(CommandError::new(Code::PROTOCOL_ERROR, "No SASL session state found"));
        };
        if scram.proven {
            self.user = Some(scram.user);
            return Ok(sasl_reply(true, &[]));
        }
        let answer = scram.conversation.finish(payload(&args)?, self.shared.verifier().await?)?;
        let done = scram.skip_empty_exchange;
        if done {
            self.user = Some(scram.user);
        } else {
            scram.proven = true;
            self.scram = Some(scram);
        }
        Ok(sasl_reply(done, answer.as_bytes()))
    }

    fn server_status(&self) -> RawDocumentBuf {
        let millis = i64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        rawdoc! {
            "host": "127.0.0.1", "version": VERSION, "process": "connect-console", "pid": i64::from(std::process::id()),
            "uptime": millis / 1_000, "uptimeMillis": millis, "localTime": DateTime::now(),
            "storageEngine": { "name": "sqlite", "persistent": true, "supportsCommittedReads": false }, "ok": 1.0,
        }
    }

    fn status(&self) -> RawDocumentBuf {
        let (mut users, mut roles) = (bson::RawArrayBuf::new(), bson::RawArrayBuf::new());
        if let Some(user) = &self.user {
            users.push(rawdoc! { "user": user.as_str(), "db": "admin" });
            roles.push(rawdoc! { "role": "root", "db": "admin" });
        }
        rawdoc! { "authInfo": { "authenticatedUsers": users, "authenticatedUserRoles": roles }, "ok": 1.0 }
    }
}

fn payload<'a>(args: &Args<'a>) -> Result<&'a [u8], CommandError> {
    match args.get("payload")? {
        Some(RawBsonRef::Binary(binary)) => Ok(binary.bytes),
        Some(RawBsonRef::String(text)) => Ok(text.as_bytes()),
        _ => Err(args.missing("payload")),
    }
}

fn sasl_reply(done: bool, payload: &[u8]) -> RawDocumentBuf {
    let payload = Binary { subtype: BinarySubtype::Generic, bytes: payload.to_vec() };
    rawdoc! { "conversationId": 1, "done": done, "payload": payload, "ok": 1.0 }
}

fn build_info() -> RawDocumentBuf {
    rawdoc! {
        "version": VERSION,
        "versionArray": bson::RawArrayBuf::from_iter(VERSION_PARTS),
        "gitVersion": concat!("connect-console-", env!("CARGO_PKG_VERSION")),
        "modules": [], "allocator": "system", "javascriptEngine": "none", "sysInfo": "deprecated",
        "bits": 64, "debug": cfg!(debug_assertions), "storageEngines": ["sqlite"],
        "maxBsonObjectSize": i32::try_from(MAX_DOCUMENT).unwrap_or(i32::MAX), "ok": 1.0,
    }
}

fn get_parameter(body: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
    let known = rawdoc! {
        "enableTestCommands": false, "authenticationMechanisms": ["SCRAM-SHA-256"],
        "featureCompatibilityVersion": { "version": "7.0" }, "requireApiVersion": false,
    };
    let all = matches!(body.get("getParameter")?, Some(RawBsonRef::String("*")));
    let mut reply = RawDocumentBuf::new();
    let mut found = false;
    for (name, value) in known.iter().flatten() {
        if all || body.get(name)?.is_some() {
            found = true;
            reply.append(name, value);
        }
    }
    if !found {
        return Err(CommandError::new(Code::location(72), "no option found to get"));
    }
    reply.append(cstr!("ok"), 1.0);
    Ok(reply)
}

fn host_info() -> RawDocumentBuf {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    rawdoc! {
        "system": {
            "currentTime": DateTime::now(), "hostname": "127.0.0.1", "cpuAddrSize": 64,
            "numCores": i32::try_from(cores).unwrap_or(i32::MAX), "cpuArch": std::env::consts::ARCH, "numaEnabled": false,
        },
        "os": { "type": std::env::consts::OS, "name": std::env::consts::OS, "version": "" },
        "extra": {}, "ok": 1.0,
    }
}
