//! The program as its users run it, for as short as it goes.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

#[test]
fn a_short_comparison_measures_checks_and_draws() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (json, svg) = (folder.join("short_run.jsonl"), folder.join("short_run.svg"));
    let run = Command::new(env!("CARGO_BIN_EXE_trill-bench"))
        .args([
            "compare",
            "--rounds",
            "1",
            "--seconds",
            "0.01",
            "--only",
            "W1,W2,W3,W3-ct,W4,W5,W6,W7,W8,W10,W12,W13x10",
        ])
        .args(["--json".as_ref(), json.as_os_str(), "--svg".as_ref(), svg.as_os_str()])
        .output()
        .expect("the program starts");
    let (table, progress) =
        (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{progress}");

    let rows = std::fs::read_to_string(json).expect("the rows were written");
    assert!(rows.starts_with("{\"machine\":{\"cores\":"), "{rows}");
    let contenders: BTreeSet<String> = rows.lines().skip(1).map(contender).collect();
    let expected = [
        "tarpc",
        "tcp",
        "tcp-naive",
        "tonic",
        "tonic-channel",
        "tonic-iter",
        "trill",
        "trill-per-core",
        "ttrpc",
    ];
    assert_eq!(contenders, expected.map(str::to_owned).into());
    assert!(table.contains("| W4 | server stream | trill |"), "{table}");
    assert!(table.contains("of tonic's best"), "{table}");
    let drawn = std::fs::read_to_string(svg).expect("the picture was drawn");
    assert!(
        drawn.contains("W8") && !drawn.contains("W9"),
        "one group of bars for each workload that was measured"
    );
}

#[test]
fn a_comparison_is_set_beside_a_saved_one() {
    let json = Path::new(env!("CARGO_TARGET_TMPDIR")).join("baseline.jsonl");
    let compare = |options: [&std::ffi::OsStr; 2]| {
        let run = Command::new(env!("CARGO_BIN_EXE_trill-bench"))
            .args(["compare", "--rounds", "1", "--seconds", "0.01", "--only", "W1,W4@1k"])
            .args(["--contenders", "trill"])
            .args(options)
            .output()
            .expect("the program starts");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8_lossy(&run.stdout).into_owned()
    };
    assert!(!compare(["--json".as_ref(), json.as_os_str()]).contains("now ÷ then"));
    let table = compare(["--beside".as_ref(), json.as_os_str()]);
    let (_, ratios) = table.split_once("now ÷ then").expect("there is a second table");
    for row in ["| W1 | trill | ", "| W4@1k | trill | "] {
        assert!(ratios.contains(row), "{table}");
    }
}

#[test]
fn a_set_of_works_is_measured_and_drawn() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let svg = folder.join("sets.svg");
    let run = Command::new(env!("CARGO_BIN_EXE_trill-bench"))
        .args(["compare", "--rounds", "1", "--seconds", "0.01", "--sweep", "sizes,in-flight"])
        .args(["--only", "w11x100,w7x2@4k,w4@64k+1ms,w6+1ms", "--contenders", "trill,tcp"])
        .args(["--svg".as_ref(), svg.as_os_str()])
        .output()
        .expect("the program starts");
    let (table, progress) =
        (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{progress}");
    for row in [
        "| W4@0 |",
        "| W4 |",
        "| W4@64k |",
        "| W8 |",
        "| W2x1024 |",
        "| W7x2@4k |",
        "| W4@64k+1ms |",
    ] {
        let lines = table.lines().filter(|line| line.starts_with(row) && line.contains("| tcp |"));
        assert_eq!(lines.count(), 1, "{row}: {table}");
    }
    let connections = table.lines().find(|line| line.starts_with("| W11x100 |"));
    let figures = connections.expect("it was measured").matches(" |  |").count();
    assert_eq!(figures, 1, "all figures but the ratio: {table}");
    for (set, title) in
        [("sizes", "W4: server stream: CPU"), ("in-flight", "W2: unary: rate, each a second")]
    {
        let drawn = std::fs::read_to_string(folder.join(format!("sets-{set}.svg")));
        let drawn = drawn.expect("the picture of the set was drawn");
        assert!(drawn.contains(title) && drawn.contains("<polyline"), "{drawn}");
    }
}

/// On a machine without Go there is nothing to test but the warning.
#[test]
fn go_takes_part_if_it_is_there() {
    let run = Command::new(env!("CARGO_BIN_EXE_trill-bench"))
        .args(["compare", "--with-go", "--rounds", "1", "--seconds", "0.01"])
        .args(["--only", "w1,w2x8,w3,w4@4k,w5,w6,w7x2,w10,w12"])
        .args(["--contenders", "trill,grpc-go,trpc-go"])
        .output()
        .expect("the program starts");
    let (table, progress) =
        (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{progress}");
    let has_go = Command::new("go").arg("version").output().is_ok();
    for contender in ["grpc-go", "trpc-go"] {
        let rows = table.lines().filter(|line| line.contains(&format!("| {contender} |")));
        assert_eq!(rows.count(), if has_go { 9 } else { 0 }, "{table}{progress}");
    }
    assert_eq!(progress.contains("NOT RUN: grpc-go and trpc-go"), !has_go, "{progress}");
}

#[test]
fn a_program_is_compared_with_another_in_turns() {
    let program = env!("CARGO_BIN_EXE_trill-bench");
    let against = |row| {
        let run = Command::new(program)
            .args(["against", "--other", program, "--rounds", "2", "--seconds", "0.01", row])
            .output()
            .expect("the program starts");
        (
            String::from_utf8_lossy(&run.stdout).into_owned(),
            String::from_utf8_lossy(&run.stderr).into_owned(),
        )
    };
    let (table, progress) = against("w2");
    assert!(table.contains("W2           median"), "{table}{progress}");
    assert_eq!(progress.matches("W2").count(), 2, "{progress}");
    let (_, refused) = against("W9");
    assert!(refused.contains("W9 has no processor time per message"), "{refused}");
}

#[test]
fn a_contender_without_the_workload_is_an_error() {
    let run = Command::new(env!("CARGO_BIN_EXE_trill-bench"))
        .args(["one", "tarpc", "W4"])
        .output()
        .expect("the program starts");
    assert!(!run.status.success());
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(said.contains("this contender has none"), "{said}");
}

fn contender(row: &str) -> String {
    let row: serde_json::Value = serde_json::from_str(row).expect("each line is JSON");
    row["contender"].as_str().expect("a row names its contender").to_owned()
}
