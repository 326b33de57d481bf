//! Vectors that others stand by: Wycheproof's Ed25519, RFC 8949's examples, the trees of RFC 6962
//! and RFC 9162. Where they come from, and their licences, is in `testvectors/README.md`.

use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use pitpet_chain::codec::{Bytes, Canonical, decode, encode};
use pitpet_chain::event::verify_signature;
use pitpet_chain::hash::{Digest32, PublicKey, sha256};
use pitpet_chain::log::{self, Frontier};
use pitpet_chain::record;
use tlog_tiles::tlog::{self, Hash, HashReader, check_tree, prove_tree, stored_hashes};
use wycheproof::{TestResult, eddsa};

fn digest(hexadecimal: &str) -> Digest32 {
    bytes(hexadecimal).try_into().expect("32 bytes")
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// All 151 of Wycheproof's Ed25519 cases; strict verification deviates from none of them.
#[test]
fn wycheproof_ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups {
        let key = PublicKey(group.key.pk.as_slice().try_into().expect("a key has 32 bytes"));
        for test in group.tests {
            let accepted = match <&[u8; 64]>::try_from(test.sig.as_slice()) {
                Ok(signature) => verify_signature(&key, &test.msg, signature),
                // The codec refuses a signature of any other length before it is looked at.
                Err(_) => decode::<[u8; 64]>(&encode(&Bytes(test.sig.to_vec()))).is_ok(),
            };
            let wanted = match test.result {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => panic!("case {}: nothing is left to taste", test.tc_id),
            };
            assert_eq!(accepted, wanted, "case {}: {} {:?}", test.tc_id, test.comment, test.flags);
            if wanted { valid += 1 } else { invalid += 1 }
        }
    }
    assert_eq!((valid, invalid), (88, 63));
}

/// What strict verification refuses beyond RFC 8032: a key of small order, under which one
/// signature is good for any message.
#[test]
fn a_key_of_small_order_signs_nothing() {
    // The neutral element, and a signature with R the neutral element and S = 0.
    let key = digest("0100000000000000000000000000000000000000000000000000000000000000");
    let mut signature = [0; 64];
    signature[0] = 1;
    for message in [&b"anything"[..], b"anything else"] {
        let lenient = VerifyingKey::from_bytes(&key).unwrap();
        assert!(lenient.verify(message, &Signature::from_bytes(&signature)).is_ok());
        assert!(!verify_signature(&PublicKey(key), message, &signature));
    }
}

record! {
    /// `[1, [2, 3], [4, 5]]`.
    pub struct Nested {
        /// 1
        pub one: u64,
        /// 2 and 3
        pub two: Vec<u64>,
        /// 4 and 5
        pub three: Vec<u64>,
    }
}

#[track_caller]
fn accepted<T: Canonical + PartialEq + std::fmt::Debug>(hexadecimal: &str, value: T) {
    let bytes = bytes(hexadecimal);
    assert_eq!(encode(&value), bytes, "{hexadecimal}");
    assert_eq!(decode::<T>(&bytes), Ok(value), "{hexadecimal}");
}

/// Whether any type of the codec takes the bytes.
fn is_taken(bytes: &[u8]) -> bool {
    decode::<u8>(bytes).is_ok()
        || decode::<u16>(bytes).is_ok()
        || decode::<u32>(bytes).is_ok()
        || decode::<u64>(bytes).is_ok()
        || decode::<bool>(bytes).is_ok()
        || decode::<Option<bool>>(bytes).is_ok()
        || decode::<[u8; 4]>(bytes).is_ok()
        || decode::<Bytes>(bytes).is_ok()
        || decode::<String>(bytes).is_ok()
        || decode::<Vec<u64>>(bytes).is_ok()
        || decode::<Vec<String>>(bytes).is_ok()
        || decode::<(u64, u64)>(bytes).is_ok()
        || decode::<(String, Vec<u64>)>(bytes).is_ok()
        || decode::<Nested>(bytes).is_ok()
}

