//! Mutates bytes randomly, in small ways that tend to break parsers.

/// Tokens of the formats, and numbers that overflow.
const PIECES: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\\u0000",
    b"\\ud800",
    b"\xef\xbb\xbf",
    b"\x00",
    b"\xff",
    b"\n",
    b"\r\n",
    b"\t",
    b"-1",
    b"1e999",
    b"9223372036854775808",
    b"0.0000001",
    b"sha256:",
    b"@",
    b"/",
    b"%",
    b"&#x0;",
    b"<",
    b">",
    b"'",
    b"(",
    b")",
    b";",
    b"--",
    b"/*",
    b"\x1f\x8b\x08",
    b"Records",
    b"eventID",
    b"eventTime",
    b"eventSource",
    b"ecr.amazonaws.com",
    b"detail",
    b"2026-02-30T25:61:61Z",
    b"\xe2\x80\xae",
    b"SELECT",
    b"UNNEST",
    b"CAST(",
];

/// A small seeded generator (splitmix64).
#[derive(Debug, Clone)]
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// A seed with a few mutations, at most `bytes_max` long.
pub fn mutated(seed: &[u8], other: &[u8], chance: &mut Chance, bytes_max: usize) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + chance.below(5) {
        change(&mut bytes, other, chance);
        bytes.truncate(bytes_max);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let at = chance.below(bytes.len() + 1);
    let end = (at + 1 + chance.below(64)).min(bytes.len());
    match chance.below(9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
        1 if at < bytes.len() => bytes[at] = chance.next() as u8,
        2 if at < end => drop(bytes.drain(at..end)),
        3 if at < end => {
            let piece = bytes[at..end].to_vec();
            let place = chance.below(bytes.len() + 1);
            bytes.splice(place..place, piece);
        }
        4 => bytes.truncate(at),
        5 => {
            let piece = PIECES[chance.below(PIECES.len())];
            bytes.splice(at..at, piece.iter().copied());
        }
        6 if at < end => {
            let piece = PIECES[chance.below(PIECES.len())];
            bytes.splice(at..end, piece.iter().copied());
        }
        7 if !other.is_empty() => {
            let from = chance.below(other.len());
            let length = chance.below(256).min(other.len() - from);
            bytes.splice(at..at, other[from..from + length].iter().copied());
        }
        _ => {
            // A part repeated many times, which reveals quadratic run time.
            let piece = bytes[at.min(end)..end].to_vec();
            let times = chance.below(40);
            bytes.splice(at..at, piece.repeat(times));
        }
    }
}
