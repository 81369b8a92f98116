//! Control: decides what every core knows. A plain struct without sockets, threads or clocks.

pub mod view;
