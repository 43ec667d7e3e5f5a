//! Packs that unpack to what they say, to more than that, and what is no pack.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::*;

const BLOB: u8 = 3;

fn limits(object_bytes: u64, unpacked_bytes: u64) -> GitLimits {
    GitLimits {
        object_bytes,
        unpacked_bytes,
        ..GitLimits::default()
    }
}

fn number(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// An object of a pack that says this size.
fn object(kind: u8, said: u64, base: &[u8], content: &[u8]) -> Vec<u8> {
    let mut head = vec![kind << 4 | (said & 15) as u8];
    if said > 15 {
        head[0] |= 0x80;
        head.extend(number(said >> 4));
    }
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(content).unwrap();
    [&head, base, &zlib.finish().unwrap()].concat()
}

fn blob(content: &[u8]) -> Vec<u8> {
    object(BLOB, content.len() as u64, b"", content)
}

/// A delta from a base of this size to a result of this size.
fn delta(kind: u8, place: &[u8], base: u64, result: u64) -> Vec<u8> {
    let content = [number(base), number(result), vec![0x90, 1]].concat();
    object(kind, content.len() as u64, place, &content)
}

fn pack(objects: &[Vec<u8>]) -> Vec<u8> {
    let count = (objects.len() as u32).to_be_bytes();
    let head = [b"PACK".as_slice(), &2_u32.to_be_bytes(), &count].concat();
    [head, objects.concat(), vec![7; 20]].concat()
}

fn packet(content: &[u8]) -> Vec<u8> {
    [format!("{:04x}", content.len() + 4).as_bytes(), content].concat()
}

/// A response with a progress message, and the pack in packets of 100 bytes.
fn response(pack: &[u8]) -> Vec<u8> {
    let parts = pack.chunks(100).map(|part| packet(&[&[1], part].concat()));
    let text = [
        packet(b"shallow 1234\n"),
        b"0000".to_vec(),
        packet(b"NAK\n"),
        packet(b"\x02PACK 1%"),
    ];
    [
        text.concat(),
        parts.collect::<Vec<_>>().concat(),
        b"0000".to_vec(),
    ]
    .concat()
}

/// The bytes that the objects of a response unpack to, when it comes in pieces of this length.
fn unpacked(response: &[u8], piece: usize, limits: GitLimits) -> Result<u64> {
    let mut check = PackCheck::new(limits);
    response
        .chunks(piece)
        .try_for_each(|piece| check.take(piece))?;
    assert!(
        matches!(check.pack.step, PackStep::Ended),
        "it was read to its end"
    );
    Ok(check.pack.unpacked)
}

#[test]
fn every_object_is_counted_however_the_response_is_cut() {
    let objects = [
        blob(b""),
        blob(&vec![0; 100_000]),
        delta(OFFSET_DELTA, &[0x81, 0x05], 100_000, 5_000),
        delta(OBJECT_DELTA, &[9; 20], 100_000, 300),
        object(1, 3, b"", b"abc"),
    ];
    let pack = pack(&objects);
    for piece in [1, 3, 100, 1 << 20] {
        for response in [response(&pack), [packet(b"NAK\n"), pack.clone()].concat()] {
            let found = unpacked(&response, piece, GitLimits::default()).unwrap();
            assert_eq!(found, 105_303, "in pieces of {piece}");
        }
    }
}

#[test]
fn an_object_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() {
    let bomb = [packet(b"NAK\n"), pack(&[object(BLOB, 5 << 20, b"", b"")])].concat();
    let mut check = PackCheck::new(limits(4 << 20, u64::MAX));
    // Three bytes after the pack's header: the object says its size.
    let error = check.take(&bomb[..8 + PACK_HEAD + 4]).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(
        error
            .message()
            .contains("an object of 5 MiB, more than the 4 MiB that are taken"),
        "{error}"
    );
}

#[test]
fn deltas_count_by_what_they_make_and_by_what_they_are_made_of() {
    for (base, result, is_taken) in [(10, 1000, true), (10, 1001, false), (1001, 10, false)] {
        for (kind, place) in [(OFFSET_DELTA, vec![5]), (OBJECT_DELTA, vec![0; 20])] {
            let response = response(&pack(&[delta(kind, &place, base, result)]));
            let found = unpacked(&response, 7, limits(1000, u64::MAX));
            assert_eq!(found.is_ok(), is_taken, "{base} to {result}");
        }
    }
}

#[test]
fn many_objects_together_are_bounded_too() {
    let objects = vec![blob(&vec![0; 1000]); 11];
    let all = limits(1000, 10_000);
    assert_eq!(
        unpacked(&response(&pack(&objects[1..])), 50, all).unwrap(),
        10_000
    );
    let error = unpacked(&response(&pack(&objects)), 50, all).unwrap_err();
    assert!(error.message().contains("unpacks to more than"), "{error}");
}

#[test]
fn what_is_no_pack_is_refused() {
    let lies = object(BLOB, 10, b"", &[0; 5000]);
    let endless = object(BLOB, u64::MAX, b"", b"");
    let damaged = [&object(BLOB, 10, b"", b"")[..1], &[0xff; 30]].concat();
    for (response, kind) in [
        (response(&pack(&[lies])), Kind::Refused),
        (response(&pack(&[endless])), Kind::Refused),
        (response(&pack(&[damaged])), Kind::Corrupt),
        (response(b"not a pack at all"), Kind::Refused),
        (b"zzzz".to_vec(), Kind::Refused),
        (b"+123".to_vec(), Kind::Refused),
    ] {
        let error = unpacked(&response, 64, limits(1 << 20, 1 << 20)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}
