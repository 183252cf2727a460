//! The MongoDB wire protocol: [`frame`]s come in over TCP, with or without TLS, a [`session`] per connection knows who it is and answers what is
//! about the connection itself, everything else is a command for the databases.

mod about;
pub(super) mod frame;
pub(super) mod patience;
mod scram;
pub(super) mod server;
mod session;
mod standalone;
#[cfg(test)]
mod tests;
