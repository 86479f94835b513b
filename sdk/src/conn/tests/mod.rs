//! Stories about two connections that talk to each other, and about one that talks to a misbehaving peer. No sockets, no sleeps.

mod credit;
mod deadlines;
mod drain;
mod endings;
mod giving_up;
mod opening;
mod pair;
mod peers;
mod quiet;
mod unary;
mod vectors;
