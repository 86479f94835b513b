//! Frames that were read, written again, for tests and fuzz targets.

use super::decode::Http2Frame;
use super::encode;

impl Http2Frame<'_> {
    /// The frame as this side would write it; `None` of those that it never writes.
    pub(crate) fn rewrite(&self, max_frame_size: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let out = &mut bytes;
        match *self {
            Self::Data { stream, data, end_stream, .. } => {
                encode::data(out, stream, data, end_stream, max_frame_size);
            }
            Self::Headers { stream, block, end_stream, .. } => {
                encode::headers(out, stream, end_stream, max_frame_size, |out| {
                    out.extend_from_slice(block);
                });
            }
            Self::RstStream { stream, code } => encode::rst_stream(out, stream, code),
            Self::Settings(payload) => {
                encode::settings(out, &payload.iter().collect::<Vec<_>>());
            }
            Self::SettingsAck => encode::settings_ack(out),
            Self::Ping { payload } => encode::ping(out, false, payload),
            Self::PingAck { payload } => encode::ping(out, true, payload),
            Self::GoAway { last_stream, code, text } => {
                encode::goaway(out, last_stream, code, std::str::from_utf8(text).ok()?);
            }
            Self::WindowUpdate { stream, increment } => {
                encode::window_update(out, stream, increment);
            }
            Self::Priority { .. }
            | Self::Continuation { .. }
            | Self::Faulty { .. }
            | Self::Unknown { .. } => return None,
        }
        Some(bytes)
    }
}
