//! Users' `.proto` files: what is generated, and what is said when they are wrong.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Config, Error};

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
fn services_are_marked_for_dyn_when_asked() {
    let out = generate("dyn", Config::new().behind_dyn().json(), "plain.proto");
    let plain = fs::read_to_string(out.join("_.rs")).expect("generated");
    assert!(plain.contains("#[::trill::service(json, dyn)]"), "{plain}");
}

#[test]
fn the_messages_of_google_are_named_through_trill() {
    let folder = folder("google");
    let proto = "syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\n\
                 message Meeting { google.protobuf.Timestamp at = 1; }\n";
    fs::write(folder.join("meeting.proto"), proto).expect("writable");
    let config = Config::new().out_dir(&folder);
    config.compile(&["meeting.proto"], &[&folder]).expect("a correct file");
    let meeting = fs::read_to_string(folder.join("_.rs")).expect("generated");
    assert!(meeting.contains("Option<::trill::prost_types::Timestamp>"), "{meeting}");
}

#[test]
fn prost_can_be_told_more_whatever_the_order() {
    let change = |prost: &mut super::prost_build::Config| {
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
    assert_eq!(
        error,
        "there is no nowhere.proto, neither here nor in no include path, for none is given"
    );
}

#[test]
fn a_file_outside_of_the_include_paths_says_so() {
    let proto = golden_dir().join("plain.proto");
    let elsewhere = folder("elsewhere");
    let error = failure(&[&proto], &[&elsewhere]);
    let looked_in =
        format!("plain.proto' is not in any include path; looked in {}", elsewhere.display());
    assert!(error.ends_with(&looked_in), "{error}");
}

#[test]
fn mistakes_name_file_line_and_column() {
    let cases = [
        ("syntax = \"proto3\";\nmessage A {", "broken.proto: expected a message field"),
        (
            "syntax = \"proto3\";\nmessage A {\n  B b = 1;\n}",
            "broken.proto:3:3: name 'B' is not defined",
        ),
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
fn names_that_are_the_same_in_rust_are_refused_with_both() {
    for &(text, error, name) in SAME_NAMES {
        let alone = match name {
            "" => String::new(),
            name => format!(
                ", or give one another name in Rust alone with `Config::rust_name(\"{name}\", \"..\")`"
            ),
        };
        let expected = format!("{error}{alone}");
        assert_eq!(failure_of(&format!("syntax = \"proto3\"; package a; {text}")), expected);
    }
}

/// A file, the error about it, and the name that can be another one in Rust alone.
const SAME_NAMES: &[(&str, &str, &str)] = &[
    (
        "service Chat {} message ChatClient {}",
        "message a.ChatClient and the client of service a.Chat are both called ChatClient in Rust; rename one of them",
        "a.Chat",
    ),
    (
        "service Chat {} service ChatClient {}",
        "the client of service a.Chat and service a.ChatClient are both called ChatClient in Rust; rename one of them",
        "a.ChatClient",
    ),
    (
        "message Chat {} service chat {}",
        "message a.Chat and service a.chat are both called Chat in Rust; rename one of them",
        "a.chat",
    ),
    (
        "service HTTP {} service Http {}",
        "service a.HTTP and service a.Http are both called Http in Rust; rename one of them",
        "a.Http",
    ),
    (
        "message http_server {} service HTTP {}",
        "message a.http_server and the server of service a.HTTP are both called HttpServer in Rust; rename one of them",
        "a.HTTP",
    ),
    (
        "message Q {} service S { rpc GetURL(Q) returns (Q); rpc GetUrl(Q) returns (Q); }",
        "method a.S.GetURL and method a.S.GetUrl are both called get_url in Rust; rename one of them",
        "a.S.GetUrl",
    ),
    (
        "message Q {} service S { rpc New(Q) returns (Q); rpc New_(Q) returns (Q); }",
        "method a.S.New and method a.S.New_ are both called new_ in Rust; rename one of them",
        "a.S.New_",
    ),
    (
        "message Q {} service S { rpc _(Q) returns (Q); }",
        "method a.S._ has no letter to make a name in Rust of; give it one with `Config::rust_name(\"a.S._\", \"..\")`",
        "",
    ),
    (
        "message A_B {} enum aB { ZERO = 0; }",
        "message a.A_B and enum a.aB are both called AB in Rust; rename one of them",
        "",
    ),
    (
        "message _ {}",
        "message a._ has no letter to make a name in Rust of; give it another name",
        "",
    ),
    (
        "message M { message B {} enum b { ZERO = 0; } }",
        "message a.M.B and enum a.M.b are both called B in Rust; rename one of them",
        "",
    ),
    (
        "message M { oneof fooBar { string a = 1; } string foo_bar = 2; }",
        "field a.M.foo_bar and oneof a.M.fooBar are both called foo_bar in Rust; rename one of them",
        "",
    ),
    (
        "enum E { ZERO = 0; } message M { E kind = 1; E set_kind = 2; }",
        "the setter of field a.M.kind and the getter of field a.M.set_kind are both called set_kind in Rust; rename one of them",
        "",
    ),
    (
        "enum E { ZERO = 0; E_ONE = 1; ONE = 2; }",
        "no code can be generated: Generated enum variant names overlap: `One` variant name to be used both by \
             `E_ONE` and `ONE` ProtoBuf enum values",
        "",
    ),
];

#[test]
fn a_name_that_only_a_service_behind_dyn_takes_is_refused_only_then() {
    let folder = folder("behind-dyn");
    let text = "syntax = \"proto3\"; package a; service Chat {} message DynChat {}";
    fs::write(folder.join("text.proto"), text).expect("writable");
    let compile = |config: Config| config.out_dir(&folder).compile(&["text.proto"], &[&folder]);
    compile(Config::new()).expect("the names differ");
    let error = compile(Config::new().behind_dyn()).expect_err("the names are the same");
    let text = "message a.DynChat and the trait behind dyn of service a.Chat are both called DynChat in Rust; rename one of them";
    assert!(error.to_string().starts_with(text), "{error}");
}

#[test]
fn a_name_in_rust_that_is_no_name_is_refused() {
    for (proto, rust, error) in [
        (
            "plain",
            "Plain",
            "rust_name: there is no service and no method plain; write the whole name, such as `test.Greeter` or \
             `test.Greeter.SayHello`",
        ),
        (
            "Plain.Do",
            "new",
            "rust_name: Plain.Do cannot be called \"new\" in Rust; write letters, digits and `_`, and neither a keyword \
             nor `new`",
        ),
    ] {
        let config = Config::new().out_dir(folder("failure")).rust_name(proto, rust);
        assert_eq!(
            config.compile(&["plain.proto"], &[golden_dir()]).expect_err("a mistake").to_string(),
            error
        );
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let folder = folder("marked");
    fs::write(folder.join("marked.proto"), "\u{feff}syntax = \"proto3\"; message A {}")
        .expect("writable");
    Config::new().out_dir(&folder).compile(&["marked.proto"], &[&folder]).expect("a correct file");
    assert!(fs::read_to_string(folder.join("_.rs")).expect("generated").contains("pub struct A"));
}

#[test]
fn an_edition_is_refused_in_words_that_say_so() {
    assert_eq!(
        failure_of("// New.\nedition = \"2023\";\nmessage A {}"),
        "text.proto:2:1: editions are not supported; write `syntax = \"proto3\";` in place of the edition, and `optional` \
         before the fields whose presence matters"
    );
}

#[test]
fn what_is_deprecated_is_so_in_rust() {
    let text = "syntax = \"proto3\"; message Q {} service S {
        option deprecated = true;
        rpc Old(Q) returns (Q) { option deprecated = true; }
        rpc Ask(Q) returns (Q) {}
    }";
    let folder = folder("deprecated");
    fs::write(folder.join("text.proto"), text).expect("writable");
    Config::new().out_dir(&folder).compile(&["text.proto"], &[&folder]).expect("a correct file");
    let code = fs::read_to_string(folder.join("_.rs")).expect("generated");
    assert!(code.contains("#[::trill::service]\n#[deprecated]\npub trait S {"), "{code}");
    assert!(code.contains("    #[deprecated]\n    async fn old("), "{code}");
    assert_eq!(code.matches("#[deprecated]").count(), 2, "{code}");
}

#[test]
fn a_folder_that_cannot_be_written_gives_the_cause() {
    let config = Config::new().out_dir(golden_dir().join("no/such/folder"));
    let error =
        config.compile(&["plain.proto"], &[golden_dir()]).expect_err("the folder is not there");
    assert_eq!(error.to_string(), "the generated code cannot be written");
    let source = std::error::Error::source(&error).expect("the cause").to_string();
    assert_eq!(format!("{error:?}"), format!("the generated code cannot be written: {source}"));
}

/// The messages of the protocol are made once and checked in, so that no user's build makes them.
#[test]
fn the_messages_of_the_protocol_are_those_of_its_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = folder("trpc");
    let mut compiler = protox::Compiler::new([root.join("proto")]).expect("the folder is there");
    compiler.include_source_info(true).open_file("trpc.proto").expect("a correct file");
    let mut config = prost_build::Config::new();
    config.bytes(["."]).out_dir(&out);
    config.compile_fds(compiler.file_descriptor_set()).expect("a correct file");
    compare(&out.join("trpc.rs"), &root.join("src/trpc.rs"));
}

/// Compiles a file of the golden folder into a folder of its own.
fn generate(test: &str, config: Config, proto: &str) -> PathBuf {
    let out = folder(test);
    config.out_dir(&out).compile(&[proto], &[golden_dir()]).expect("a correct file");
    out
}

fn golden(out: &Path, generated: &str, expected: &str) {
    compare(&out.join(generated), &golden_dir().join(expected));
}

/// Compares with the file that is checked in; with `TRILL_BLESS` in the environment it is written
/// instead.
fn compare(generated: &Path, checked_in: &Path) {
    let generated = fs::read_to_string(generated).expect("generated");
    if std::env::var_os("TRILL_BLESS").is_some() {
        fs::write(checked_in, &generated).expect("writable");
    }
    let expected = fs::read_to_string(checked_in).unwrap_or_default();
    assert_eq!(generated, expected, "{} is not what is generated now", checked_in.display());
}

fn failure<I: AsRef<Path>>(protos: &[impl AsRef<Path>], includes: &[I]) -> String {
    let result: Result<(), Error> =
        Config::new().out_dir(folder("failure")).compile(protos, includes);
    let error = result.expect_err("a mistake");
    assert_eq!(error.to_string(), format!("{error:?}"), "main prints what a person reads");
    error.to_string()
}

/// The error for a file with this text.
fn failure_of(text: &str) -> String {
    let folder = folder("text");
    fs::write(folder.join("text.proto"), text).expect("writable");
    failure(&["text.proto"], &[&folder])
}

fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn folder(name: &str) -> PathBuf {
    let program = std::env::current_exe().expect("this program has a path");
    let folder = program.with_file_name("compile").join(name);
    fs::create_dir_all(&folder).expect("writable");
    folder
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("readable");
    entries
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect()
}
