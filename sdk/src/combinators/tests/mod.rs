//! What the combinators promise together; the cases are those of the tRPC peers' helpers.

mod loops;
mod support;
mod with_state;
