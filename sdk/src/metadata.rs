//! Key and value pairs that travel beside messages (`trans_info` on the wire).

use std::fmt;

use bytes::Bytes;
use trill_proto::TransInfoEntry;

/// Metadata of a call: text keys with values of any bytes.
///
/// It travels with the request of a call and with its end, never in between. Keys that start with
/// `trpc-` belong to the framework. A key stands at most once; what a peer sent twice counts as it
/// was sent last. One call or end carries 1,000 pairs at most: what has more is not sent, and the
/// error says so.
///
/// ```
/// use trill::Metadata;
///
/// let mut metadata = Metadata::new();
/// metadata.insert("tenant", "blue");
/// metadata.insert("tenant", "green");
/// assert_eq!(metadata.get_str("tenant"), Some("green"));
/// assert_eq!(metadata.len(), 1);
/// ```
#[derive(Clone, Default)]
pub struct Metadata(Option<Box<Entries>>);

/// Most calls have none, and are moved about a lot: what has none is small, and is dropped at once.
#[derive(Clone, Default)]
struct Entries(Vec<TransInfoEntry>);

/// The overhead of an allocation in bytes, about.
const ALLOCATION: usize = 16;

impl Entries {
    fn cost(&self) -> usize {
        let strings = self.0.iter().map(|entry| {
            let key = entry.key.as_ref().map_or(0, String::capacity);
            key + entry.value().len() + 2 * ALLOCATION
        });
        self.0.capacity() * size_of::<TransInfoEntry>() + strings.sum::<usize>()
    }
}

impl Metadata {
    /// No pairs.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.iter().find_map(|(candidate, value)| (candidate == key).then_some(value))
    }

    /// The value of a key, if it is UTF-8.
    #[must_use]
    pub fn get_str(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Sets a key, replacing its value if it has one.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Bytes>) {
        let (key, value) = (key.into(), value.into());
        let entries = &mut self.0.get_or_insert_default().0;
        match entries.iter_mut().find(|entry| entry.key() == key) {
            Some(entry) => entry.value = Some(value),
            // PROTOCOL 6
            None => entries.push(TransInfoEntry { key: Some(key), value: Some(value) }),
        }
    }

    /// Removes a key and gives back its value.
    pub fn remove(&mut self, key: &str) -> Option<Bytes> {
        let entries = &mut self.0.as_mut()?.0;
        let at = entries.iter().position(|entry| entry.key() == key)?;
        Some(entries.remove(at).value.unwrap_or_default())
    }

    /// The pairs, in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.entries().iter().map(|entry| (entry.key(), entry.value()))
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Tells whether there are no pairs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// Takes the pairs as the decoder gives them: each key once.
    pub(crate) fn from_wire(entries: Vec<TransInfoEntry>) -> Self {
        if entries.is_empty() { Self::new() } else { Self(Some(Box::new(Entries(entries)))) }
    }

    /// The bytes that the pairs take in memory.
    #[inline]
    pub(crate) fn cost(&self) -> usize {
        self.0.as_ref().map_or(0, |entries| entries.cost())
    }

    pub(crate) fn into_wire(self) -> Vec<TransInfoEntry> {
        self.0.map_or_else(Vec::new, |entries| entries.0)
    }

    fn entries(&self) -> &[TransInfoEntry] {
        self.0.as_ref().map_or(&[], |entries| &entries.0)
    }
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.entries() == other.entries()
    }
}

impl<K: Into<String>, V: Into<Bytes>> FromIterator<(K, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut metadata = Self::new();
        metadata.extend(pairs);
        metadata
    }
}

impl<K: Into<String>, V: Into<Bytes>> Extend<(K, V)> for Metadata {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        for (key, value) in pairs {
            self.insert(key, value);
        }
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(key, value)| (key, value.escape_ascii().to_string())))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_cost_what_they_take_in_memory() {
        assert_eq!(Metadata::new().cost(), 0);
        let empty = Metadata::from_wire(vec![TransInfoEntry::default(); 1_000]);
        assert!(empty.cost() > 80_000, "2 bytes each on the wire are {} in all", empty.cost());
        let one: Metadata = [("a".repeat(1_000), vec![7; 2_000])].into_iter().collect();
        assert!((3_000..3_500).contains(&one.cost()), "{}", one.cost());
    }

    #[test]
    fn remove_gives_the_value_back() {
        let mut metadata: Metadata = [("a", "1"), ("b", "2")].into_iter().collect();
        assert_eq!(metadata.remove("a"), Some(Bytes::from_static(b"1")));
        assert_eq!(metadata.remove("a"), None);
        assert_eq!(metadata.iter().collect::<Vec<_>>(), [("b", &b"2"[..])]);
    }
}
