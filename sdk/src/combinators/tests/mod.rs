//! The common promises of the combinators; the cases are those of the tRPC peers' helpers.

mod drops;
mod fairness;
mod joins;
mod loops;
mod sendable;
mod sizes;
mod support;
mod with_state;
