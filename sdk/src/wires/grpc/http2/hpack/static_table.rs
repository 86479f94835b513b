//! The table that every connection has (RFC 7541, appendix A).

/// How many entries it has. The first one is number 1.
pub(super) const LEN: usize = 61;

/// An entry in it for a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Match {
    /// This entry is the field.
    Field(usize),
    /// This entry has the name.
    Name(usize),
    None,
}

impl Match {
    /// The entry that has the name.
    pub(super) fn name(self) -> Option<usize> {
        match self {
            Self::Field(index) | Self::Name(index) => Some(index),
            Self::None => None,
        }
    }
}

/// The name and the value of entry `index`.
#[inline]
pub(super) fn get(index: usize) -> Option<(&'static [u8], &'static [u8])> {
    let (name, value) = ENTRIES.get(index.checked_sub(1)?)?;
    Some((name.as_bytes(), value.as_bytes()))
}

/// The best entry for a field.
pub(super) fn find(name: &[u8], value: &[u8]) -> Match {
    let Some(places) = BY_LEN.of(name.len()) else { return Match::None };
    let mut found = Match::None;
    for place in places {
        let (entry_name, entry_value) = ENTRIES[usize::from(*place)];
        if entry_name.as_bytes() != name {
            continue;
        }
        if entry_value.as_bytes() == value {
            return Match::Field(usize::from(*place) + 1);
        }
        if found == Match::None {
            found = Match::Name(usize::from(*place) + 1);
        }
    }
    found
}

/// The places of the entries in the order of their names' lengths, so that few names are compared.
struct ByLen {
    places: [u8; LEN],
    /// For each length the number of entries with shorter names.
    before: [u8; LONGEST + 2],
}

/// The most bytes of a name.
const LONGEST: usize = 27;

static BY_LEN: ByLen = ByLen::new();

impl ByLen {
    const fn new() -> Self {
        let mut made = Self { places: [0; LEN], before: [0; LONGEST + 2] };
        let (mut len, mut count) = (0, 0);
        while len <= LONGEST {
            made.before[len] = count;
            let mut place = 0;
            while place < LEN {
                if ENTRIES[place].0.len() == len {
                    made.places[count as usize] = place as u8;
                    count += 1;
                }
                place += 1;
            }
            len += 1;
        }
        made.before[len] = count;
        assert!(count as usize == LEN, "no name is longer");
        made
    }

    #[inline]
    fn of(&self, len: usize) -> Option<&[u8]> {
        let (from, to) = (self.before.get(len)?, self.before.get(len + 1)?);
        Some(&self.places[usize::from(*from)..usize::from(*to)])
    }
}

const ENTRIES: [(&str, &str); LEN] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];
