//! HPACK on any blocks, beside another decoder.

use crate::wires::grpc::http2::hpack::{
    FieldReceiver, HeaderField, HpackDecoder, HpackEncoder, Indexing, ListLimits,
};

use super::choices::Choices;

/// Another decoder of the same direction: the fields of a block, or `None` where it finds a fault.
pub type HpackOracle<'a> = &'a mut dyn FnMut(&[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>>;

/// A list is cut there in the decoder that is compared with the one without limits.
const NARROW: ListLimits = ListLimits { size: 400, fields: 6 };

const WIDE: ListLimits = ListLimits { size: 1 << 24, fields: 1 << 20 };

/// Decodes the blocks of `input`: what is understood the oracle understands alike, a narrow limit
/// cuts lists and changes nothing else, and the fields survive being encoded and decoded again.
///
/// # Panics
/// When one of these promises does not hold.
pub fn hpack(input: &[u8], oracle: HpackOracle<'_>) {
    let mut choices = Choices::new(input);
    let mut wide = HpackDecoder::new(WIDE, Kept::length);
    let mut narrow = Some(HpackDecoder::new(NARROW, Kept::length));
    let (mut encoder, mut again) = (HpackEncoder::new(), HpackDecoder::new(WIDE, Kept::length));
    while let Some(len) = choices.next() {
        let block = choices.bytes(len.into());
        let (mut all, mut some) = (Kept::default(), Kept::default());
        let found = wide.decode(block, &mut all);
        // A list that is far over the limit is none of the peer's faults that both find.
        let cut = narrow.as_mut().map(|narrow| narrow.decode(block, &mut some));
        if !matches!(cut, Some(Ok(_))) {
            narrow = None;
        }
        let Ok(list) = found else {
            assert!(!matches!(cut, Some(Ok(_))), "a limit makes no block right");
            return;
        };
        assert!(!list.is_over);
        let sum: usize = all.0.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
        assert_eq!((list.size, list.fields), (sum, all.0.len()));
        assert_eq!(oracle(block).as_ref(), Some(&all.0), "the oracle has the same fields");
        assert!(all.0.starts_with(&some.0), "a cut list is the beginning of the list");
        if let Some(Ok(cut)) = cut {
            assert_eq!((cut.size, cut.fields), (list.size, list.fields));
            assert_eq!(cut.is_over, some.0.len() < all.0.len());
        }
        survives(&all.0, len, &mut encoder, &mut again);
    }
}

/// The input of [`hpack`] that reads these blocks, as far as they are short.
#[must_use]
pub fn hpack_seed(blocks: &[Vec<u8>]) -> Vec<u8> {
    let short = blocks.iter().map_while(|block| Some((u8::try_from(block.len()).ok()?, block)));
    short.flat_map(|(len, block)| [&[len], &block[..]].concat()).collect()
}

/// Fields that were decoded can be encoded, as `how` chooses, and are decoded as the same.
fn survives(
    fields: &[(Vec<u8>, Vec<u8>)],
    how: u8,
    encoder: &mut HpackEncoder,
    decoder: &mut HpackDecoder<usize>,
) {
    if how % 5 == 4 {
        let size = usize::from(how) * 20;
        encoder.set_max_table_size(size);
        decoder.set_max_table_size(size);
    }
    let mut bytes = Vec::new();
    let mut block = encoder.block(&mut bytes);
    for (number, (name, value)) in fields.iter().enumerate() {
        let indexing = [Indexing::Repeated, Indexing::Once, Indexing::Never];
        block.field(name, value, indexing[(number + usize::from(how)) % 3]);
    }
    let mut same = Kept::default();
    decoder.decode(&bytes, &mut same).expect("it was encoded here");
    assert_eq!(same.0, fields);
}

#[derive(Default)]
struct Kept(Vec<(Vec<u8>, Vec<u8>)>);

impl Kept {
    fn length(name: &[u8], value: &[u8]) -> usize {
        name.len() + value.len()
    }
}

impl FieldReceiver for Kept {
    type Meaning = usize;

    fn meaning(&self, name: &[u8], value: &[u8]) -> usize {
        Self::length(name, value)
    }

    fn receive(&mut self, field: HeaderField<'_, usize>) {
        assert_eq!(field.meaning, Self::length(field.name, field.value));
        self.0.push((field.name.to_vec(), field.value.to_vec()));
    }
}
