//! The set of streams of a connection: open, look up, forget.

use hashbrown::HashMap;

use crate::framing::StreamId;

use super::event::StreamKey;
use super::ids::Ids;
use super::stream::Stream;
use super::table::Table;

#[derive(Debug)]
pub(super) struct Streams {
    table: Table<Stream>,
    /// Streams that are not over. One that is over lives on in the table until the application lets
    /// go of its key.
    live: HashMap<u64, StreamKey>,
    ids: Ids,
    /// The stream of the last frame: frames of one stream come in runs.
    last: Option<(StreamId, StreamKey)>,
}

impl Streams {
    pub(super) fn new(ids: Ids) -> Self {
        Self { table: Table::new(), live: HashMap::new(), ids, last: None }
    }

    /// The ids of another wire, before one was given out.
    pub(super) fn set_ids(&mut self, ids: Ids) {
        self.ids = ids;
    }

    /// An id for a new stream of ours, if there is one.
    pub(super) fn next_id(&mut self, is_taken: impl Fn(StreamId) -> bool) -> Option<StreamId> {
        // PROTOCOL 17
        let live = &self.live;
        self.ids.next(|id| live.contains_key(&id) || is_taken(StreamId(id))).map(StreamId)
    }

    #[inline(always)]
    pub(super) fn insert(&mut self, stream: Stream) -> StreamKey {
        let id = stream.id;
        self.table.grow(growth);
        let key = StreamKey(self.table.insert(stream));
        self.live.insert(id.0, key);
        key
    }

    /// The live stream with this id.
    pub(super) fn find(&mut self, id: StreamId) -> Option<StreamKey> {
        if let Some((last, key)) = self.last
            && last == id
        {
            return Some(key);
        }
        let key = *self.live.get(&id.0)?;
        self.last = Some((id, key));
        Some(key)
    }

    pub(super) fn contains(&self, key: StreamKey) -> bool {
        self.table.contains(key.0)
    }

    pub(super) fn get(&self, key: StreamKey) -> &Stream {
        self.table.get(key.0)
    }

    pub(super) fn get_mut(&mut self, key: StreamKey) -> &mut Stream {
        self.table.get_mut(key.0)
    }

    /// The stream is over: frames with its id find nothing from now on.
    pub(super) fn retire(&mut self, key: StreamKey) {
        let id = self.table.get(key.0).id;
        self.live.remove(&id.0);
        self.last = None;
    }

    /// The application has let go of a stream that is over.
    pub(super) fn remove(&mut self, key: StreamKey) -> Stream {
        self.table.remove(key.0)
    }

    /// A stream on which the peer takes frames, if there is one.
    pub(super) fn any_accepted(&self) -> Option<StreamId> {
        self.live
            .values()
            .map(|key| self.table.get(key.0))
            .find(|stream| stream.accepted)
            .map(|stream| stream.id)
    }

    /// Tells whether a stream of ours was ever opened.
    pub(super) fn was_used(&self) -> bool {
        self.ids.was_used()
    }

    /// How many streams are not over.
    pub(super) fn live(&self) -> usize {
        self.live.len()
    }

    /// Tells whether there is such a stream.
    pub(super) fn is_any(&self, is_such: impl Fn(&Stream) -> bool) -> bool {
        self.table.iter().any(|(_, stream)| is_such(stream))
    }

    /// All streams, those that are over and still held included.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (StreamKey, &mut Stream)> {
        self.table.iter_mut().map(|(key, stream)| (StreamKey(key), stream))
    }

    /// The keys of all streams that are not over.
    pub(super) fn live_keys(&self) -> Vec<StreamKey> {
        let mut keys: Vec<_> = self.live.values().copied().collect();
        // Not in the order of the map, which differs from run to run: tests under a seed repeat
        // themselves.
        keys.sort_unstable();
        keys
    }

    /// All streams that exist.
    #[cfg(feature = "testing")]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.table.iter().map(|(_, stream)| stream)
    }

    /// All streams, those that are over and still held included.
    #[cfg(any(test, feature = "__fuzz"))]
    pub(super) fn all(&self) -> impl Iterator<Item = &Stream> {
        self.table.iter().map(|(_, stream)| stream)
    }

    /// How many streams exist, those that are over and still held included.
    pub(super) fn held(&self) -> usize {
        self.table.len()
    }
}

/// How much room is added for more streams: an eighth of what there is, as idle streams should cost
/// little. Twice as much would be a quarter unused on average.
pub(crate) fn growth(len: usize) -> usize {
    (len / 8).max(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_grows_by_an_eighth_and_not_by_one() {
        assert_eq!([0, 1, 128, 136, 8_000].map(growth), [16, 16, 16, 17, 1_000]);
    }
}
