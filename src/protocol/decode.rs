use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

use super::{Message, Task, legacy, quick};

/// A frame that is no message of the protocol. The texts are shown to a developer as they are.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No JSON.
    #[error("the frame is not JSON: {0}")]
    Json(serde_json::Error),
    /// JSON, but no object.
    #[error("the frame is JSON, but not an object")]
    NotAnObject,
    /// No type.
    #[error("the message has no `message_type`")]
    NoType,
    /// Neither version 1 nor 2.
    #[error("the `{message_type}` message is of version {version}; this runtime understands 1 and 2")]
    Version {
        /// The type.
        message_type: String,
        /// What stands there.
        version: Value,
    },
    /// A body is needed for this type.
    #[error("the `{message_type}` message has no `data`")]
    NoData {
        /// The type.
        message_type: String,
    },
    /// A version 2 body without its discriminator, or with one that does not fit.
    #[error("the `{message_type}` message says `model_type` {found}, which does not fit")]
    ModelType {
        /// The type.
        message_type: String,
        /// What stands there.
        found: String,
    },
    /// A body of the wrong shape.
    #[error("the `{message_type}` message is not as it should be: {source}")]
    Body {
        /// The type.
        message_type: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Reads one frame, of version 1 or 2.
///
/// # Errors
/// [`DecodeError`] says what is wrong with the frame; nothing is half understood.
pub fn decode(frame: &str) -> Result<Message, DecodeError> {
    quick::task(frame).map_or_else(|| at_length(frame), |task| Ok(Message::Task(Box::new(task))))
}

/// The same for every frame, step by step.
pub(super) fn at_length(frame: &str) -> Result<Message, DecodeError> {
    let Value::Object(mut envelope) = serde_json::from_str(frame).map_err(DecodeError::Json)? else {
        return Err(DecodeError::NotAnObject);
    };
    let Some(Value::String(message_type)) = envelope.remove("message_type") else { return Err(DecodeError::NoType) };
    let data = envelope.remove("data").unwrap_or(Value::Null);
    match envelope.get("version") {
        Some(version) if version == 2 => decode_v2(message_type, data),
        None => decode_v1(message_type, data),
        Some(version) if version == 1 => decode_v1(message_type, data),
        Some(version) => Err(DecodeError::Version { message_type, version: version.clone() }),
    }
}

fn decode_v2(message_type: String, data: Value) -> Result<Message, DecodeError> {
    match message_type.as_str() {
        "shutdown" => Ok(Message::Shutdown),
        "setup_request" => Ok(Message::SetupRequest(tagged(message_type, data)?)),
        "setup_response" => Ok(Message::SetupResponse(tagged(message_type, data)?)),
        "task" => Ok(Message::Task(tagged(message_type, data)?)),
        _ => Ok(Message::Other { message_type }),
    }
}

fn decode_v1(message_type: String, data: Value) -> Result<Message, DecodeError> {
    match message_type.as_str() {
        "shutdown" => Ok(Message::Shutdown),
        "capabilities" => {
            let body = legacy::setup_request(object(&message_type, data)?);
            Ok(Message::SetupRequest(shaped(message_type, body)?))
        }
        "configuration" => {
            let body = legacy::setup_response(object(&message_type, data)?);
            Ok(Message::SetupResponse(shaped(message_type, body)?))
        }
        "task" => {
            let body = legacy::task(object(&message_type, data)?);
            Ok(Message::Task(shaped::<Task>(message_type, body)?))
        }
        _ => Ok(Message::Other { message_type }),
    }
}

fn object(message_type: &str, data: Value) -> Result<Map<String, Value>, DecodeError> {
    match data {
        Value::Object(body) => Ok(body),
        _ => Err(DecodeError::NoData { message_type: message_type.into() }),
    }
}

fn tagged<T: DeserializeOwned>(message_type: String, data: Value) -> Result<Box<T>, DecodeError> {
    if data.is_null() {
        return Err(DecodeError::NoData { message_type });
    }
    match data.get("model_type").and_then(Value::as_str) {
        Some(found) if found == message_type => shaped(message_type, data),
        found => {
            let found = found.map_or_else(|| "nothing".into(), |f| format!("`{f}`"));
            Err(DecodeError::ModelType { message_type, found })
        }
    }
}

fn shaped<T: DeserializeOwned>(message_type: String, body: Value) -> Result<Box<T>, DecodeError> {
    serde_json::from_value(body).map(Box::new).map_err(|source| DecodeError::Body { message_type, source })
}
