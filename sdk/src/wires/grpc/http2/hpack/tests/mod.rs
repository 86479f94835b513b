//! The examples of RFC 7541, stories of other implementations, and blocks that are wrong.

mod decoding;
mod encoding;
mod examples;
mod primitives;
mod stories;
mod tables;

use super::{FieldReceiver, HeaderField, HpackDecoder, HpackError, ListLimits, ListSize};

/// A field as tests write it.
type Pair = (String, String);

/// Limits that nothing in these tests reaches.
const WIDE: ListLimits = ListLimits { size: 1 << 20, fields: 1_000 };

/// Keeps the fields, and counts how often it was asked for a meaning, which is the value's length.
#[derive(Default)]
struct Kept {
    pairs: Vec<Pair>,
    never_indexed: Vec<bool>,
    asked: std::cell::Cell<usize>,
}

impl FieldReceiver for Kept {
    type Meaning = usize;

    fn meaning(&self, _: &[u8], value: &[u8]) -> usize {
        self.asked.set(self.asked.get() + 1);
        value.len()
    }

    fn receive(&mut self, field: HeaderField<'_, usize>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.pairs.push((text(field.name), text(field.value)));
        assert_eq!(field.meaning, field.value.len(), "a meaning is that of its field");
        self.never_indexed.push(field.never_indexed);
    }
}

fn decoder(limits: ListLimits) -> HpackDecoder<usize> {
    HpackDecoder::new(limits, |_, value| value.len())
}

fn decode(
    decoder: &mut HpackDecoder<usize>,
    block: &[u8],
) -> Result<(Vec<Pair>, ListSize), HpackError> {
    let mut kept = Kept::default();
    let size = decoder.decode(block, &mut kept)?;
    Ok((kept.pairs, size))
}

fn pairs(fields: &[(&str, &str)]) -> Vec<Pair> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The entries of a table, the youngest first.
fn rows<N: Copy>(table: &super::dynamic_table::DynamicTable<N>) -> Vec<Pair> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    table.rows().map(|row| (text(row.name), text(row.value))).collect()
}
