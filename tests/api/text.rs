//! Code as text, as one would write it.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// The text of a piece of code, on one line.
pub(crate) fn of(code: impl ToTokens) -> String {
    let mut text = String::new();
    write(code.into_token_stream(), &mut text);
    // Where a list is on lines of its own, its last comma says nothing, nor does `mut` of an own
    // value.
    let text = text.replace(", )", ")").replace(", {", " {").replace("(mut self", "(self");
    text.trim_end_matches([',', ' ']).to_owned()
}

/// How a token ended that another follows.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Word,
    Joint,
    Tight,
    Space,
    Close,
}

fn write(tokens: TokenStream, text: &mut String) {
    let mut before = Before::Nothing;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => (" { ", " }"),
                    Delimiter::Bracket if before == Before::Word => (" [", "]"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(group.stream(), text);
                text.push_str(close);
                before = Before::Close;
            }
            TokenTree::Punct(punct) => {
                let joint = punct.spacing() == Spacing::Joint;
                before = punctuate(punct.as_char(), joint, before, text);
            }
            word => {
                if matches!(before, Before::Word | Before::Close) {
                    text.push(' ');
                }
                text.push_str(&word.to_string());
                before = Before::Word;
            }
        }
    }
}

fn punctuate(mark: char, joint: bool, before: Before, text: &mut String) -> Before {
    let with_spaces = matches!(mark, '+' | '=' | '|');
    if before != Before::Joint && (with_spaces || (mark == '-' && joint)) {
        text.push(' ');
    }
    if matches!(mark, '&' | '\'' | '#' | '$') && matches!(before, Before::Word | Before::Close) {
        text.push(' ');
    }
    text.push(mark);
    if joint {
        return if mark == '\'' { Before::Tight } else { Before::Joint };
    }
    match mark {
        ',' | ';' | '+' | '=' | '|' => Before::Space.after(text),
        ':' if before != Before::Joint => Before::Space.after(text),
        '>' if text.ends_with("->") => Before::Space.after(text),
        '>' => Before::Close,
        _ => Before::Tight,
    }
}

impl Before {
    fn after(self, text: &mut String) -> Self {
        text.push(' ');
        self
    }
}

#[test]
fn code_reads_as_one_would_write_it() {
    for code in [
        "pub fn timeout(self, limit: impl Into<Option<Duration>>) -> Self",
        "fn find<'a, T: ?Sized + Send>(&'a self, of: &mut [u8], then: crate::Then<T>) -> (A, B)",
        "impl<T> Future for Read<'_, T>",
        "fn key(self, key: impl Fn(&PeerAddr) -> String + Send + Sync + 'static) -> Self",
    ] {
        let tokens: TokenStream = code.parse().unwrap();
        assert_eq!(of(tokens), code);
    }
    let tokens: TokenStream = "fn set(mut self, to: u8,) -> Self where u8: Copy,".parse().unwrap();
    assert_eq!(of(tokens), "fn set(self, to: u8) -> Self where u8: Copy");
}
