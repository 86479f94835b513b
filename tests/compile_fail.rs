//! What must not compile, and what the compiler says of it; and unusual services that must compile all the same, and run.
//!
//! Each file in `ui/fail` is named by its mistake. New messages are accepted with
//! `TRYBUILD=overwrite cargo test -p trill-tests --test compile_fail`.

/// One test for both, because the dependencies are then built once.
#[test]
fn mistakes_are_explained_where_they_are_and_the_rest_compiles() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/fail/*.rs");
    cases.pass("ui/pass/*.rs");
}
