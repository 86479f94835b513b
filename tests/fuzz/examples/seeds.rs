//! Writes the inputs that fuzzing starts from into `corpus/`: the protocol's vectors, recorded
//! conversations, and what was found before.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use trill::__fuzz::{connection_seed, decoder_seed, frames_seed, heads_seeds, hpack_seed};

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sent = Vec::new();
    for file in ["trpc_valid.json", "trpc_invalid.json"] {
        sent.extend(cases(here, file).iter().map(|case| unhex(text(case, "hex"))));
    }
    let mut conversations = BTreeMap::<_, Vec<u8>>::new();
    for chunk in &cases(here, "trpc_cpp_captures.json") {
        let whose = (text(chunk, "conversation").to_owned(), text(chunk, "direction").to_owned());
        conversations.entry(whose).or_default().extend(unhex(text(chunk, "hex")));
    }
    sent.extend(conversations.into_values());

    let both = |seed: fn(bool, &[u8]) -> Vec<u8>| {
        sent.iter().flat_map(|bytes| [seed(false, bytes), seed(true, bytes)]).collect()
    };
    write(here, "decoder", both(decoder_seed));
    write(here, "connection", both(connection_seed));
    write(here, "operations", Vec::new());

    let frames = ["http2_valid.json", "http2_invalid.json"].into_iter().flat_map(|file| {
        cases(here, file).into_iter().map(|case| unhex(text(&case, "hex"))).collect::<Vec<_>>()
    });
    let both = frames.flat_map(|bytes| [frames_seed(false, &bytes), frames_seed(true, &bytes)]);
    write(here, "frames", both.collect());
    write(here, "heads", heads_seeds());
    let stories = cases(here, "hpack_stories.json").into_iter().map(|story| {
        let blocks = story["cases"].as_array().expect("the blocks of a story");
        hpack_seed(&blocks.iter().map(|block| unhex(text(block, "wire"))).collect::<Vec<_>>())
    });
    write(here, "hpack", stories.collect());
}

fn write(here: &Path, target: &str, mut seeds: Vec<Vec<u8>>) {
    let found = fs::read_to_string(here.join("found").join(target).with_extension("txt"))
        .expect("the found inputs");
    seeds.extend(found.lines().filter(|line| !line.starts_with('#')).map(unhex));
    let folder = here.join("corpus").join(target);
    fs::create_dir_all(&folder).expect("a folder for the corpus");
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed).expect("a file for a seed");
    }
    println!("{target}: {} seeds", seeds.len());
}

fn cases(here: &Path, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(here.join("../vectors").join(file)).expect("the vectors");
    serde_json::from_str(&text).expect("a list of cases")
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().expect("a text")
}

fn unhex(text: &str) -> Vec<u8> {
    let digits =
        |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("two hexadecimal digits");
    (0..text.len()).step_by(2).map(digits).collect()
}
