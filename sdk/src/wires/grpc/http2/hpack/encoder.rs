//! Header fields to blocks.

use bytes::Bytes;

use super::dynamic_table::{self, DynamicTable};
use super::static_table::{self, Match};
use super::{integer, string};

/// The most that this side makes of the table, whatever its peer allows.
const MAX_TABLE_SIZE: usize = dynamic_table::DEFAULT_TABLE_SIZE;

/// How a field is written, by what is known of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Indexing {
    /// It comes again: it goes into the table, and from then on is a number.
    Repeated,
    /// It is written out, and changes no table.
    Once,
    /// It is a secret: it is written out, and goes into no table of those to whom it is passed on.
    Never,
}

/// Encodes the blocks of one direction of a connection. They have to be sent in the order in which
/// they are made.
#[derive(Debug)]
pub(crate) struct HpackEncoder {
    table: DynamicTable<()>,
    /// The sizes of the table that the next block has to tell.
    table_sizes: Option<TableSizes>,
    /// How often the table was made smaller or larger.
    resized: u64,
}

#[derive(Clone, Copy, Debug)]
struct TableSizes {
    least: usize,
    last: usize,
}

/// Fields that begin many blocks alike, and their bytes while the table stays as it is.
#[derive(Debug)]
pub(crate) struct RepeatedFields {
    fields: Box<[(Bytes, Bytes)]>,
    block: Vec<u8>,
    /// The state of the table for which `block` was made.
    made_for: Option<TableState>,
}

/// Two equal ones of a table mean that its entries have the same numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct TableState {
    inserted: u64,
    resized: u64,
}

/// A block that is being written.
#[derive(Debug)]
pub(crate) struct HeaderBlock<'a> {
    encoder: &'a mut HpackEncoder,
    out: &'a mut Vec<u8>,
}

impl HpackEncoder {
    pub(crate) fn new() -> Self {
        Self { table: DynamicTable::new(MAX_TABLE_SIZE), table_sizes: None, resized: 0 }
    }

    /// Takes what the peer allows: its SETTINGS_HEADER_TABLE_SIZE.
    pub(crate) fn set_max_table_size(&mut self, size: usize) {
        let size = size.min(MAX_TABLE_SIZE);
        if size == self.table.max_size() {
            return;
        }
        self.table.set_max_size(size);
        self.resized += 1;
        let least = self.table_sizes.map_or(size, |sizes| sizes.least.min(size));
        self.table_sizes = Some(TableSizes { least, last: size });
    }

    /// Begins a block, which is appended to `out`.
    #[inline]
    pub(crate) fn block<'a>(&'a mut self, out: &'a mut Vec<u8>) -> HeaderBlock<'a> {
        if let Some(TableSizes { least, last }) = self.table_sizes.take() {
            if least < last {
                integer::encode(out, 0x20, 5, least);
            }
            integer::encode(out, 0x20, 5, last);
        }
        HeaderBlock { encoder: self, out }
    }

    #[inline]
    fn table_state(&self) -> TableState {
        TableState { inserted: self.table.inserted(), resized: self.resized }
    }

    #[cfg(test)]
    pub(super) fn table(&self) -> &DynamicTable<()> {
        &self.table
    }
}

impl RepeatedFields {
    /// Fields in the order in which they are to be written.
    pub(crate) fn new(fields: impl IntoIterator<Item = (Bytes, Bytes)>) -> Self {
        Self { fields: fields.into_iter().collect(), block: Vec::new(), made_for: None }
    }
}

impl HeaderBlock<'_> {
    /// Writes fields that begin many blocks. Most often their bytes are there from the last time,
    /// and are copied.
    #[inline]
    pub(crate) fn repeated(&mut self, repeated: &mut RepeatedFields) {
        if repeated.made_for == Some(self.encoder.table_state()) {
            self.out.extend_from_slice(&repeated.block);
        } else {
            self.make_repeated(repeated);
        }
    }

    fn make_repeated(&mut self, repeated: &mut RepeatedFields) {
        let (before, start) = (self.encoder.table_state(), self.out.len());
        for (name, value) in &repeated.fields {
            self.field(name, value, Indexing::Repeated);
        }
        // Bytes that insert something are right once.
        repeated.made_for = None;
        if self.encoder.table_state() == before {
            repeated.block.clear();
            repeated.block.extend_from_slice(&self.out[start..]);
            repeated.made_for = Some(before);
        }
    }

    /// Writes a field.
    pub(crate) fn field(&mut self, name: &[u8], value: &[u8], indexing: Indexing) {
        let found = static_table::find(name, value);
        match (indexing, found) {
            (Indexing::Never, _) => self.literal(0x10, found.name(), name, value),
            (_, Match::Field(index)) => integer::encode(self.out, 0x80, 7, index),
            (Indexing::Once, _) => self.literal(0x00, found.name(), name, value),
            (Indexing::Repeated, _) => self.indexed(found.name(), name, value),
        }
    }

    /// Writes a field that is in the table, or is inserted if it fits there well.
    fn indexed(&mut self, named: Option<usize>, name: &[u8], value: &[u8]) {
        let table = &self.encoder.table;
        let is_it = |row: &dynamic_table::Row<'_, ()>| row.name == name && row.value == value;
        if let Some(age) = table.rows().position(|row| is_it(&row)) {
            return integer::encode(self.out, 0x80, 7, age + static_table::LEN + 1);
        }
        let same_name = || table.rows().position(|row| row.name == name);
        let named = named.or_else(|| same_name().map(|age| age + static_table::LEN + 1));
        // One that takes most of the table would throw the others out, and they repeat as well.
        if dynamic_table::cost(name, value) > table.max_size() / 2 {
            return self.literal(0x00, named, name, value);
        }
        integer::encode(self.out, 0x40, 6, named.unwrap_or(0));
        if named.is_none() {
            string::encode_short(self.out, name);
        }
        string::encode_short(self.out, value);
        self.encoder.table.insert(name, value, ());
    }

    /// Writes a field out, as it is: Huffman's code would save bytes and cost time in each block.
    fn literal(&mut self, first: u8, named: Option<usize>, name: &[u8], value: &[u8]) {
        integer::encode(self.out, first, 4, named.unwrap_or(0));
        if named.is_none() {
            string::encode_plain(self.out, name);
        }
        string::encode_plain(self.out, value);
    }
}
