//! (room tutorial)
