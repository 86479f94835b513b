//! The parts that a body may be made of, and the ends of its steps.

use std::io::Write;

use super::*;

const LIMIT: usize = 10 * 1024 * 1024;

/// A step and what it did, until the body is whole.
fn steps(
    compression: Compression,
    packed: &[u8],
    most: usize,
) -> Result<Vec<Progress>, UnpackError> {
    let mut unpacker = Unpacker::new(compression, Bytes::copy_from_slice(packed), LIMIT);
    let mut steps = Vec::new();
    loop {
        match unpacker.step(most)? {
            Progress::Whole => return Ok(steps),
            Progress::Large(size) => {
                steps.push(Progress::Large(size));
                return Ok(steps);
            }
            step => steps.push(step),
        }
    }
}

fn lz4_with(info: lz4_flex::frame::FrameInfo, pieces: &[&[u8]]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    for piece in pieces {
        encoder.write_all(piece).unwrap();
        encoder.flush().unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn every_kind_of_lz4_frame_unpacks() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameInfo};

    let text: Vec<_> = (0..30_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
    let noise: Vec<_> =
        (0..70_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let pieces: [&[u8]; 4] = [&text, b"", &noise, &text];
    let all = pieces.concat();
    for mode in [BlockMode::Independent, BlockMode::Linked] {
        for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB]
        {
            for sums in [false, true] {
                let said = sums.then_some(all.len() as u64);
                let info = FrameInfo::new().block_mode(mode).block_size(size).content_size(said);
                let info = info.block_checksums(sums).content_checksum(sums);
                let packed = lz4_with(info, &pieces);
                let twice = Bytes::from([&packed[..], &packed].concat());
                assert_eq!(Compression::Lz4.unpack(packed.clone().into(), LIMIT).unwrap(), all);
                assert_eq!(
                    Compression::Lz4.unpack(twice, LIMIT).unwrap(),
                    [&all[..], &all].concat()
                );
                if !sums {
                    continue;
                }
                // Each byte is under a checksum of the header, of a block, or of all.
                for at in (4..packed.len()).step_by(packed.len() / 12) {
                    let mut wrong = packed.clone();
                    wrong[at] ^= 1;
                    assert!(Compression::Lz4.unpack(wrong.into(), LIMIT).is_err(), "byte {at}");
                }
            }
        }
    }
}

#[test]
fn a_block_is_as_large_as_its_frame_allows_and_not_a_byte_larger() {
    let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
    let header = lz4_with(info, &[b"x"])[..7].to_vec();
    // Stored as it is.
    let frame = |size: u32| {
        let mut frame = header.clone();
        frame.extend((size | 0x8000_0000).to_le_bytes());
        frame.resize(frame.len() + size as usize, 7);
        frame.extend([0; 4]);
        Bytes::from(frame)
    };
    assert_eq!(Compression::Lz4.unpack(frame(65_536), LIMIT).unwrap(), [7; 65_536][..]);
    // A step that may give as much gives it, and says what it cost.
    let done = steps(Compression::Lz4, &frame(65_536), 65_536).unwrap();
    assert!(done.contains(&Progress::Worked(64 + 2 * 65_536)), "{done:?}");
    let stopped = steps(Compression::Lz4, &frame(65_536), 65_535).unwrap();
    assert_eq!(stopped.last(), Some(&Progress::Large(65_536)));
    for size in [65_537, 65_538] {
        let error = Compression::Lz4.unpack(frame(size), LIMIT).unwrap_err();
        assert!(error.to_string().contains("a block is larger"), "{error}");
    }
}

#[test]
fn a_body_keeps_no_more_than_a_quarter_beside_what_was_unpacked() {
    let finished = |capacity| {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.resize(400, 7);
        let plain = Unpacked { bytes, limit: LIMIT, says: 0 };
        Vec::from(Unpacker { decoder: Box::new(Empty), plain, whole: true }.finish()).capacity()
    };
    assert_eq!((finished(500), finished(501)), (500, 400));
}

#[test]
fn a_linked_frame_reaches_back_into_its_own_blocks_only() {
    use lz4_flex::frame::{BlockMode, FrameInfo};

    let linked = FrameInfo::new().block_mode(BlockMode::Linked);
    let first = lz4_with(linked, &[&[7; 1000]]);
    // A header, one block that repeats what was 1,000 bytes before it, and the end.
    let mut second = first[..7].to_vec();
    let block = [0x04, 0xe8, 0x03, 0x50, b'1', b'2', b'3', b'4', b'5'];
    second.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
    second.extend(block);
    second.extend([0; 4]);
    let error = Compression::Lz4.unpack([first, second].concat().into(), LIMIT).unwrap_err();
    assert!(matches!(error, UnpackError::Broken(_)), "{error}");
}

/// A peer that declares blocks of 4 MiB gets room for what it sent.
#[test]
fn room_is_made_for_what_is_there_not_for_what_is_allowed() {
    let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max4MB);
    let packed = lz4_with(info, &[b"0123456789"]);
    assert!(packed.len() < 30);
    let mut unpacker = Unpacker::new(Compression::Lz4, packed.into(), LIMIT);
    while unpacker.step(usize::MAX).unwrap() != Progress::Whole {}
    assert!(unpacker.plain.bytes.capacity() < 64, "{}", unpacker.plain.bytes.capacity());

    // Five bytes that say that they are 10 MiB.
    let packed = Bytes::from_static(&[0x80, 0x80, 0x80, 0x05, 0]);
    let mut unpacker = Unpacker::new(Compression::Snappy, packed, LIMIT);
    assert!(matches!(unpacker.step(usize::MAX), Err(UnpackError::Broken(_))));
    assert_eq!(unpacker.plain.bytes.capacity(), 0);
}

