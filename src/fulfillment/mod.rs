//! (room fulfillment)
