//! The decoder on any bytes in any pieces.

use bytes::BytesMut;

use crate::framing::{Messages, Side};
use crate::wires::trpc::{Decoder, Frame, WireError};

use super::choices::Choices;

/// Decodes `input` whole, in pieces and byte by byte: alike, and what was understood survives being
/// written and read again.
///
/// The first byte chooses side and limit, the second the pieces; the rest is what a peer sends.
///
/// # Panics
/// When one of these promises does not hold.
pub fn decoder(input: &[u8]) {
    let mut choices = Choices::new(input);
    let flags = choices.byte();
    let side = if flags & 1 == 0 { Side::Server } else { Side::Client };
    let limit = if flags & 2 == 0 { 10 * 1024 * 1024 } else { 64 };
    let decoder = Decoder::new(side, limit);
    let pieces = choices.byte();
    let bytes = choices.bytes(usize::MAX);

    let whole = read(decoder, bytes, bytes.len().max(1), 0);
    assert_eq!(
        read(decoder, bytes, 1 + usize::from(pieces & 0x1f), usize::from(pieces >> 5)),
        whole
    );
    if bytes.len() <= 1024 {
        assert_eq!(read(decoder, bytes, 1, 0), whole);
    }
    for frame in &whole.0 {
        survives(side, frame);
    }
}

/// The input of [`decoder`] that reads `bytes` as a server or a client does.
#[must_use]
pub fn decoder_seed(client: bool, bytes: &[u8]) -> Vec<u8> {
    let mut seed = vec![u8::from(client), 0x46];
    seed.extend_from_slice(bytes);
    seed
}

/// The frames, the error, and how many bytes are left when `bytes` come in pieces of `size`, each
/// `grow` longer than the one before.
fn read(
    decoder: Decoder,
    mut bytes: &[u8],
    mut size: usize,
    grow: usize,
) -> (Vec<Frame>, Option<WireError>, usize) {
    let (mut frames, mut buf) = (Vec::new(), BytesMut::new());
    while !bytes.is_empty() {
        let piece;
        (piece, bytes) = bytes.split_at(size.min(bytes.len()));
        size += grow;
        let missing = decoder.missing(&buf);
        buf.extend_from_slice(piece);
        let mut early = piece.len() < missing;
        loop {
            match decoder.decode(&mut buf) {
                Ok(Some(_)) if early => {
                    panic!("a frame is there before its {missing} missing bytes")
                }
                Ok(Some(Frame::Data { id, messages })) => {
                    let (count, bytes) = (messages.count(), messages.bytes());
                    let singles = messages.singles();
                    assert_eq!(singles.len(), count);
                    assert_eq!(singles.iter().map(Messages::bytes).sum::<usize>(), bytes);
                    frames.extend(singles.into_iter().map(|messages| Frame::Data { id, messages }));
                }
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(
                        decoder.decode(&mut buf),
                        Err(error),
                        "the same fault, however often one asks"
                    );
                    // How much came behind the fault is a matter of the pieces.
                    return (frames, Some(error), 0);
                }
            }
            early = false;
        }
        assert!(decoder.missing(&buf) > 0, "a decoder that waits knows for how much");
    }
    (frames, None, buf.len())
}

/// A frame that was understood can be written, and is read as the same frame.
fn survives(side: Side, frame: &Frame) {
    let unwritten = match frame {
        Frame::BadUnary { .. } | Frame::BadStream { .. } => true,
        // A header of nothing but defaults takes no bytes, and a request must have one.
        Frame::Request { meta, .. } => *meta == Default::default(),
        _ => false,
    };
    if unwritten {
        return;
    }
    let written = match frame.rewrite() {
        Ok(written) => written,
        // Written as we write it, a header may be longer than it came.
        Err(WireError::HeaderTooLarge { .. }) => return,
        Err(error) => panic!("{frame:?} cannot be written: {error}"),
    };
    let mut buf = BytesMut::from(&written[..]);
    let again = Decoder::new(side, usize::MAX).decode(&mut buf);
    let Ok(Some(again)) = again else { panic!("{frame:?} was written and not read: {again:?}") };
    assert!(buf.is_empty());
    if let (Frame::Data { id, messages }, Frame::Data { id: its, messages: same }) = (frame, &again)
    {
        assert_eq!((id, messages.first()), (its, same.first()));
    } else {
        assert_eq!(frame, &again);
    }
    assert_eq!(again.rewrite(), Ok(written));
}
