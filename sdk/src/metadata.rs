//! Keys and values that travel beside messages.

mod key;

use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;

pub use key::MetadataError;

/// Metadata of a call: keys of text, each with one or more values of any bytes.
///
/// It travels with the request of a call and with its answer, never in between. Keys are ASCII, and
/// upper and lower case make no difference when keys are compared; wires that tell them apart carry
/// a key as it was spelled. The pairs keep their order.
///
/// # Keys
/// [`insert`](Self::insert) and [`append`](Self::append) refuse keys that are not visible ASCII and
/// keys that belong to a protocol, on whatever wire the call will go: those that begin with
/// `grpc-`, `trpc-`, `trill-` or `:`, and the headers of HTTP/2 itself, such as `content-type` and
/// `te`. Metadata that came from a peer is as the peer has sent it, also with such keys, and can be
/// passed on.
///
/// # Values
/// Values are bytes; [`get_str`](Self::get_str) reads text. tRPC carries any value under any key.
/// gRPC carries any value under a key that ends with `-bin`, and visible ASCII and spaces under all
/// others, so give binary values such a key.
///
/// # Limits of a wire
/// Metadata does not know which wire it will travel on. A wire that cannot carry it fails the call,
/// and the error names key and wire: tRPC has one value of a key. One call or answer carries 1,000
/// pairs at most.
///
/// ```
/// use trill::Metadata;
///
/// # fn main() -> trill::Result<()> {
/// let mut metadata = Metadata::try_from([("Tenant", "blue")])?;
/// metadata.insert("tenant", "green")?;
/// metadata.append("tenant", "red")?;
/// assert_eq!(metadata.get_str("TENANT"), Some("green"));
/// assert_eq!(metadata.get_all("tenant").collect::<Vec<_>>(), [b"green", b"red" as &[u8]]);
///
/// let refused = metadata.insert("grpc-status", "0").unwrap_err();
/// assert_eq!(refused.key(), "grpc-status");
/// assert!(refused.to_string().ends_with("keys that begin with \"grpc-\" belong to gRPC"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Metadata(Option<Box<Pairs>>);

/// Most calls have none, and are moved about a lot: what has none is small, and is dropped at once.
#[derive(Clone, Default)]
struct Pairs(Vec<Pair>);

/// Written out, so that a look at the pointer is all that is done where there are none.
impl Drop for Metadata {
    #[inline]
    fn drop(&mut self) {
        if let Some(pairs) = self.0.take() {
            drop_pairs(pairs);
        }
    }
}

#[inline(never)]
fn drop_pairs(pairs: Box<Pairs>) {
    drop(pairs);
}

/// A key with a value. A key that has several values stands in several pairs.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: Bytes,
}

/// Up to so many keys are compared with each other, which needs no memory; more are put in a set.
const FEW: usize = 16;

/// The overhead of an allocation in bytes, about.
const ALLOCATION: usize = 16;

impl Pair {
    fn is_of(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key)
    }
}

impl Pairs {
    fn cost(&self) -> usize {
        let strings =
            self.0.iter().map(|Pair { key, value }| key.capacity() + value.len() + 2 * ALLOCATION);
        self.0.capacity() * size_of::<Pair>() + strings.sum::<usize>()
    }
}

impl Metadata {
    /// No pairs.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Takes pairs of keys and values from an iterator, each as [`append`](Self::append) does.
    ///
    /// There is no `FromIterator`, because that could not refuse a key.
    ///
    /// # Errors
    /// The first key that is not the user's to set.
    pub fn try_from_iter<K: Into<String>, V: Into<Bytes>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, MetadataError> {
        let mut metadata = Self::new();
        for (key, value) in pairs {
            metadata.append(key, value)?;
        }
        Ok(metadata)
    }

