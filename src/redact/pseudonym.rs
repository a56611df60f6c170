//! The pseudonym that replaces a name.

use std::net::Ipv6Addr;

use sha2::{Digest as _, Sha256};

/// The kind of thing that a name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Account,
    Repository,
    Role,
    User,
    Session,
    /// Access key ids.
    Key,
    /// Services, clusters, functions, task definitions, keys, and everything else that somebody named.
    Name,
    Address,
    Source,
    Object,
    Agent,
    Tag,
    /// The description of a rule.
    Description,
    Finding,
    Event,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Repository => "repository",
            Self::Role => "role",
            Self::User => "user",
            Self::Session => "session",
            Self::Key => "key",
            Self::Name => "name",
            Self::Address => "address",
            Self::Source => "source",
            Self::Object => "object",
            Self::Agent => "agent",
            Self::Tag => "tag",
            Self::Description => "description",
            Self::Finding => "finding",
            Self::Event => "event",
        }
    }
}

/// A secret that names are hashed with: HMAC-SHA256 (RFC 2104).
pub struct Key {
    inner: [u8; BLOCK],
    outer: [u8; BLOCK],
}

/// Prefix of numbered ids of findings, which mean nothing outside of their run.
pub const COUNTED: &str = "counted";

/// Block size of SHA-256 in bytes.
const BLOCK: usize = 64;

impl Key {
    pub fn new(secret: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        if secret.len() > BLOCK {
            block[..32].copy_from_slice(&Sha256::digest(secret));
        } else {
            block[..secret.len()].copy_from_slice(secret);
        }
        Self { inner: block.map(|byte| byte ^ 0x36), outer: block.map(|byte| byte ^ 0x5c) }
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let inner = parts
            .iter()
            .fold(Sha256::new_with_prefix(self.inner), |hash, part| hash.chain_update(part))
            .finalize();
        Sha256::new_with_prefix(self.outer).chain_update(inner).finalize().into()
    }
}

/// A sort key for names that has nothing to do with the alphabet.
pub fn shuffled(name: &str) -> [u8; 32] {
    Sha256::digest(name).into()
}

/// The pseudonym of the `number`th name of its kind. It has the form that software expects of that kind.
pub fn made(kind: Kind, name: &str, number: u64, key: Option<&Key>) -> String {
    let hash = key.map(|key| key.hash(&[kind.word().as_bytes(), b"\0", name.as_bytes()]));
    let hex = |length: usize| match &hash {
        Some(hash) => hex::encode(hash).chars().take(length).collect(),
        None => format!("{number:0length$x}"),
    };
    let short = || if hash.is_some() { hex(12) } else { number.to_string() };
    match kind {
        // 2001:db8::/32 is reserved for documentation (RFC 3849), whatever kind of address it was.
        Kind::Address => match u128::from_str_radix(&hex(24), 16) {
            Ok(number) => Ipv6Addr::from((0x2001_0db8_u128 << 96) | number).to_string(),
            Err(_) => short(),
        },
        // Not hexadecimal, so that nobody takes it for an id that is the same in another run.
        Kind::Finding if hash.is_none() => format!("{COUNTED}{number:09}"),
        Kind::Finding => hex(16),
        Kind::Session if is_hex(name) && name.len() == 32 => hex(32),
        Kind::Session if name.strip_prefix("i-").is_some_and(is_hex) => format!("i-{}", hex(17)),
        Kind::Session if name.starts_with("AWSCodeBuild-") => format!("AWSCodeBuild-{}", short()),
        Kind::Object => format!("object-{}{}", short(), ending(name)),
        _ => format!("{}-{}", kind.word(), short()),
    }
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The file's extension.
fn ending(name: &str) -> &str {
    [".json.gz", ".json", ".jsonl", ".ndjson", ".csv", ".parquet", ".gz", ".zst", ".zip", ".tar"]
        .into_iter()
        .find(|ending| name.ends_with(ending))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test cases 1, 2 and 6 of RFC 4231.
    #[test]
    fn the_hash_is_hmac() {
        let said = [
            Key::new(&[0x0b; 20]).hash(&[b"Hi There"]),
            Key::new(b"Jefe").hash(&[b"what do ya want ", b"for nothing?"]),
            Key::new(&[0xaa; 131]).hash(&[b"Test Using Larger Than Block-Size Key - Hash Key First"]),
        ];
        let expected = [
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ];
        assert_eq!(said.map(hex::encode), expected);
    }

    #[test]
    fn what_is_read_by_its_shape_keeps_it() {
        assert_eq!(made(Kind::Address, "10.0.0.1", 1, None), "2001:db8::1");
        assert_eq!(made(Kind::Session, &"a1".repeat(16), 2, None), format!("{:032x}", 2));
        assert_eq!(made(Kind::Session, "i-0a1b2c3d4e5f60718", 3, None), "i-00000000000000003");
        assert_eq!(made(Kind::Repository, "shop/api", 4, None), "repository-4");
        let key = Key::new(b"a secret that is long");
        let (one, other) = (
            made(Kind::Repository, "shop/api", 1, Some(&key)),
            made(Kind::Repository, "shop/api", 9, Some(&key)),
        );
        assert!(one == other && one.len() == "repository-".len() + 12);
        assert!(made(Kind::Address, "10.0.0.1", 1, Some(&key)).parse::<Ipv6Addr>().is_ok());
    }
}
