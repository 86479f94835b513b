//! Blocks to header fields.

use super::dynamic_table::{self, DynamicTable};
use super::error::HpackError;
use super::string::{self, RawString};
use super::{huffman, integer, static_table};

/// The most changes of the table's size at the front of a block: the least since the last block,
/// and the one that counts.
const MAX_TABLE_SIZES: usize = 2;

/// A list this many times over its limit ends the connection: its block was made to cost work.
const FAR_OVER: usize = 4;

/// The memory for strings in Huffman's code that is kept from one block to the next.
const KEPT: usize = 4096;

/// A header field of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HeaderField<'a, M> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
    /// Its meaning, as the receiver has found it out.
    pub(crate) meaning: M,
    /// Its sender wants it in no table, also not of those to whom it is passed on.
    pub(crate) never_indexed: bool,
}

/// Takes the header fields of blocks.
pub(crate) trait FieldReceiver {
    /// The meaning of a field to it, which is found out once for an entry of a table, however often
    /// the entry comes.
    type Meaning: Copy;

    fn meaning(&self, name: &[u8], value: &[u8]) -> Self::Meaning;

    fn receive(&mut self, field: HeaderField<'_, Self::Meaning>);
}

/// The most that a list of header fields may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ListLimits {
    /// Names and values, and 32 for each field: SETTINGS_MAX_HEADER_LIST_SIZE.
    pub(crate) size: usize,
    pub(crate) fields: usize,
}

/// The size of a list that was decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ListSize {
    /// Names and values, and 32 for each field.
    pub(crate) size: usize,
    pub(crate) fields: usize,
    /// It was over a limit, and the receiver got only what was within.
    pub(crate) is_over: bool,
}

/// Decodes the blocks of one direction of a connection, each of them and in order, because each can
/// change the table.
#[derive(Debug)]
pub(crate) struct HpackDecoder<M> {
    table: DynamicTable<M>,
    /// The meanings of the entries that each connection has.
    statics: Box<[M]>,
    limits: ListLimits,
    /// The most that the peer may make of its table: SETTINGS_HEADER_TABLE_SIZE of this side.
    max_table_size: usize,
    /// The table is over that, so the next block has to say that it is smaller.
    is_table_size_due: bool,
    /// Strings that are not in their block as they are.
    scratch: Vec<u8>,
}

impl<M: Copy> HpackDecoder<M> {
    /// A decoder for one who finds meanings so.
    pub(crate) fn new(limits: ListLimits, meaning: impl Fn(&[u8], &[u8]) -> M) -> Self {
        let statics = (1..=static_table::LEN).filter_map(static_table::get);
        Self {
            table: DynamicTable::new(dynamic_table::DEFAULT_TABLE_SIZE),
            statics: statics.map(|(name, value)| meaning(name, value)).collect(),
            limits,
            max_table_size: dynamic_table::DEFAULT_TABLE_SIZE,
            is_table_size_due: false,
            scratch: Vec::new(),
        }
    }

    /// Limits the table, from the moment at which the peer has acknowledged that.
    pub(crate) fn set_max_table_size(&mut self, size: usize) {
        self.max_table_size = size;
        self.is_table_size_due = self.table.max_size() > size;
    }

    /// Decodes a whole block. A list over a limit is decoded to its end all the same, and the rest
    /// of it dropped: the table is right, and the connection goes on.
    ///
    /// # Errors
    ///
    /// When the block is wrong, or its list far over the limit. Nothing can be decoded after that.
    pub(crate) fn decode<R: FieldReceiver<Meaning = M>>(
        &mut self,
        block: &[u8],
        receiver: &mut R,
    ) -> Result<ListSize, HpackError> {
        let mut input = block;
        self.table_sizes(&mut input)?;
        let mut list = ListSize::default();
        while let Some(first) = input.first() {
            match first {
                0x80.. => self.indexed(&mut input, &mut list, receiver)?,
                0x40.. => self.literal(&mut input, 6, &mut list, receiver)?,
                0x20.. => return Err(HpackError::LateTableSize),
                _ => self.literal(&mut input, 4, &mut list, receiver)?,
            }
        }
        self.scratch.clear();
        self.scratch.shrink_to(KEPT);
        Ok(list)
    }

    /// The changes of the table's size at the front of a block.
    fn table_sizes(&mut self, input: &mut &[u8]) -> Result<(), HpackError> {
        let mut count = 0;
        while let Some(0x20..0x40) = input.first() {
            let (size, limit) = (integer::decode(input, 5)?, self.max_table_size);
            if size > limit {
                return Err(HpackError::TableTooLarge { size, limit });
            }
            count += 1;
            if count > MAX_TABLE_SIZES {
                return Err(HpackError::ManyTableSizes);
            }
            self.table.set_max_size(size);
            self.is_table_size_due = false;
        }
        if self.is_table_size_due {
            return Err(HpackError::NoTableSize { limit: self.max_table_size });
        }
        Ok(())
    }