    /// The first value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.get_all(key).next()
    }

    /// The first value of a key, if it is UTF-8.
    #[must_use]
    pub fn get_str(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values of a key, in the order in which they were added.
    pub fn get_all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a [u8]> {
        self.pairs().iter().filter(move |pair| pair.is_of(key)).map(|pair| &pair.value[..])
    }

    /// Gives a key one value, in place of those that it has.
    ///
    /// # Errors
    /// The key is not the user's to set. Nothing is changed then.
    pub fn insert(
        &mut self,
        key: impl Into<String>,
        value: impl Into<Bytes>,
    ) -> Result<(), MetadataError> {
        let key = key.into();
        key::check(&key)?;
        self.put(key, value);
        Ok(())
    }

    /// Adds a value to a key, behind those that it has.
    ///
    /// # Errors
    /// The key is not the user's to set. Nothing is changed then.
    pub fn append(
        &mut self,
        key: impl Into<String>,
        value: impl Into<Bytes>,
    ) -> Result<(), MetadataError> {
        let key = key.into();
        key::check(&key)?;
        self.pairs_mut().push(Pair { key, value: value.into() });
        Ok(())
    }

    /// Takes all pairs of `other`, in place of the values that its keys have here. Metadata of a
    /// peer is passed on with this: its keys are taken as they are.
    pub fn extend(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
        } else if !other.is_empty() {
            let mut others = other.into_pairs();
            let pairs = self.pairs_mut();
            if others.len() <= FEW {
                pairs.retain(|pair| !others.iter().any(|other| other.is_of(&pair.key)));
            } else {
                let keys: HashSet<_> =
                    others.iter().map(|other| other.key.to_ascii_lowercase()).collect();
                pairs.retain(|pair| !keys.contains(&pair.key.to_ascii_lowercase()));
            }
            pairs.append(&mut others);
        }
    }

    /// Removes a key with all its values, and gives the first of them.
    pub fn remove(&mut self, key: &str) -> Option<Bytes> {
        let pairs = &mut self.0.as_mut()?.0;
        let first = pairs.iter().position(|pair| pair.is_of(key))?;
        let value = pairs.remove(first).value;
        pairs.retain(|pair| !pair.is_of(key));
        Some(value)
    }

    /// The pairs, in the order in which they were added. A key that has several values stands in
    /// several pairs.
    pub fn iter(&self) -> MetadataIter<'_> {
        MetadataIter(self.pairs().iter())
    }

    /// How many pairs there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.pairs().len()
    }

    /// Tells whether there are no pairs.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.pairs().is_empty()
    }

    /// Gives a key one value, also one that users may not set.
    pub(crate) fn put(&mut self, key: impl Into<String>, value: impl Into<Bytes>) {
        let (key, value) = (key.into(), value.into());
        let pairs = self.pairs_mut();
        let Some(first) = pairs.iter().position(|pair| pair.is_of(&key)) else {
            return pairs.push(Pair { key, value });
        };
        let mut behind = first + 1;
        while behind < pairs.len() {
            if pairs[behind].is_of(&key) {
                pairs.remove(behind);
            } else {
                behind += 1;
            }
        }
        pairs[first] = Pair { key, value };
    }

    #[inline]
    pub(crate) fn from_pairs(pairs: Vec<Pair>) -> Self {
        if pairs.is_empty() { Self::new() } else { Self(Some(Box::new(Pairs(pairs)))) }
    }

    #[inline]
    pub(crate) fn into_pairs(mut self) -> Vec<Pair> {
        self.0.take().map_or_else(Vec::new, |pairs| pairs.0)
    }

    /// The bytes that the pairs take in memory.
    #[inline]
    pub(crate) fn cost(&self) -> usize {
        self.0.as_ref().map_or(0, |pairs| pairs.cost())
    }

    #[inline]
    fn pairs(&self) -> &[Pair] {
        self.0.as_ref().map_or(&[], |pairs| &pairs.0)
    }

    fn pairs_mut(&mut self) -> &mut Vec<Pair> {
        &mut self.0.get_or_insert_default().0
    }
}

/// Metadata is equal if it has equal pairs in the same order; keys are compared without case.
impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        let (mine, others) = (self.pairs(), other.pairs());
        mine.len() == others.len()
            && mine
                .iter()
                .zip(others)
                .all(|(mine, other)| mine.is_of(&other.key) && mine.value == other.value)
    }
}

impl Eq for Metadata {}

/// The pairs of [`Metadata`], in their order: made by [`Metadata::iter`].
#[derive(Clone, Debug)]
pub struct MetadataIter<'a>(std::slice::Iter<'a, Pair>);

impl<'a> Iterator for MetadataIter<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|pair| (&pair.key[..], &pair.value[..]))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for MetadataIter<'_> {}

impl<'a> IntoIterator for &'a Metadata {
    type Item = (&'a str, &'a [u8]);
    type IntoIter = MetadataIter<'a>;

    fn into_iter(self) -> MetadataIter<'a> {
        self.iter()
    }
}

impl<K: Into<String>, V: Into<Bytes>, const N: usize> TryFrom<[(K, V); N]> for Metadata {
    type Error = MetadataError;

