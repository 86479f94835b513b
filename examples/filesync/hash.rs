//! SHA-256 over files that may be larger than memory.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Feeds `hasher` the next `len` bytes of `input`, and calls `each` with the count of every piece.
///
/// # Errors
///
/// Those of `input` and of `each`; `UnexpectedEof` if there are fewer bytes.
pub(crate) fn absorb<E: From<io::Error>>(
    hasher: &mut Sha256,
    input: &mut impl Read,
    len: u64,
    mut each: impl FnMut(u64) -> Result<(), E>,
) -> Result<(), E> {
    let mut piece = vec![0; PIECE.min(usize::try_from(len).unwrap_or(PIECE))];
    let mut left = len;
    while left > 0 {
        let want = piece.len().min(usize::try_from(left).unwrap_or(PIECE));
        input.read_exact(&mut piece[..want])?;
        hasher.update(&piece[..want]);
        left -= want as u64;
        each(want as u64)?;
    }
    Ok(())
}

/// The hash as bytes; `hasher` may go on.
pub(crate) fn digest(hasher: &Sha256) -> Vec<u8> {
    hasher.clone().finalize().to_vec()
}

/// A name that any file system takes, made from any bytes.
pub(crate) fn name_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

const PIECE: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_hex_of_the_hash() {
        assert_eq!(
            name_of(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn absorbing_in_pieces_is_hashing_the_whole() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
        let (mut hasher, mut seen) = (Sha256::new(), 0);
        absorb(&mut hasher, &mut bytes.as_slice(), 300_000, |n| {
            seen += n;
            io::Result::Ok(())
        })
        .expect("there are enough bytes");
        assert_eq!((digest(&hasher), seen), (Sha256::digest(&bytes).to_vec(), 300_000));
    }

    #[test]
    fn too_few_bytes_are_an_error() {
        let result =
            absorb(&mut Sha256::new(), &mut [1, 2, 3].as_slice(), 4, |_| io::Result::Ok(()));
        assert_eq!(result.expect_err("one byte is missing").kind(), io::ErrorKind::UnexpectedEof);
    }
}
