use serde::{Deserialize, Serialize};

/// What the guest does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestState {
    /// The process was started and has not connected yet.
    #[default]
    Starting,
    /// It has connected.
    Running,
    /// It is being stopped, to be started again.
    Reloading,
    /// It ended and is started again after a pause.
    Waiting,
    /// It was stopped.
    Stopped,
}

/// How the guest is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GuestStatus {
    /// What it does.
    pub state: GuestState,
    /// The runner's process.
    pub pid: Option<u32>,
    /// How often it was started.
    pub starts: u64,
    /// How often its sources changed since it was started first.
    pub changed: u64,
    /// What that was when it connected last: those changes it runs with.
    pub runs_with: u64,
    /// How often it said that it took a configuration over; each of its workers says so.
    pub configured: u64,
    /// Why it ended the last time by itself.
    pub last_end: Option<String>,
}
