use crate::observe::{LinkState, Timestamp};

/// How the runtime is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeStatus {
    /// The WebSocket.
    pub link: LinkState,
    /// The last proof of life of the other side: the last frame of any sort that came.
    pub last_seen: Option<Timestamp>,
    /// Tasks that came in and are not answered yet.
    pub running: usize,
    /// Results that the socket has not taken yet.
    pub unsent: usize,
    /// How many configurations were taken over; the number of the one in force.
    pub configured: u64,
}

impl Default for RuntimeStatus {
    fn default() -> Self {
        Self { link: LinkState::Connecting, last_seen: None, running: 0, unsent: 0, configured: 0 }
    }
}
