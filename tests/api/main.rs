//! The public API of `trill` and `trill-proto` is the one that is written down in `api.txt`.
//!
//! Each item stands under the shortest path by which a user names it, with its public parts: what
//! the compiler lets users rely on, and so what a version may not take away. After a change that is
//! meant, look at the difference, and keep it with `TRILL_BLESS=1 cargo test --test api`.
//!
//! It is read from the sources, because rustdoc tells it to nightly compilers only. Setters that a
//! macro makes inside an `impl` are in it; what a macro makes beside items is not, such as `Debug`
//! of futures.

mod items;
mod sources;
mod text;

use std::fs;
use std::path::Path;

/// The first line in which two texts differ, with its number and both versions.
fn first_difference(now: &str, then: &str) -> Option<String> {
    let (mut now, mut then) = (now.lines(), then.lines());
    for number in 1.. {
        match (now.next(), then.next()) {
            (None, None) => break,
            (now, then) if now == then => {}
            (now, then) => {
                let show = |line: Option<&str>| line.unwrap_or("(the end)").to_owned();
                return Some(format!("line {number}\n- {}\n+ {}", show(then), show(now)));
            }
        }
    }
    None
}

#[test]
fn the_public_api_is_the_one_that_is_written_down() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.parent().unwrap();
    let mut now = String::new();
    for (name, sources) in [("trill", "sdk/src/lib.rs"), ("trill_proto", "proto/src/lib.rs")] {
        now += &items::list(name, &sources::Crate::read(&root.join(sources)));
    }
    let file = tests.join("api/api.txt");
    if std::env::var_os("TRILL_BLESS").is_some() {
        fs::write(&file, &now).unwrap();
    }
    let then = fs::read_to_string(&file).unwrap_or_default();
    if let Some(difference) = first_difference(&now, &then) {
        panic!(
            "the public API is not what tests/api/api.txt says, from {difference}\n\
             If that is meant: TRILL_BLESS=1 cargo test --test api"
        );
    }
}

#[test]
fn the_first_line_that_differs_is_told_with_both_versions() {
    assert_eq!(first_difference("a\nb", "a\nb\n"), None);
    assert_eq!(first_difference("a\nb", "a\nc").unwrap(), "line 2\n- c\n+ b");
    assert_eq!(first_difference("a", "a\nc").unwrap(), "line 2\n- c\n+ (the end)");
}

/// The list of a crate that is one file.
fn list_of(source: &str) -> String {
    items::list("a", &sources::Crate::of(syn::parse_file(source).unwrap()))
}

#[test]
fn items_stand_under_the_shortest_path_with_what_is_public_of_them() {
    let list = list_of(
        "pub mod deep { pub use crate::hidden::Shown; pub fn open<T: Into<u8>>(t: &T) -> u8 { 0 } }
         mod hidden {
             #[derive(Clone, Debug)] #[non_exhaustive]
             pub struct Shown { pub a: u8, b: u8 }
             pub struct Unseen;
             macro_rules! setters { () => { pub fn set(mut self, to: u8) -> Self { self } } }
             impl Shown { setters!(); pub fn get(&self) -> u8 { self.b } fn own(&self) {} }
             impl super::Speaks for Shown { type Word = u8; fn say(&self) -> u8 { 0 } }
             impl Inner for Shown {}
             trait Inner {}
             #[cfg(test)] pub fn of_tests() {}
         }
         #[doc(hidden)] pub mod private { pub fn no() {} }
         pub use hidden::Shown as Seen;
         pub use std::fmt;
         pub trait Speaks { type Word; fn say(&self) -> Self::Word; fn more(&self) {} }
         pub enum Side { Left, Right(u8) }",
    );
    let expected = "\
mod a
    pub enum Side
        Left
        Right(u8)
    pub struct Shown as Seen { pub a: u8, .. }
        #[derive(Clone, Debug)] #[non_exhaustive]
        impl Speaks for Shown { type Word = u8 }
        pub fn get(&self) -> u8
        pub fn set(self, to: u8) -> Self
    pub trait Speaks
        fn more(&self) { .. }
        fn say(&self) -> Self::Word
        type Word
    pub use std::fmt
mod a::deep
    pub fn open<T: Into<u8>>(t: &T) -> u8
    pub use a::Seen
";
    assert_eq!(list, expected, "{list}");
}
