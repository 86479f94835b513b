//! The set of streams of a connection: open, look up, forget.

use hashbrown::HashMap;
use slab::Slab;

use crate::framing::StreamId;

use super::event::StreamKey;
use super::stream::Stream;

#[derive(Debug)]
pub(super) struct Streams {
    slab: Slab<Stream>,
    /// Streams that are not over. One that is over lives on in the slab until the application lets
    /// go of its key.
    live: HashMap<u32, usize>,
    first_id: u32,
    next_id: u32,
    /// The stream of the last frame: frames of one stream come in runs.
    last: Option<(StreamId, usize)>,
}

impl Streams {
    pub(super) fn new(first_id: u32) -> Self {
        Self { slab: Slab::new(), live: HashMap::new(), first_id, next_id: first_id, last: None }
    }

    /// An id for a new stream of ours. After the last they begin anew; one that is still in use is
    /// passed over.
    pub(super) fn next_id(&mut self, is_taken: impl Fn(StreamId) -> bool) -> StreamId {
        loop {
            // PROTOCOL 17
            let id = self.next_id;
            self.next_id = id.checked_add(1).unwrap_or(self.first_id);
            if !self.live.contains_key(&id) && !is_taken(StreamId(id)) {
                return StreamId(id);
            }
        }
    }

    pub(super) fn insert(&mut self, stream: Stream) -> StreamKey {
        let id = stream.id;
        if self.slab.len() == self.slab.capacity() {
            self.slab.reserve_exact(growth(self.slab.len()));
        }
        let key = self.slab.insert(stream);
        self.live.insert(id.0, key);
        StreamKey(key)
    }

    /// The live stream with this id.
    pub(super) fn find(&mut self, id: StreamId) -> Option<StreamKey> {
        if let Some((last, key)) = self.last
            && last == id
        {
            return Some(StreamKey(key));
        }
        let key = *self.live.get(&id.0)?;
        self.last = Some((id, key));
        Some(StreamKey(key))
    }

    pub(super) fn get(&self, key: StreamKey) -> &Stream {
        &self.slab[key.0]
    }

    pub(super) fn get_mut(&mut self, key: StreamKey) -> &mut Stream {
        &mut self.slab[key.0]
    }

    /// The stream is over: frames with its id find nothing from now on.
    pub(super) fn retire(&mut self, key: StreamKey) {
        let id = self.slab[key.0].id;
        self.live.remove(&id.0);
        self.last = None;
    }

    /// The application has let go of a stream that is over.
    pub(super) fn remove(&mut self, key: StreamKey) -> Stream {
        self.slab.remove(key.0)
    }

    /// A stream on which the peer takes frames, if there is one.
    pub(super) fn any_accepted(&self) -> Option<StreamId> {
        self.live
            .values()
            .map(|key| &self.slab[*key])
            .find(|stream| stream.accepted)
            .map(|stream| stream.id)
    }

    /// Tells whether a stream of ours was ever opened.
    pub(super) fn was_used(&self) -> bool {
        self.next_id != self.first_id
    }

    /// How many streams are not over.
    pub(super) fn live(&self) -> usize {
        self.live.len()
    }

    /// Tells whether there is such a stream.
    pub(super) fn is_any(&self, is_such: impl Fn(&Stream) -> bool) -> bool {
        self.slab.iter().any(|(_, stream)| is_such(stream))
    }

    /// All streams, those that are over and still held included.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (StreamKey, &mut Stream)> {
        self.slab.iter_mut().map(|(key, stream)| (StreamKey(key), stream))
    }

    /// The keys of all streams that are not over.
    pub(super) fn live_keys(&self) -> Vec<StreamKey> {
        let mut keys: Vec<_> = self.live.values().map(|key| StreamKey(*key)).collect();
        // Not in the order of the map, which differs from run to run: tests under a seed repeat
        // themselves.
        keys.sort_unstable();
        keys
    }

    /// All streams that exist.
    #[cfg(feature = "testing")]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.slab.iter().map(|(_, stream)| stream)
    }

    /// All streams, those that are over and still held included.
    #[cfg(any(test, feature = "__fuzz"))]
    pub(super) fn all(&self) -> impl Iterator<Item = &Stream> {
        self.slab.iter().map(|(_, stream)| stream)
    }

    /// How many streams exist, those that are over and still held included.
    pub(super) fn held(&self) -> usize {
        self.slab.len()
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

    const FIRST_ID: u32 = 100;

    #[test]
    fn an_id_is_passed_over_while_its_stream_is_not_over_and_while_it_is_taken_otherwise() {
        let mut streams = Streams::new(FIRST_ID);
        streams.live.insert(FIRST_ID, 0);
        assert_eq!(streams.next_id(|id| id == StreamId(FIRST_ID + 1)), StreamId(FIRST_ID + 2));
        streams.live.insert(FIRST_ID + 3, 0);
        assert_eq!(streams.next_id(|_| false), StreamId(FIRST_ID + 4));
    }

    #[test]
    fn ids_begin_anew_behind_those_that_are_reserved() {
        let mut streams = Streams::new(FIRST_ID);
        streams.next_id = u32::MAX;
        assert_eq!(streams.next_id(|_| false), StreamId(u32::MAX));
        assert_eq!(streams.next_id(|_| false), StreamId(FIRST_ID));
    }

    #[test]
    fn room_grows_by_an_eighth_and_not_by_one() {
        assert_eq!([0, 1, 128, 136, 8_000].map(growth), [16, 16, 16, 17, 1_000]);
    }
}
