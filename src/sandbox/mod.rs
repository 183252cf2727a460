//! (room sandbox)
