//! Peers that mean harm, or behave as if they did. Each test asks the same: others are served
//! meanwhile, and afterwards nothing is left.

mod answers;
mod begun;
mod bytes;
mod floods;
mod offender;
mod peers;
mod servers;
mod slow;
mod states;
mod victim;
