use proptest::prelude::*;

use super::super::dynamic_table::DynamicTable;
use super::super::static_table::{self, Match};
use super::{Pair, rows};

#[test]
fn each_static_entry_is_found_by_its_field_and_by_its_name() {
    for index in 1..=static_table::LEN {
        let (name, value) = static_table::get(index).expect("an entry");
        assert_eq!(static_table::find(name, value), Match::Field(index));
        let Match::Name(first) = static_table::find(name, b"another") else { panic!("{index}") };
        assert!(first <= index);
        assert_eq!(static_table::get(first).expect("an entry").0, name);
    }
    assert_eq!(static_table::get(0), None);
    assert_eq!(static_table::get(static_table::LEN + 1), None);
    for name in ["", "x", "grpc-status", "a-name-that-is-longer-than-all-in-the-table"] {
        assert_eq!(static_table::find(name.as_bytes(), b""), Match::None);
    }
}

#[test]
fn an_entry_larger_than_the_table_empties_it() {
    let mut table = DynamicTable::new(100);
    table.insert(b"a", b"b", ());
    table.insert(b"c", b"d", ());
    assert_eq!((table.len(), table.size(), table.inserted(), table.evicted()), (2, 68, 2, 0));
    table.insert(&[b'x'; 40], &[b'y'; 40], ());
    assert_eq!((table.len(), table.size(), table.inserted(), table.evicted()), (0, 0, 2, 2));
    table.insert(&[b'x'; 34], &[b'y'; 34], ());
    assert_eq!((table.len(), table.size(), table.inserted()), (1, 100, 3));
}

#[test]
fn a_table_of_no_size_keeps_nothing() {
    let mut table = DynamicTable::new(4096);
    table.insert(b"a", b"b", ());
    table.set_max_size(0);
    table.insert(b"", b"", ());
    assert_eq!((table.len(), table.size()), (0, 0));
    assert!(table.get(0).is_none());
    assert!(table.get(usize::MAX).is_none());
}

#[test]
fn the_memory_of_a_table_is_bounded_however_long_it_is_used() {
    let mut table = DynamicTable::new(4096);
    for number in 0..100_000_usize {
        let value = vec![b'v'; number % 300];
        table.insert(b"a-name", &value, number);
        assert_eq!(
            table.get(0).map(|row| (row.value.len(), row.note)),
            Some((number % 300, number))
        );
    }
    assert!(table.capacity() <= 4 * 4096, "{} bytes", table.capacity());
}

/// A table that is nothing but a list.
struct Model {
    rows: Vec<Pair>,
    max_size: usize,
}

impl Model {
    fn evict(&mut self) {
        let cost = |(name, value): &Pair| name.len() + value.len() + 32;
        while self.rows.iter().map(cost).sum::<usize>() > self.max_size {
            self.rows.pop();
        }
    }
}

proptest! {
    #[test]
    fn a_table_is_what_a_list_would_be(
        steps in prop::collection::vec((0..8_u8, "[a-z]{0,30}", "[0-9]{0,60}", 0..400_usize), 0..120),
    ) {
        let (mut table, mut model) =
            (DynamicTable::new(256), Model { rows: Vec::new(), max_size: 256 });
        for (kind, name, value, size) in steps {
            if kind == 0 {
                table.set_max_size(size);
                model.max_size = size;
            } else {
                table.insert(name.as_bytes(), value.as_bytes(), ());
                model.rows.insert(0, (name, value));
            }
            model.evict();
            prop_assert_eq!(rows(&table), &model.rows[..]);
            prop_assert_eq!(table.inserted() - table.evicted(), model.rows.len() as u64);
        }
    }
}
