//! Users' `.proto` files: what is generated, and what is said when they are wrong.

use std::fs;
use std::path::{Path, PathBuf};

use trill_proto::build::{self, Config, Error};

#[test]
fn every_kind_of_method_becomes_the_trait_one_would_write() {
    let out = generate("kinds", Config::new(), "kinds.proto");
    golden(&out, "trill.test.kinds.rs", "kinds.rs");
    golden(&out, "trill.test.shared.rs", "shared.rs");
    let mut files: Vec<_> = files(&out);
    files.sort();
    assert_eq!(
        files,
        ["trill.test.kinds.rs", "trill.test.shared.rs"],
        "nothing for the options and for google"
    );
}

#[test]
fn a_file_without_a_package_names_no_package() {
    let out = generate("plain", Config::new(), "plain.proto");
    golden(&out, "_.rs", "plain.rs");
}

#[test]
fn another_path_to_trill_is_used_everywhere() {
    let out = generate("renamed", Config::new().crate_path("::rpc::trill"), "plain.proto");
    golden(&out, "_.rs", "renamed.rs");
}

#[test]
fn services_with_unary_methods_are_marked_for_json_when_asked() {
    let out = generate("json", Config::new().json(), "plain.proto");
    let plain = fs::read_to_string(out.join("_.rs")).expect("generated");
    assert!(plain.contains("#[::trill::service(json)]"), "{plain}");
}

#[test]
fn prost_can_be_told_more_whatever_the_order() {
    let change = |prost: &mut build::prost_build::Config| {
        prost.bytes(["."]).include_file("all.rs");
    };
    let out = generate("bytes", Config::new().prost(change).crate_path("::trill"), "kinds.proto");
    let kinds = fs::read_to_string(out.join("trill.test.kinds.rs")).expect("generated");
    assert!(kinds.contains("::trill::prost::bytes::Bytes"), "{kinds}");
    assert!(out.join("all.rs").exists());
}

#[test]
fn a_missing_file_is_named_with_the_places_that_were_searched() {
    let error = failure(&["nowhere.proto"], &["one", "two"]);
    assert_eq!(error, "there is no nowhere.proto, neither here nor in one, two");
    let error = failure::<&str>(&["nowhere.proto"], &[]);
    assert_eq!(error, "there is no nowhere.proto, neither here nor in no include path, for none is given");
}

#[test]
fn a_file_outside_of_the_include_paths_says_so() {
    let proto = golden_dir().join("plain.proto");
    let elsewhere = folder("elsewhere");
    let error = failure(&[&proto], &[&elsewhere]);
    let looked_in = format!("plain.proto' is not in any include path; looked in {}", elsewhere.display());
    assert!(error.ends_with(&looked_in), "{error}");
}

#[test]
fn mistakes_name_file_line_and_column() {
    let cases = [
        ("syntax = \"proto3\";\nmessage A {", "broken.proto: expected a message field"),
        ("syntax = \"proto3\";\nmessage A {\n  B b = 1;\n}", "broken.proto:3:3: name 'B' is not defined"),
        (
            "syntax = \"proto3\";\nimport \"b.proto\";",
            "broken.proto:2:1: import 'b.proto' not found; looked in ",
        ),
        ("syntax = \"proto3\";\nservice S { rpc M(A); }", "broken.proto:2:21: expected 'returns'"),
    ];
    for (index, (text, expected)) in cases.into_iter().enumerate() {
        let folder = folder(&format!("broken-{index}"));
        fs::write(folder.join("broken.proto"), text).expect("writable");
        let error = failure(&["broken.proto"], &[&folder]);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_message_with_the_name_of_generated_code_is_refused() {
    let folder = folder("clash");
    let text = "syntax = \"proto3\"; package a.b; service Chat {} message ChatClient {}";
    fs::write(folder.join("clash.proto"), text).expect("writable");
    assert_eq!(
        failure(&["clash.proto"], &[&folder]),
        "service a.b.Chat generates the Rust name ChatClient, which a message already has; rename one of them or put them \
         into different packages"
    );
}

#[test]
fn a_folder_that_cannot_be_written_gives_the_cause() {
    let config = Config::new().out_dir(golden_dir().join("no/such/folder"));
    let error = config.compile(&["plain.proto"], &[golden_dir()]).expect_err("the folder is not there");
    assert_eq!(error.to_string(), "the generated code cannot be written");
    let source = std::error::Error::source(&error).expect("the cause").to_string();
    assert_eq!(format!("{error:?}"), format!("the generated code cannot be written: {source}"));
}

/// Compiles a file of the golden folder into a folder of its own.
fn generate(test: &str, config: Config, proto: &str) -> PathBuf {
    let out = folder(test);
    config.out_dir(&out).compile(&[proto], &[golden_dir()]).expect("a correct file");
    out
}

/// Compares with the file that is checked in; with `TRILL_BLESS` in the environment it is written instead.
fn golden(out: &Path, generated: &str, expected: &str) {
    let generated = fs::read_to_string(out.join(generated)).expect("generated");
    let path = golden_dir().join(expected);
    if std::env::var_os("TRILL_BLESS").is_some() {
        fs::write(&path, &generated).expect("writable");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(generated, expected, "{} is not what is generated now", path.display());
}

fn failure<I: AsRef<Path>>(protos: &[impl AsRef<Path>], includes: &[I]) -> String {
    let result: Result<(), Error> = Config::new().out_dir(folder("failure")).compile(protos, includes);
    let error = result.expect_err("a mistake");
    assert_eq!(error.to_string(), format!("{error:?}"), "main prints what a person reads");
    error.to_string()
}

fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile").join(name);
    fs::create_dir_all(&folder).expect("writable");
    folder
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("readable");
    entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect()
}
