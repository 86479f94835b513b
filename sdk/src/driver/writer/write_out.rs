//! A write of an outbox to the socket.

use std::io::{self, ErrorKind, IoSlice};

use crate::conn::Outbox;
use crate::transport::WriteEnd;

/// How many pieces one write to the socket takes at most: the ends of a large message, the message
/// itself, and that for some messages.
const SLICES: usize = 16;

/// Writes what is behind the first `from` bytes, until all is written or the socket takes no more.
/// Says how much it wrote.
pub(in crate::driver) fn write_out(
    output: &dyn WriteEnd,
    outbox: &Outbox,
    from: usize,
) -> (usize, io::Result<()>) {
    let mut written = from;
    while written < outbox.len() {
        let taken = match outbox.only_copied() {
            Some(bytes) => output.try_write(&bytes[written..]),
            None => write_pieces(output, outbox, written),
        };
        match taken {
            // A socket that takes nothing and says that all is well would be asked for ever.
            Ok(0) => return (written - from, Err(ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written - from, Err(error)),
        }
    }
    (written - from, Ok(()))
}

#[inline(never)]
fn write_pieces(output: &dyn WriteEnd, outbox: &Outbox, from: usize) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let count = outbox.slices(from, &mut slices);
    match &slices[..count] {
        [only] => output.try_write(only),
        several => output.try_write_vectored(several),
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use bytes::Bytes;

    use crate::sync::Mutex;

    use super::*;

    /// Takes so many bytes at once, and has no room every second time.
    struct Sips {
        most: usize,
        full: Mutex<bool>,
        got: Mutex<Vec<u8>>,
    }

    impl WriteEnd for Sips {
        fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
            self.try_write_vectored(&[IoSlice::new(bytes)])
        }

        fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            let full = std::mem::replace(&mut *self.full.lock(), false);
            if full {
                return Err(ErrorKind::WouldBlock.into());
            }
            *self.full.lock() = true;
            assert!(!pieces[0].is_empty());
            let taken: Vec<u8> =
                pieces.iter().flat_map(|piece| piece.iter().copied()).take(self.most).collect();
            self.got.lock().extend_from_slice(&taken);
            Ok(taken.len())
        }

        fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            unreachable!("nobody waits here")
        }

        fn finish(&self) {}
    }

    #[test]
    fn a_write_that_stops_anywhere_goes_on_there() {
        let mut outbox = Outbox::default();
        for turn in 0..20_u8 {
            outbox.copied().extend_from_slice(&[turn; 3][..usize::from(turn % 4)]);
            outbox.append_by_ref(Bytes::from(vec![100 + turn; 2]));
        }
        let all = outbox.to_vec();
        for most in 1..=all.len() {
            let sips = Sips { most, full: Mutex::new(false), got: Mutex::new(Vec::new()) };
            let (mut written, mut stops) = (0, 0);
            while written < all.len() {
                let (count, result) = write_out(&sips, &outbox, written);
                written += count;
                stops += 1;
                let stopped = result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
                assert_eq!(stopped, written < all.len() || count == 0);
            }
            assert_eq!(*sips.got.lock(), all, "{most} at once");
            assert!(stops >= all.len().div_ceil(most));
        }
    }
}
