//! Mistakes that must not compile, and the compiler's messages about them.
//!
//! Each file in `ui/fail` is named by its mistake. New messages are accepted with
//! `TRYBUILD=overwrite cargo test --test compile_fail`.

#[test]
fn mistakes_are_explained_where_they_are() {
    // No cases that pass: for them the dependencies would be built and not only checked.
    trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
}
