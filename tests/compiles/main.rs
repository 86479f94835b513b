//! Unusual services, which must compile all the same, and run. They are not cases of
//! `compile_fail`, because that would build all that they need once more, where a check is enough
//! for mistakes.
#![allow(
    unused,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::needless_pass_by_value,
    reason = "they are what users may write; one of them says itself which lints it minds"
)]

mod conditional_methods;
mod every_kind;
mod lints_at_deny;
mod messages_called_as_our_types;
mod names_and_aliases;
mod renamed_crate;
mod shadowed_names;
mod written_by_a_macro;
