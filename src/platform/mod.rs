//! (room platform)
