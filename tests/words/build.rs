//! Generates code from the files in `protos`, and from files that have each word at each place
//! where a name can stand.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use trill_proto::build::{Config, Error};

/// Keywords of Rust in every edition, names that need no import, and names of crates, of our own
/// types and of generated code.
const WORDS: &str = "abstract as async auto await become box break const continue crate default do dyn else enum extern false final fn
    for gen if impl in let loop macro macro_rules match mod move mut override priv pub raw ref return safe self Self static struct super
    trait true try type typeof union unsafe unsized use virtual where while yield
    AsMut AsRef AsyncFn Box Clone Copy Debug Default DoubleEndedIterator Drop Eq Err ExactSizeIterator Extend Fn FnMut FnOnce From
    FromIterator Future Hash Into IntoFuture IntoIterator Iterator None Ok Option Ord PartialEq PartialOrd Result Send Sized Some String
    Sync ToOwned ToString TryFrom TryInto Unpin Vec
    bool char f32 f64 i32 i64 isize str u8 u32 u64 usize
    alloc bytes core prost std tokio trill
    Any Arc AsyncReader AsyncReaderWriter AsyncWriter Bidi Bytes Channel Client Context Empty Error Message OneWay Pin Reply Response
    Server Service SharedReader SharedReaderWriter SharedWriter Status Stub Timestamp Unary
    A B C E F I K M S T __T _T U V
    any call clear cx decode dispatch encode f fmt from_arc handler into_service kind merge method methods name new path reader request
    response rw service spec stub writer";

fn main() -> Result<(), Error> {
    let words: Vec<_> = WORDS.split_whitespace().collect();
    let folder = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("legal");
    fs::create_dir_all(&folder).expect("writable");
    let files = [
        ("messages.proto", messages(&words)),
        ("services.proto", services(&words)),
        ("methods.proto", methods(&words)),
        ("fields.proto", fields(&words)),
    ];
    let packages = words
        .iter()
        .enumerate()
        .map(|(number, word)| (format!("package{number}.proto"), package(number, word)));
    let mut protos = Vec::new();
    for (name, text) in
        files.map(|(name, text)| (name.to_owned(), text)).into_iter().chain(packages)
    {
        let path = folder.join(&name);
        // A file that is as it was does not make cargo run this again.
        if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            fs::write(path, text).expect("writable");
        }
        protos.push(name);
    }
    Config::new().prost(|prost| _ = prost.include_file("legal.rs")).compile(&protos, &[folder])?;

    let protos =
        ["names.proto", "notes.proto", "letters.proto", "marked.proto", "old.proto", "twins.proto"];
    Config::new()
        .rust_name("words.twins.HTTP", "HttpService")
        .rust_name("words.twins.Pages.GetURL", "get_long_url")
        .rust_name("words.twins.Pages._", "nothing")
        .compile(&protos, &["protos"])
}

/// Words that are different in Rust, too.
fn distinct<'a>(words: &[&'a str]) -> impl Iterator<Item = &'a str> {
    let mut seen = HashSet::new();
    words.iter().copied().filter(move |word| seen.insert(word.replace('_', "").to_lowercase()))
}

/// Messages of these names, in one kind of call after another.
fn messages(words: &[&str]) -> String {
    let mut text = String::from("syntax = \"proto3\";\npackage legal.messages;\n");
    let mut methods = String::new();
    for (number, word) in distinct(words).enumerate() {
        let message = format!(".legal.messages.{word}");
        _ = writeln!(
            text,
            "message {word} {{ string text = 1; {message} inner = 2; map<string, {message}> more = 3; }}"
        );
        let (one, other) = kind(number);
        _ = writeln!(methods, "  rpc Call{number}({one} {message}) returns ({other} {message});");
    }
    text + "service Calls_ {\n" + &methods + "}\n"
}

/// Services of these names.
fn services(words: &[&str]) -> String {
    let mut text =
        String::from("syntax = \"proto3\";\npackage legal.services;\nmessage Question {}\n");
    for word in distinct(words) {
        _ = writeln!(text, "service {word} {{");
        _ = writeln!(text, "  rpc Ask(Question) returns (Question);\n}}");
    }
    text
}

/// Methods of these names, in one kind after another.
fn methods(words: &[&str]) -> String {
    let mut text = String::from(
        "syntax = \"proto3\";\npackage legal.methods;\nmessage Question {}\nservice Methods {\n",
    );
    for (number, word) in distinct(words).enumerate() {
        let (one, other) = kind(number);
        _ = writeln!(text, "  rpc {word}({one} Question) returns ({other} Question);");
    }
    text + "}\n"
}

/// The kinds of call in turns: what stands before the request, and before the answer.
fn kind(number: usize) -> (&'static str, &'static str) {
    [("", ""), ("stream", ""), ("", "stream"), ("stream", "stream")][number % 4]
}

/// Fields, cases of a oneof, and values of an enum of these names.
fn fields(words: &[&str]) -> String {
    let mut text = String::from("syntax = \"proto3\";\npackage legal.fields;\n");
    let each = |line: &dyn Fn(usize, &str) -> String| -> String {
        distinct(words).enumerate().map(|(number, word)| line(number + 1, word)).collect()
    };
    _ = writeln!(
        text,
        "message Strings {{\n{}}}",
        each(&|number, word| format!("  string {word} = {number};\n"))
    );
    let cases = each(&|number, word| format!("    bytes {word} = {number};\n"));
    _ = writeln!(text, "message Cases {{\n  oneof case_of_all {{\n{cases}  }}\n}}");
    let values = each(&|number, word| format!("  {word} = {number};\n"));
    _ = writeln!(text, "enum Values {{\n  ZERO = 0;\n{values}}}");
    text
}

/// A package of this name.
fn package(number: usize, word: &str) -> String {
    format!(
        "syntax = \"proto3\";\npackage legal.packages.at{number}.{word};\nmessage Question {{ Question inner = 1; }}\n\
         service Asks {{ rpc Ask(Question) returns (Question); }}\n"
    )
}
