//! The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::super::credentials::{Credentials, same_secret};
use super::super::error::{Code, CommandError};

/// MongoDB's default for SCRAM-SHA-256.
const ITERATIONS: u32 = 15_000;

/// What the server needs to check a client's proof; derived from the password once a start.
pub(in crate::sandbox) struct Verifier {
    user: String,
    salt: [u8; 28],
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

impl Verifier {
    /// Takes some 10 ms of computing, on purpose. Blocks.
    pub(in crate::sandbox) fn derive(credentials: &Credentials) -> Self {
        let salt: [u8; 28] = rand::random();
        let mut salted = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(credentials.password.reveal().as_bytes(), &salt, ITERATIONS, &mut salted);
        let stored_key = Sha256::digest(hmac(&salted, b"Client Key")).into();
        Self { user: credentials.user.clone(), salt, stored_key, server_key: hmac(&salted, b"Server Key") }
    }
}

/// A conversation after the client's first message.
pub(super) struct Conversation {
    user: String,
    nonce: String,
    client_first_bare: String,
    server_first: String,
}

impl Conversation {
    /// Answers the client's first message.
    pub(super) fn begin(payload: &[u8], verifier: &Verifier) -> Result<(Self, String), CommandError> {
        let text = std::str::from_utf8(payload).map_err(|_| malformed())?;
        let bare = text.strip_prefix("n,,").or_else(|| text.strip_prefix("y,,")).ok_or_else(malformed)?;
        let user = attribute(bare, "n=").ok_or_else(malformed)?.replace("=2C", ",").replace("=3D", "=");
        let client_nonce = attribute(bare, "r=").filter(|nonce| !nonce.is_empty()).ok_or_else(malformed)?;
        let nonce = format!("{client_nonce}{}", BASE64.encode(rand::random::<[u8; 24]>()));
        let server_first = format!("r={nonce},s={},i={ITERATIONS}", BASE64.encode(verifier.salt));
        let conversation = Self { user, nonce, client_first_bare: bare.to_owned(), server_first: server_first.clone() };
        Ok((conversation, server_first))
    }

    /// Checks the client's proof and answers with the server's.
    pub(super) fn finish(&self, payload: &[u8], verifier: &Verifier) -> Result<String, CommandError> {
        let text = std::str::from_utf8(payload).map_err(|_| malformed())?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or_else(malformed)?;
        let proof: [u8; 32] = BASE64.decode(proof).ok().and_then(|proof| proof.try_into().ok()).ok_or_else(failed)?;
        let signed = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let signature = hmac(&verifier.stored_key, signed.as_bytes());
        let client_key: Vec<u8> = proof.iter().zip(signature).map(|(p, s)| p ^ s).collect();
        let right = same_secret(&Sha256::digest(&client_key), &verifier.stored_key)
            & same_secret(self.user.as_bytes(), verifier.user.as_bytes())
            & (attribute(without_proof, "r=") == Some(self.nonce.as_str()))
            & matches!(attribute(without_proof, "c="), Some("biws" | "eSws"));
        if !right {
            return Err(failed());
        }
        Ok(format!("v={}", BASE64.encode(hmac(&verifier.server_key, signed.as_bytes()))))
    }
}

fn attribute<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split(',').find_map(|part| part.strip_prefix(name))
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mut mac| {
        mac.update(message);
        mac.finalize().into_bytes().into()
    })
}

pub(super) fn failed() -> CommandError {
    CommandError::new(Code::AUTHENTICATION_FAILED, "Authentication failed.")
}

fn malformed() -> CommandError {
    CommandError::bad_value("malformed SCRAM message")
}
