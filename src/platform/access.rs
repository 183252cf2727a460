//! Who may come in, and under which names: made at random on the first start, the same ever after.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::Sha256;

use crate::observe::Secret;
use crate::platform::ids;
use crate::platform::state::{Disk, Write};

/// What a runner needs to know to attach itself. `Debug` does not show the key.
#[derive(Debug, Clone)]
pub struct Access {
    /// `127.0.0.1:PORT`: the WebSocket server.
    pub server_address: String,
    /// `127.0.0.1:PORT`: the REST API.
    pub api_address: String,
    /// `127.0.0.1:PORT`: both over TLS, where that was asked for.
    pub tls_address: Option<String>,
    /// PEM file of the authority that vouches for it.
    pub ca_file: Option<PathBuf>,
    /// The environment, `ENV-4400-0874-01`.
    pub environment_id: String,
    /// The extension the environment is of, `SRVC-4400-0874`.
    pub service_id: String,
    /// The vendor's account, `VA-410-220`.
    pub account_id: String,
    /// The complete value of the `Authorization` header.
    pub api_key: Secret,
}

impl Access {
    /// What the file says, the rest made up and written.
    pub(crate) fn load(meta: &BTreeMap<String, String>, disk: &Disk, address: &str) -> Self {
        let kept = |name: &'static str, make: &dyn Fn() -> String| {
            meta.get(name).cloned().unwrap_or_else(|| {
                let made = make();
                disk.write(Write::Meta(name, made.clone()));
                made
            })
        };
        let service_id = kept("service_id", &|| ids::random("SRVC", &[4, 4]));
        Self {
            server_address: address.into(),
            api_address: address.into(),
            tls_address: None,
            ca_file: None,
            environment_id: format!("{}-01", service_id.replacen("SRVC", "ENV", 1)),
            account_id: kept("account_id", &|| ids::random("VA", &[3, 3])),
            api_key: kept("api_key", &new_key).into(),
            service_id,
        }
    }

    /// The key of an installation: what is done with it is done in the name of the account that installed the extension.
    /// It follows from the installation's id and the environment's own key, so nothing has to be remembered.
    pub(crate) fn installation_key(&self, installation: &str) -> Secret {
        let number = installation.trim_start_matches("EIN-");
        // A key of any length does.
        let mac = Hmac::<Sha256>::new_from_slice(self.api_key.reveal().as_bytes()).map(|mut mac| {
            mac.update(number.as_bytes());
            mac.finalize().into_bytes()
        });
        let secret: String = mac.iter().flatten().take(20).map(|byte| format!("{byte:02x}")).collect();
        format!("ApiKey SU-{number}:{secret}").into()
    }

    /// The installation whose key this is.
    pub(crate) fn installation_of(&self, header: &[u8]) -> Option<String> {
        let header = std::str::from_utf8(header).ok()?;
        let (number, _) = header.strip_prefix("ApiKey SU-")?.split_once(':')?;
        let installation = format!("EIN-{number}");
        let key = self.installation_key(&installation);
        same(header.as_bytes(), key.reveal().as_bytes()).then_some(installation)
    }

    /// Whether the value of an `Authorization` header opens the door. Takes the same time for every wrong key of a length.
    pub(crate) fn admits(&self, header: Option<&[u8]>) -> bool {
        let key = self.api_key.reveal().as_bytes();
        header.is_some_and(|given| same(given, key))
    }
}

fn same(given: &[u8], key: &[u8]) -> bool {
    given.len() == key.len() && given.iter().zip(key).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
}

fn new_key() -> String {
    // `rand::rng` is a cryptographic generator seeded by the system.
    let secret: [u8; 20] = rand::rng().random();
    let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("ApiKey {}:{secret}", ids::random("SU", &[3, 3, 3]))
}
