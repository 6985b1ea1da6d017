//! The rehearsal cluster.
