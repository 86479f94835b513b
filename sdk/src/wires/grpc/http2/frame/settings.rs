//! SETTINGS (RFC 9113, 6.5).

use crate::framing::Side;

use super::error::FrameViolation;

/// The largest window that there is.
pub(crate) const MAX_WINDOW: u32 = (1 << 31) - 1;

pub(super) const MIN_MAX_FRAME_SIZE: u32 = 1 << 14;
pub(super) const MAX_MAX_FRAME_SIZE: u32 = (1 << 24) - 1;

/// The bytes of one setting.
const LEN: usize = 6;

/// The settings of one side, by which the other keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Http2Settings {
    /// The most that the other's encoder may make of its table.
    pub(crate) header_table_size: u32,
    pub(crate) enable_push: bool,
    /// The most streams of the other's that are open at once; `None` without a limit.
    pub(crate) max_concurrent_streams: Option<u32>,
    /// The window of a stream that begins.
    pub(crate) initial_window_size: u32,
    /// The most bytes of a payload.
    pub(crate) max_frame_size: u32,
    /// The most bytes of a header list; `None` without a limit.
    pub(crate) max_header_list_size: Option<u32>,
}

/// One setting. Those that are not known are passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Setting {
    HeaderTableSize(u32),
    EnablePush(bool),
    MaxConcurrentStreams(u32),
    InitialWindowSize(u32),
    MaxFrameSize(u32),
    MaxHeaderListSize(u32),
}

/// The settings of a frame, which are all within their limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SettingsPayload<'a>(&'a [[u8; LEN]]);

impl Default for Http2Settings {
    /// The settings of one who has sent none.
    fn default() -> Self {
        Self {
            header_table_size: 4096,
            enable_push: true,
            max_concurrent_streams: None,
            initial_window_size: 65_535,
            max_frame_size: MIN_MAX_FRAME_SIZE,
            max_header_list_size: None,
        }
    }
}

impl Http2Settings {
    /// Takes a setting. Those of a frame are taken in their order.
    pub(crate) fn apply(&mut self, setting: Setting) {
        match setting {
            Setting::HeaderTableSize(size) => self.header_table_size = size,
            Setting::EnablePush(is_enabled) => self.enable_push = is_enabled,
            Setting::MaxConcurrentStreams(count) => self.max_concurrent_streams = Some(count),
            Setting::InitialWindowSize(size) => self.initial_window_size = size,
            Setting::MaxFrameSize(size) => self.max_frame_size = size,
            Setting::MaxHeaderListSize(size) => self.max_header_list_size = Some(size),
        }
    }
}

impl Setting {
    pub(super) fn to_bytes(self) -> [u8; LEN] {
        let (id, value) = match self {
            Self::HeaderTableSize(size) => (1_u16, size),
            Self::EnablePush(is_enabled) => (2, is_enabled.into()),
            Self::MaxConcurrentStreams(count) => (3, count),
            Self::InitialWindowSize(size) => (4, size),
            Self::MaxFrameSize(size) => (5, size),
            Self::MaxHeaderListSize(size) => (6, size),
        };
        let ([i0, i1], [v0, v1, v2, v3]) = (id.to_be_bytes(), value.to_be_bytes());
        [i0, i1, v0, v1, v2, v3]
    }

    /// Reads a setting of the peer's, if it is known. `side` is this one.
    fn from_bytes(bytes: [u8; LEN], side: Side) -> Result<Option<Self>, FrameViolation> {
        let [i0, i1, v0, v1, v2, v3] = bytes;
        let value = u32::from_be_bytes([v0, v1, v2, v3]);
        Ok(Some(match u16::from_be_bytes([i0, i1]) {
            1 => Self::HeaderTableSize(value),
            2 if value == 0 || (value == 1 && side == Side::Server) => Self::EnablePush(value == 1),
            2 => return Err(FrameViolation::EnablePush { value }),
            3 => Self::MaxConcurrentStreams(value),
            4 if value <= MAX_WINDOW => Self::InitialWindowSize(value),
            4 => return Err(FrameViolation::InitialWindow { value }),
            5 if (MIN_MAX_FRAME_SIZE..=MAX_MAX_FRAME_SIZE).contains(&value) => {
                Self::MaxFrameSize(value)
            }
            5 => return Err(FrameViolation::MaxFrameSize { value }),
            6 => Self::MaxHeaderListSize(value),
            _ => return Ok(None),
        }))
    }
}

impl<'a> SettingsPayload<'a> {
    /// The settings of a payload, checked at this `side`; `None` if it ends inside one.
    pub(super) fn new(payload: &'a [u8], side: Side) -> Result<Option<Self>, FrameViolation> {
        let (settings, rest) = payload.as_chunks();
        for setting in settings {
            Setting::from_bytes(*setting, side)?;
        }
        Ok(rest.is_empty().then_some(Self(settings)))
    }

    /// Those that are known, in their order.
    pub(crate) fn iter(self) -> impl Iterator<Item = Setting> + 'a {
        // A server's rules allow more, and they were checked.
        let read = |setting: &[u8; LEN]| Setting::from_bytes(*setting, Side::Server);
        self.0.iter().filter_map(move |setting| read(setting).ok().flatten())
    }
}
