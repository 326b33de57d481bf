//! The export file: what is written is read back, and nothing else is.

use pitpet_chain::codec::{Bytes, encode};
use pitpet_chain::hash::{RulesHash, sha256};
use pitpet_pipeline::export_file::{
    ExportReader, ExportWriter, MAGIC, Module, Opening, ReadError, WriteError, check,
};
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::query::Segment;
use pitpet_pipeline::verify::{Terms, Verdict, Verifier};

use crate::ledger::{Builder, RULES};

/// Verifies a file as the command line does, in one pass; none if it is refused.
fn verdict(file: &[u8]) -> Option<Verdict> {
    let mut reader = ExportReader::open(file).ok()?;
    let opening = reader.opening().clone();
    let mut verifier = Verifier::begin(&NativeHost, &opening, Terms::new(vec![RULES])).ok()?;
    while let Some(segment) = reader.next_segment().ok()? {
        verifier.segment(&segment).ok()?;
    }
    verifier.finish().ok()
}

/// The payloads of a file's frames with their kinds, by the format's definition.
fn frames(file: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = &file[MAGIC.len()..];
    let mut frames = Vec::new();
    while let [kind, a, b, c, d, after @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        frames.push((*kind, after[..length].to_vec()));
        rest = &after[length + 32..];
    }
    frames
}

/// A file of these frames with all digests right: a second writer, made from the format's definition.
fn joined(frames: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    let mut chain = sha256(MAGIC);
    for (kind, payload) in frames {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let frame = [&[*kind][..], &length, payload].concat();
        chain = sha256(&[&chain[..], &frame].concat());
        file.extend(frame);
        file.extend(chain);
    }
    file
}

#[test]
fn what_is_written_is_read_back() {
    let ledger = Builder::village(1);
    let file = ledger.file();
    let mut reader = ExportReader::open(&*file).unwrap();
    assert_eq!(*reader.opening(), ledger.opening());
    let mut segments = Vec::new();
    while let Some(segment) = reader.next_segment().unwrap() {
        segments.push(segment);
    }
    assert_eq!(segments, ledger.segments());
    assert!(reader.next_segment().unwrap().is_none());
    assert_eq!(joined(&frames(&file)), file);
    assert_eq!(verdict(&file).unwrap().blocks, ledger.blocks.len() as u64);
}

#[test]
fn any_changed_byte_is_refused_by_the_digests_alone_and_by_one_pass() {
    let wasm = b"a tiny module".to_vec();
    let module = Module { rules: RulesHash(sha256(&wasm)), wasm: Bytes(wasm) };
    let mut frames = frames(&Builder::village(1).file());
    frames.insert(1, (4, encode(&module)));
    let mut file = joined(&frames);
    assert_eq!(check(&*file).unwrap().1, [module]);
    assert!(verdict(&file).is_some());
    for at in 0..file.len() {
        for flip in [0x01, 0x80, 0xff] {
            file[at] ^= flip;
            assert!(check(&*file).is_err(), "byte {at} ^ {flip:#x}");
            file[at] ^= flip;
        }
        file[at] ^= 0x01;
        assert!(verdict(&file).is_none(), "byte {at}");
        file[at] ^= 0x01;
    }
    check(&*file).unwrap();
}

#[test]
fn every_cut_and_every_appended_byte_is_refused() {
    let mut file = Builder::village(1).file();
    for length in 0..file.len() {
        let cut = check(&file[..length]);
        match length {
            0..16 => assert!(matches!(cut, Err(ReadError::NotAnExport))),
            _ => assert!(matches!(cut, Err(ReadError::Cut { .. })), "{length}: {cut:?}"),
        }
        assert!(verdict(&file[..length]).is_none());
    }
    for byte in [0, 1, 2, 3, 255] {
        file.push(byte);
        assert!(matches!(check(&*file), Err(ReadError::Trailing { .. })));
        file.pop();
    }
    let twice = [&*file, &*file].concat();
    assert!(matches!(check(&*twice), Err(ReadError::Trailing { .. })));
}