    fn try_from(pairs: [(K, V); N]) -> Result<Self, MetadataError> {
        Self::try_from_iter(pairs)
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

    fn pairs(metadata: &Metadata) -> Vec<(&str, &[u8])> {
        metadata.iter().collect()
    }

    #[test]
    fn pairs_cost_what_they_take_in_memory() {
        assert_eq!(Metadata::new().cost(), 0);
        let empty = Metadata::from_pairs(vec![Pair::default(); 1_000]);
        assert!(empty.cost() > 80_000, "2 bytes each on the wire are {} in all", empty.cost());
        let one = Metadata::try_from([("a".repeat(1_000), vec![7; 2_000])]).unwrap();
        assert!((3_000..3_500).contains(&one.cost()), "{}", one.cost());
    }

    #[test]
    fn a_key_has_as_many_values_as_were_appended_and_one_that_was_inserted() {
        let mut metadata =
            Metadata::try_from([("a", "1"), ("b", "2"), ("A", "3"), ("a", "4")]).unwrap();
        assert_eq!((metadata.len(), metadata.get("a")), (4, Some(&b"1"[..])));
        assert_eq!(metadata.get_all("a").collect::<Vec<_>>(), [b"1", b"3", b"4"]);
        assert_eq!(metadata.get_all("c").count(), 0);
        metadata.insert("A", "5").unwrap();
        assert_eq!(pairs(&metadata), [("A", &b"5"[..]), ("b", b"2")], "in its first place");
        metadata.insert("c", "6").unwrap();
        assert_eq!(pairs(&metadata)[2], ("c", &b"6"[..]));
    }

    #[test]
    fn keys_are_compared_without_case_and_kept_as_they_were_spelled() {
        let metadata = Metadata::try_from([("Trace-Id", "7"), ("bytes", "\u{ff}")]).unwrap();
        assert_eq!(metadata.get_str("trace-ID"), Some("7"));
        assert_eq!(metadata.iter().next().unwrap().0, "Trace-Id");
        let lower = Metadata::try_from([("trace-id", "7"), ("BYTES", "\u{ff}")]).unwrap();
        assert_eq!(metadata, lower);
        assert_ne!(metadata, Metadata::try_from([("trace-id", "8"), ("BYTES", "\u{ff}")]).unwrap());
        assert_ne!(metadata, Metadata::try_from([("trace-id", "7")]).unwrap());
    }

    #[test]
    fn remove_takes_all_values_and_gives_the_first_one_back() {
        let mut metadata = Metadata::try_from([("a", "1"), ("b", "2"), ("A", "3")]).unwrap();
        assert_eq!(metadata.remove("a"), Some(Bytes::from_static(b"1")));
        assert_eq!(metadata.remove("a"), None);
        assert_eq!(pairs(&metadata), [("b", &b"2"[..])]);
    }

    #[test]
    fn extend_replaces_the_keys_of_the_other_and_takes_reserved_ones() {
        let mut metadata = Metadata::try_from([("a", "1"), ("b", "2")]).unwrap();
        let mut other = Metadata::try_from([("A", "3"), ("a", "4")]).unwrap();
        other.put("trpc-env", "5");
        metadata.extend(other);
        let all = [("b", &b"2"[..]), ("A", b"3"), ("a", b"4"), ("trpc-env", b"5")];
        assert_eq!(pairs(&metadata), all);
        metadata.extend(Metadata::new());
        assert_eq!(pairs(&metadata), all);
        let many = |value| (0..40).map(move |at| (format!("Key-{at}"), value));
        let mut large =
            Metadata::try_from_iter(many("old").chain([(String::from("b"), "2")])).unwrap();
        large.extend(Metadata::try_from_iter(many("new")).unwrap());
        large.extend(Metadata::try_from([("KEY-7", "newer")]).unwrap());
        assert_eq!((large.len(), large.get_str("b")), (41, Some("2")));
        assert_eq!((large.get_str("key-6"), large.get_str("key-7")), (Some("new"), Some("newer")));
        let mut empty = Metadata::new();
        empty.extend(Metadata::new());
        assert!(empty.is_empty() && empty.cost() == 0);
        empty.extend(metadata.clone());
        assert_eq!(empty, metadata);
    }

    #[test]
    fn a_loop_goes_over_the_pairs_in_their_order() {
        let metadata = Metadata::try_from([("b", "1"), ("a", "2"), ("b", "3")]).unwrap();
        let mut seen = Vec::new();
        for pair in &metadata {
            seen.push(pair);
        }
        assert_eq!(seen, [("b", &b"1"[..]), ("a", b"2"), ("b", b"3")]);
        assert_eq!((metadata.iter().len(), Metadata::new().iter().len()), (3, 0));
    }

    #[test]
    fn a_key_that_is_refused_changes_nothing() {
        let mut metadata = Metadata::try_from([("a", "1")]).unwrap();
        assert!(metadata.insert("trill-code", "1").is_err());
        assert!(metadata.append(":path", "1").is_err());
        assert_eq!(pairs(&metadata), [("a", &b"1"[..])]);
        let refused = Metadata::try_from_iter([("a", "1"), ("te", "trailers"), ("host", "h")]);
        assert_eq!(refused.unwrap_err().key(), "te");
    }
}
