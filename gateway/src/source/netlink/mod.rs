//! What Linux knows of the underlay: routes, next hops and neighbours in the namespace of the twins.
//!
//! ```text
//! kernel --rtnetlink--> follower (a thread) --UnderlayEvent--> UnderlayState --resolve--> next hops
//!        <--managed neighbours-- follower <--Keeper::want(next hops)-- control
//! ```
//!
//! The owner of an [`UnderlayState`] feeds it every [`UnderlayEvent`] and asks it how to reach a VTEP. The next hops in the
//! answer go to [`Keeper::want`], so that the kernel keeps their MACs resolved.

mod codec;
mod follower;
mod keeper;
mod state;

pub use follower::{Follower, Keeper};
pub use state::{Address, Change, Hop, Neighbour, NextHop, Resolution, Route, RouteHop, UnderlayEvent, UnderlayState};