/// RFC 8949 appendix A, all of it: taken and given back as it is, or refused as outside of the form.
#[test]
fn rfc_8949_examples() {
    for (hexadecimal, value) in [
        ("00", 0),
        ("01", 1),
        ("0a", 10),
        ("17", 23),
        ("1818", 24),
        ("1819", 25),
        ("1864", 100),
        ("1903e8", 1000),
        ("1a000f4240", 1_000_000),
        ("1b000000e8d4a51000", 1_000_000_000_000),
        ("1bffffffffffffffff", u64::MAX),
    ] {
        accepted(hexadecimal, value);
    }
    accepted("f4", false);
    accepted("f5", true);
    accepted("f6", None::<u64>);
    accepted("40", Bytes(Vec::new()));
    accepted("4401020304", Bytes(vec![1, 2, 3, 4]));
    accepted("4401020304", [1_u8, 2, 3, 4]);
    for (hexadecimal, text) in [
        ("60", ""),
        ("6161", "a"),
        ("6449455446", "IETF"),
        ("62225c", "\"\\"),
        ("62c3bc", "\u{fc}"),
        ("63e6b0b4", "\u{6c34}"),
        ("64f0908591", "\u{10151}"),
    ] {
        accepted(hexadecimal, text.to_owned());
    }
    accepted("80", Vec::<u64>::new());
    accepted("83010203", vec![1_u64, 2, 3]);
    accepted("8301820203820405", Nested { one: 1, two: vec![2, 3], three: vec![4, 5] });
    let count: Vec<u64> = (1..=25).collect();
    accepted("98190102030405060708090a0b0c0d0e0f101112131415161718181819", count);

    let refused: [(&str, &[&str]); 10] = [
        ("bignums", &["c249010000000000000000", "c349010000000000000000"]),
        ("negative integers", &["20", "29", "3863", "3903e7", "3bffffffffffffffff"]),
        (
            "floats",
            &[
                "f90000",
                "f98000",
                "f93c00",
                "fb3ff199999999999a",
                "f93e00",
                "f97bff",
                "fa47c35000",
                "fa7f7fffff",
                "fb7e37e43c8800759c",
                "f90001",
                "f90400",
                "f9c400",
                "fbc010666666666666",
                "f97c00",
                "f97e00",
                "f9fc00",
                "fa7f800000",
                "fa7fc00000",
                "faff800000",
                "fb7ff0000000000000",
                "fb7ff8000000000000",
                "fbfff0000000000000",
            ],
        ),
        ("undefined and simple values", &["f7", "f0", "f8ff"]),
        (
            "tags",
            &[
                "c074323031332d30332d32315432303a30343a30305a",
                "c11a514b67b0",
                "c1fb41d452d9ec200000",
                "d74401020304",
                "d818456449455446",
                "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
            ],
        ),
        (
            "maps",
            &[
                "a0",
                "a201020304",
                "a26161016162820203",
                "826161a161626163",
                "a56161614161626142616361436164614461656145",
            ],
        ),
        (
            "indefinite lengths",
            &[
                "5f42010243030405ff",
                "7f657374726561646d696e67ff",
                "9fff",
                "9f018202039f0405ffff",
                "9f01820203820405ff",
                "83018202039f0405ff",
                "83019f0203ff820405",
                "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
                "bf61610161629f0203ffff",
                "826161bf61626163ff",
                "bf6346756ef563416d7421ff",
            ],
        ),
        // Not of the appendix: what the shortest form leaves out.
        (
            "longer forms",
            &[
                "1800",
                "1817",
                "190018",
                "1a00000018",
                "1b0000000000000018",
                "5801ff",
                "780161",
                "980101",
                "f818",
            ],
        ),
        ("cut or followed by more", &["", "18", "1b00000000000000", "0000", "44010203", "6261", "8301"]),
        ("text that is not UTF-8", &["61ff", "62c328", "63eda080"]),
    ];
    for (what, inputs) in refused {
        for input in inputs {
            assert!(!is_taken(&bytes(input)), "{what}: {input}");
        }
    }
}

/// The leaves that certificate-transparency's implementations test with.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

/// The roots of the trees of their first 0 to 8.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn rfc_6962_roots() {
    let leaves: Vec<Digest32> = LEAVES.iter().map(|leaf| log::leaf(&bytes(leaf))).collect();
    let mut frontier = Frontier::default();
    for (size, root) in ROOTS.iter().enumerate() {
        assert_eq!(log::root(&leaves[..size]), digest(root), "{size} leaves");
        assert_eq!(frontier.root(), digest(root), "{size} leaves, grown");
        if let Some(leaf) = leaves.get(size) {
            frontier.append(*leaf);
        }
    }
}

/// Leaf (from 0), size, path.
const PATHS: [(u64, u64, &[&str]); 5] = [
    (0, 1, &[]),
    (
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        &[
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

#[test]
fn rfc_9162_inclusion() {
    let leaves: Vec<Digest32> = LEAVES.iter().map(|leaf| log::leaf(&bytes(leaf))).collect();
    for (index, size, path) in PATHS {
        let (at, count) = (usize::try_from(index).unwrap(), usize::try_from(size).unwrap());
        let path: Vec<Digest32> = path.iter().map(|hash| digest(hash)).collect();
        assert_eq!(log::path(&leaves[..count], at), path, "{index} of {size}");
        let root = digest(ROOTS[count]);
        assert!(log::includes(&root, size, index, &leaves[at], &path));
        for (index, size) in [(index + 1, size), (index, 0), (index ^ 2, size), (size, size)] {
            assert!(!log::includes(&root, size, index, &leaves[at], &path), "{index} of {size}");
        }
    }
}

struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

/// Consistency is the library's part: sizes before and after, and the proof.
#[test]
fn rfc_9162_consistency() {
    let mut stored = Stored(Vec::new());
    for (n, leaf) in (0..).zip(LEAVES) {
        let added = stored_hashes(n, &bytes(leaf), &stored).unwrap();
        stored.0.extend(added);
    }
    let proofs: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    let root = |size: u64| Hash(digest(ROOTS[usize::try_from(size).unwrap()]));
    for (before, after, path) in proofs {
        let path: Vec<Hash> = path.iter().map(|hash| Hash(digest(hash))).collect();
        assert_eq!(prove_tree(after, before, &stored).unwrap(), path, "{before} to {after}");
        check_tree(&path, after, root(after), before, root(before)).unwrap();
        assert!(check_tree(&path, after, root(after), before, Hash(sha256(b"another"))).is_err());
    }
}

/// Around each power of two the path's length changes: every leaf, under its root and no other.
#[test]
fn trees_around_powers_of_two() {
    let leaves: Vec<Digest32> = (0..129_u64).map(|n| log::leaf(&n.to_be_bytes())).collect();
    for size in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129] {
        let leaves = &leaves[..size];
        let root = log::root(leaves);
        assert!(
            !log::includes(&root, size as u64, size as u64, &root, &[]),
            "{size}: no leaf behind the last"
        );
        for (index, leaf) in leaves.iter().enumerate() {
            let path = log::path(leaves, index);
            let bits = usize::BITS - (size - 1).leading_zeros();
            assert!(path.len() <= bits as usize, "{index} of {size}");
            assert!(log::includes(&root, size as u64, index as u64, leaf, &path), "{index} of {size}");
            assert!(!log::includes(&sha256(&root), size as u64, index as u64, leaf, &path));
        }
    }
}
