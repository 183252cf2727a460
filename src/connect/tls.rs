//! The one TLS provider of the process.

/// Makes *ring* the process's TLS provider. There is one provider in this program: two would mean two C builds.
pub fn install() {
    // A second call, or an application that has chosen its own provider before, is no error.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
