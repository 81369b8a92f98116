//! Raw bindings to the part of libdpdk that Causeway uses, made at build time from the installed headers.
//!
//! Nothing here is safe to call without DPDK's own documentation at hand; the gateway's `dpdk` module is the one user
//! and wraps it into types that cannot be misused. Names that begin with `cw_` or `CW_` come from our shim: DPDK's
//! static inlines and macros, and the offsets of the mbuf fields as the C compiler sees them.
#![allow(missing_docs, non_camel_case_types, non_snake_case, non_upper_case_globals, unsafe_op_in_unsafe_fn)]
#![allow(clippy::all, clippy::undocumented_unsafe_blocks)]

/// A packet buffer. Only ever used behind a pointer; its fields are reached through the `CW_*_AT` offsets.
#[repr(C)]
pub struct rte_mbuf {
    _opaque: [u8; 0],
}

/// A pool of packet buffers. Only ever used behind a pointer.
#[repr(C)]
pub struct rte_mempool {
    _opaque: [u8; 0],
}

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
