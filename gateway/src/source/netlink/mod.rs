//! What Linux knows of the underlay: routes, next hops and neighbours in the namespace of the twins.
//!
//! ```text
//! kernel --rtnetlink--> follower (a thread) --UnderlayEvent--> UnderlayState (control's own) --resolve--> next hops
//!        <--managed neighbours-- follower <--Keeper::want(next hops)-- control
//! ```
//!
//! Control owns an [`UnderlayState`], feeds it every [`UnderlayEvent`] and asks it how to reach a VTEP. The next hops in
//! the answer are what it hands to [`Keeper::want`], so that the kernel keeps their MACs resolved.

mod codec;
mod follower;
mod keeper;
mod state;

pub use codec::{keep_neighbour, remove_neighbour};
pub use follower::{Follower, Keeper};
pub use state::{Address, Change, Hop, Neighbour, NextHop, Resolution, Route, RouteHop, UnderlayEvent, UnderlayState};
