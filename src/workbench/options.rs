use std::path::PathBuf;

use crate::extension::Extension;
use crate::runtime::RuntimeOptions;

/// What a session is opened with.
#[derive(Clone)]
pub struct OpenOptions {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The extension that runs in it.
    pub extension: Source,
    /// Which Connect it runs against.
    pub connect: Connect,
    /// Which ports are preferred; a taken one is replaced by another, and shown.
    pub ports: Ports,
}

/// Which extension.
#[derive(Clone)]
pub enum Source {
    /// The one of the documentation, pointed at the sandbox.
    Tutorial,
    /// This one.
    Given(Box<Extension>),
    /// A Python project, run unchanged by the official runner; before a real Connect through a relay.
    Python {
        /// Its directory.
        project: PathBuf,
        /// The interpreter, or the directory of its environment; otherwise the project's own.
        python: Option<PathBuf>,
        /// Whether its sagas are traced, by a hook in its processes.
        trace: bool,
    },
    /// Whoever attaches itself to the local Connect: nothing is started beside that, no sandbox either.
    Elsewhere {
        /// The port of the local Connect, rather than that of the last time; 0 is any.
        port: Option<u16>,
        /// The port of the same over TLS, likewise.
        tls_port: Option<u16>,
    },
}

/// Which Connect.
#[derive(Clone, Debug)]
pub enum Connect {
    /// The stand-in inside this process.
    Local,
    /// One elsewhere; no local Connect and no sandbox are started.
    Remote(Box<RuntimeOptions>),
}

/// Preferred ports on the loopback interface; 0 is any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The local Connect.
    pub connect: u16,
    /// The sandbox's MongoDB protocol.
    pub mongodb: u16,
    /// The sandbox's Data API.
    pub data_api: u16,
}

impl Default for Ports {
    /// Ports of their own, so that a MongoDB on 27017 goes on undisturbed.
    fn default() -> Self {
        Self { connect: 27_410, mongodb: 27_411, data_api: 27_412 }
    }
}
