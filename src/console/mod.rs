//! (room console)
