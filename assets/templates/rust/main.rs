//! An extension of CloudBlue Connect: what it does with a purchase request.

use std::process::ExitCode;

use connect_console::extension::{Background, Context, Extension, HandlerError};
use serde_json::Value;

fn main() -> ExitCode {
    connect_console::main(extension())
}

/// What Connect is told about the extension.
pub fn extension() -> Extension {
    Extension::new("my-extension", "0.1.0").variable("GREETING", "hello").background(
        "asset_purchase_request_processing",
        &["pending"],
        purchase,
    )
}

async fn purchase(cx: Context, request: Value) -> Result<Background, HandlerError> {
    let greeting = cx.config.get("GREETING").unwrap_or("hello");
    let customer = request["asset"]["tiers"]["customer"]["name"].as_str().unwrap_or("somebody");
    cx.info(format!("{greeting}, {customer}: {} is a purchase", request["id"].as_str().unwrap_or_default()));
    // Approve it, ask for more, or come back later: `Background::Done` says that you are through with it,
    // `Background::Reschedule` that it shall be delivered again.
    Ok(Background::Done)
}
