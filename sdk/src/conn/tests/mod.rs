//! Stories about two connections that talk to each other, and about one that talks to a misbehaving
//! peer. No sockets, no sleeps.

mod answers;
mod begun;
mod budgets;
mod counts;
mod credit;
mod deadlines;
mod drain;
mod empty;
mod endings;
mod fairness;
mod flush;
mod frames;
mod giving_up;
mod heads;
mod keepalive;
mod opening;
mod overrun;
mod pair;
mod peers;
mod stall;
mod states;
mod stuck;
mod toy;
mod toy_calls;
mod unary;
mod unsent;
mod vectors;
mod window_growth;