#[test]
fn frames_moved_about_are_refused_with_or_without_new_digests() {
    let file = Builder::village(1).file();
    let honest = frames(&file);
    let grafted = frames(&Builder::village(2).file());
    assert_eq!(honest.len(), 5, "opening, three segments, closing");
    let mut forgeries = Vec::new();
    for a in 0..honest.len() {
        let mut dropped = honest.clone();
        dropped.remove(a);
        forgeries.push(dropped);
        let mut doubled = honest.clone();
        doubled.insert(a, honest[a].clone());
        forgeries.push(doubled);
        for b in a + 1..honest.len() {
            let mut swapped = honest.clone();
            swapped.swap(a, b);
            forgeries.push(swapped);
        }
        // The closing frames of two ledgers of the same length are the same.
        if honest[a] != grafted[a] {
            let mut other = honest.clone();
            other[a] = grafted[a].clone();
            forgeries.push(other);
        }
        for kind in [0, 1, 2, 3, 4, 255] {
            let mut other = honest.clone();
            if other[a].0 != kind {
                other[a].0 = kind;
                forgeries.push(other);
            }
        }
    }
    for forged in &forgeries {
        assert!(verdict(&joined(forged)).is_none(), "with digests made anew");
    }
    // The frames as they stand in the file, digests and all, in another order.
    let cut = |frames: &[(u8, Vec<u8>)], at: usize| -> usize {
        MAGIC.len() + frames[..at].iter().map(|(_, payload)| payload.len() + 37).sum::<usize>()
    };
    let raw: Vec<&[u8]> = (0..5).map(|at| &file[cut(&honest, at)..cut(&honest, at + 1)]).collect();
    for order in [&[0, 2, 1, 3, 4][..], &[0, 1, 2, 4], &[0, 1, 1, 2, 3, 4], &[0, 1, 2, 3], &[1, 2, 3, 4]] {
        let mut moved = MAGIC.to_vec();
        order.iter().for_each(|at| moved.extend(raw[*at]));
        assert!(check(&*moved).is_err(), "{order:?}");
    }
}

#[test]
fn no_length_and_no_count_is_believed() {
    let mut file = Builder::village(1).file();
    let length_at = MAGIC.len() + 1;
    file[length_at..length_at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(matches!(check(&*file), Err(ReadError::Damaged { offset: 16 })));
    let honest = frames(&Builder::village(1).file());
    // Arrays that claim 2^64 - 1 elements, nesting, nothing at all.
    for payload in [[&[0x83, 1, 0][..], &[0x9b], &[0xff; 8]].concat(), vec![0x81; 10_000], vec![]] {
        for at in 0..honest.len() {
            let mut forged = honest.clone();
            if payload.len() <= 32 || forged[at].0 != 3 {
                forged[at].1 = payload.clone();
                assert!(matches!(check(&*joined(&forged)), Err(ReadError::Malformed { .. })));
            }
        }
    }
    let opening = Opening { height: u64::MAX, ..Builder::village(1).opening() };
    let mut forged = honest;
    forged[0].1 = encode(&opening);
    assert!(matches!(check(&*joined(&forged)), Err(ReadError::Malformed { .. })));
}

#[test]
fn a_writer_takes_blocks_in_order_and_all_of_them() {
    let ledger = Builder::village(1);
    let segments = ledger.segments();
    let mut writer = ExportWriter::begin(Vec::new(), &ledger.opening()).unwrap();
    let refused = |result: Result<(), WriteError>| matches!(result, Err(WriteError::OutOfOrder { .. }));
    assert!(refused(writer.segment(&segments[1])));
    assert!(refused(writer.segment(&Segment { entries: vec![], ..segments[0].clone() })));
    writer.segment(&segments[0]).unwrap();
    assert_eq!(writer.next_height(), 2);
    assert!(refused(writer.segment(&segments[0])));
    let mut long = segments[1].clone();
    long.entries.extend(segments[0].entries.clone());
    long.entries.extend(segments[0].entries.clone());
    assert!(refused(writer.segment(&long)));
    assert!(matches!(writer.finish(), Err(WriteError::OutOfOrder { expected: 2, height: 4, .. })));
}