    /// A field that is an entry.
    #[inline]
    fn indexed<R: FieldReceiver<Meaning = M>>(
        &self,
        input: &mut &[u8],
        list: &mut ListSize,
        receiver: &mut R,
    ) -> Result<(), HpackError> {
        let index = integer::decode(input, 7)?;
        let field = self.entry(index).ok_or(HpackError::NoEntry { index })?;
        if list.counts(&field, self.limits)? {
            receiver.receive(field);
        }
        Ok(())
    }

    /// A field that is written out, its name perhaps that of an entry. With six bits for the entry
    /// it is inserted; with four the bit before them says that it never should be.
    fn literal<R: FieldReceiver<Meaning = M>>(
        &mut self,
        input: &mut &[u8],
        prefix: u32,
        list: &mut ListSize,
        receiver: &mut R,
    ) -> Result<(), HpackError> {
        let (is_inserted, never_indexed) = (prefix == 6, prefix == 4 && input[0] & 0x10 != 0);
        self.scratch.clear();
        let name = match integer::decode(input, prefix)? {
            0 => self.unpacked(input)?,
            index @ 1..=static_table::LEN => StringPlace::Static(index),
            index => {
                let row = self.table.get(index - static_table::LEN - 1);
                let name = row.ok_or(HpackError::NoEntry { index })?.name;
                // A field that is inserted may evict the entry whose name it takes.
                self.scratch.extend_from_slice(name);
                StringPlace::Scratch(0, name.len())
            }
        };
        let value = self.unpacked(input)?;
        let (name, value) = (name.bytes(&self.scratch), value.bytes(&self.scratch));
        let meaning = receiver.meaning(name, value);
        let field = HeaderField { name, value, meaning, never_indexed };
        if list.counts(&field, self.limits)? {
            receiver.receive(field);
        }
        if is_inserted {
            self.table.insert(name, value, meaning);
        }
        Ok(())
    }

    /// The entry of either table.
    #[inline]
    fn entry(&self, index: usize) -> Option<HeaderField<'_, M>> {
        if let Some((name, value)) = static_table::get(index) {
            let meaning = self.statics[index - 1];
            return Some(HeaderField { name, value, meaning, never_indexed: false });
        }
        let row = self.table.get(index.checked_sub(static_table::LEN + 1)?)?;
        let (name, value, meaning) = (row.name, row.value, row.note);
        Some(HeaderField { name, value, meaning, never_indexed: false })
    }

    /// The string at the front, unpacked behind what is in `scratch` if it is in Huffman's code.
    #[inline]
    fn unpacked<'a>(&mut self, input: &mut &'a [u8]) -> Result<StringPlace<'a>, HpackError> {
        Ok(match string::decode(input)? {
            RawString::Plain(plain) => StringPlace::Block(plain),
            RawString::Huffman(coded) => {
                let start = self.scratch.len();
                huffman::decode(&mut self.scratch, coded)?;
                StringPlace::Scratch(start, self.scratch.len())
            }
        })
    }

    #[cfg(test)]
    pub(super) fn table(&self) -> &DynamicTable<M> {
        &self.table
    }
}

/// Where a string is.
#[derive(Clone, Copy)]
enum StringPlace<'a> {
    Block(&'a [u8]),
    Static(usize),
    Scratch(usize, usize),
}

impl<'a> StringPlace<'a> {
    #[inline]
    fn bytes(self, scratch: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Block(bytes) => bytes,
            Self::Static(index) => static_table::get(index).map_or(b"", |(name, _)| name),
            Self::Scratch(from, to) => &scratch[from..to],
        }
    }
}

impl ListSize {
    /// Counts a field, and says whether the list is still within its limits.
    #[inline]
    fn counts<M>(
        &mut self,
        field: &HeaderField<'_, M>,
        limits: ListLimits,
    ) -> Result<bool, HpackError> {
        self.size += dynamic_table::cost(field.name, field.value);
        self.fields += 1;
        if self.size > limits.size || self.fields > limits.fields {
            self.is_over = true;
            let (size, limit) = (self.size, limits.size);
            if size > limit.saturating_mul(FAR_OVER) {
                return Err(HpackError::ListTooLarge { size, limit });
            }
        }
        Ok(!self.is_over)
    }
}
