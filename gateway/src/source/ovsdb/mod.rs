//! OVSDB: this gateway as a hardware VTEP in a database with the schema `hardware_vtep` (vtep(5)), as OVN, NSX and
//! OpenStack's networking-l2gw drive it (CONFORMANCE CTL8).
//!
//! ```text
//!  ovsdb-server ── socket ── split ── rpc ── replica ──► wanted ──► Change ──► control
//!       ▲                                       │                                │
//!       └──────────── transactions ── publish ◄─┴── local MACs, faults, counts ◄─┘
//! ```
//!
//! Everything but the follower is pure: bytes and rows in, values out. The database is read as a whole: after changes
//! have come to rest for a moment, [`wanted`] works out what all of it means, and what differs goes to control. What we
//! have to say is worked out the same way ([`publish`]): the difference between what should be there and what is.

pub mod connection;
pub mod datum;
pub mod follower;
pub mod publish;
pub mod replica;
pub mod rows;
pub mod rpc;
pub mod server;
pub mod session;
pub mod split;
pub mod status;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod transaction;
pub mod wanted;