#[test]
fn no_step_is_longer_than_a_piece_whatever_a_body_is_made_of() {
    let empty = |compression: Compression| compression.compress(b"").repeat(5_000);
    // An empty block of deflate that is not the last: `00 00 00 ff ff`.
    let mut blocks = Compression::Zlib.compress(b"")[..2].to_vec();
    blocks.extend([0, 0, 0, 0xff, 0xff].repeat(200_000));
    blocks.extend([1, 0, 0, 0xff, 0xff, 0, 0, 0, 1]);
    let padding = [&SNAPPY[..], &[0xfe, 0, 0, 0].repeat(50_000)].concat();
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0].repeat(50_000);
    let zeros = vec![0; LIMIT / 8];
    for (compression, packed) in [
        (Compression::Gzip, empty(Compression::Gzip)),
        (Compression::Lz4, empty(Compression::Lz4)),
        (Compression::Zlib, blocks),
        (Compression::SnappyGo, padding),
        (Compression::Lz4, skippable),
        (Compression::Gzip, Compression::Gzip.compress(&zeros).to_vec()),
        (Compression::Zlib, Compression::Zlib.compress(&zeros).to_vec()),
        (Compression::SnappyGo, Compression::SnappyGo.compress(&zeros).to_vec()),
    ] {
        let steps = steps(compression, &packed, usize::MAX).unwrap();
        let work = |step: &Progress| match step {
            Progress::Worked(work) => *work,
            other => panic!("{other:?}"),
        };
        let most = steps.iter().map(work).max().unwrap();
        assert!(most <= PIECE + INPUT + BEGINNING, "{compression:?}: {most} in one step");
        assert!(steps.len() >= packed.len() / INPUT, "{compression:?}: {} steps", steps.len());
    }
}

const SNAPPY: [u8; 10] = *b"\xff\x06\x00\x00sNaPpY";

/// A block that comes in one piece says its size first.
#[test]
fn a_step_that_would_give_more_than_it_may_does_nothing() {
    let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max4MB);
    let plain = vec![7; 1_500_000];
    let lz4 = lz4_with(info, &[&plain]);
    for (compression, packed) in [
        (Compression::Snappy, Compression::Snappy.compress(&plain).to_vec()),
        (Compression::Lz4, lz4),
    ] {
        let steps = steps(compression, &packed, 1 << 20).unwrap();
        assert_eq!(steps.last(), Some(&Progress::Large(plain.len())), "{compression:?}");
        assert_eq!(Compression::unpack(compression, packed.into(), LIMIT).unwrap(), plain);
    }
    let packed = Compression::Gzip.compress(&plain);
    let steps = steps(Compression::Gzip, &packed, 1 << 20).unwrap();
    assert_eq!(steps.last(), Some(&Progress::Large(PIECE)));
}

/// A peer may send anything: some bytes of a whole body changed, or a part of it left out.
#[test]
fn what_is_no_body_is_an_error_or_stays_below_the_limit() {
    use lz4_flex::frame::{BlockMode, FrameInfo};

    let plain: Vec<_> = (0..3_000_u32).flat_map(|n| (n / 5 % 97).to_le_bytes()).collect();
    let codecs = [Compression::Gzip, Compression::Zlib, Compression::Snappy, Compression::SnappyGo];
    let mut bodies: Vec<_> = codecs.map(|codec| (codec, codec.compress(&plain).to_vec())).into();
    for mode in [BlockMode::Independent, BlockMode::Linked] {
        let frame = lz4_with(FrameInfo::new().block_mode(mode), &[&plain, b"", &plain]);
        bodies.push((Compression::Lz4, frame.repeat(2)));
    }
    let mut seed = 1_u64;
    let mut random = |below: usize| {
        // Knuth's constants for a linear congruential generator.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for (codec, body) in bodies {
        for _ in 0..300 {
            let mut changed = body.clone();
            for _ in 0..=random(3) {
                let at = random(changed.len());
                changed[at] = u8::try_from(random(256)).unwrap();
            }
            if random(2) == 0 {
                let (from, to) = (random(changed.len()), random(changed.len()));
                changed.drain(from.min(to)..from.max(to));
            }
            if let Ok(plain) = codec.unpack(changed.into(), 30_000) {
                assert!(plain.len() <= 30_000, "{codec:?}");
            }
        }
    }
}

/// The room that a gzip body of `plain` got, from 512 KiB on, each time that it got other room.
fn rooms(packed: Bytes) -> Vec<usize> {
    let mut unpacker = Unpacker::new(Compression::Gzip, packed, LIMIT);
    let mut rooms = Vec::new();
    while let Progress::Worked(_) = unpacker.step(usize::MAX).unwrap() {
        rooms.push(unpacker.memory());
    }
    rooms.dedup();
    rooms.retain(|room| *room > LARGE);
    rooms
}

#[test]
fn a_large_gzip_body_gets_the_room_that_it_says_it_takes_and_no_lie_gives_more_than_it_can_be() {
    let size = 5_000_000;
    let packed = Compression::Gzip.compress(&vec![7; size]);
    assert_eq!(rooms(packed.clone()), [size + LEAST]);
    // The size of the last of two members is not that of both.
    let two = [&packed[..], &Compression::Gzip.compress(&[7; 10])].concat();
    let rooms = rooms(two.into());
    assert!(rooms.len() > 2 && rooms.last().is_some_and(|room| *room >= size + 10), "{rooms:?}");

    let says = |size: u32| {
        let mut packed = Compression::Gzip.compress(&[7; 1_000]).to_vec();
        let end = packed.len() - 4;
        packed[end..].copy_from_slice(&size.to_le_bytes());
        deflate::size(&packed)
    };
    assert_eq!([says(1_000), says(u32::MAX)], [1_000, 0]);
}
