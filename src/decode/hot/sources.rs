//! Which records are wanted, told by the first letters of their `eventSource` where those are enough.

use crate::decode::calls::CALLS;
use crate::decode::spelling::may_be_spelled_otherwise;
use crate::decode::{Named, Wanted};

/// Size of a table in bits.
const BITS: usize = 256;
/// Number of letters of a text that are used.
const LETTERS: usize = 4;

/// [`Wanted`] with tables of the first letters of its sources and names. Most records are of other services
/// or calls, and are ruled out by one lookup each.
#[derive(Clone, Copy)]
pub(super) struct Sources<'w> {
    wanted: Wanted<'w>,
    sources: Beginnings,
    names: Beginnings,
    all_names: bool,
}

/// The services of images.
static SERVICES: Beginnings = {
    let mut all = Beginnings::NONE;
    let (mut at, mut before) = (0, 0);
    while at < CALLS.len() {
        all.add(bit_of(CALLS[at].0.as_bytes()));
        at += 1;
    }
    while before < BEFORE.len() {
        all.add(bit_of(BEFORE[before].as_bytes()));
        before += 1;
    }
    all
};

/// Their calls, in lower case.
static LOWER_CALLS: Beginnings = {
    let mut all = Beginnings::NONE;
    let mut service = 0;
    while service < CALLS.len() {
        let mut at = 0;
        while at < CALLS[service].1.len() {
            all.add(lower_bit_of(CALLS[service].1[at].as_bytes()));
            at += 1;
        }
        service += 1;
    }
    all
};

impl<'w> Sources<'w> {
    pub(super) fn of(wanted: Wanted<'w>) -> Self {
        let (sources, names) = match wanted {
            Wanted::All => (Beginnings::ALL, Beginnings::ALL),
            Wanted::Sources(sources) => (Beginnings::of(sources.iter().chain(&BEFORE)), Beginnings::ALL),
            Wanted::Named { sources, names } => {
                let mut beginnings = Beginnings::of(names.iter().flat_map(|(_, names)| *names));
                let is_named = |source: &&str| names.iter().any(|(of, _)| of == source);
                if !sources.iter().all(is_named)
                    || names.iter().any(|(_, names)| names.iter().any(|name| name.len() < LETTERS))
                {
                    beginnings = Beginnings::ALL;
                }
                (Beginnings::of(sources.iter().chain(&BEFORE)), beginnings)
            }
        };
        Self { wanted, sources, names, all_names: !matches!(wanted, Wanted::Named { .. }) }
    }

    /// Whether these tables were made for the same lists.
    pub(super) fn are_of(&self, sources: &'static [&'static str], names: &'static [Named]) -> bool {
        matches!(self.wanted, Wanted::Named { sources: of, names: by }
            if std::ptr::eq(of, sources) && std::ptr::eq(by, names))
    }

    /// Whether records of this source are wanted; `name` is the text after the opening quote of the
    /// `eventName`. `None` if the record has to be read in full to tell: another tool may have written it.
    #[inline(always)]
    pub(super) fn want(&self, source: &[u8], name: &[u8]) -> Option<bool> {
        if !self.sources.may_have(source) {
            return Some(false);
        }
        let wanted = self.names.may_have(name) && self.wanted.event(source, name);
        // A name that is wanted is known; if all names are, any may be spelled in another way.
        let is_known = wanted && !self.all_names || !SERVICES.may_have(source);
        (is_known || !Self::is_unsure(source, name)).then_some(wanted)
    }

    /// Whether a record of a service of images has to be read in full to tell what it is.
    #[inline(never)]
    fn is_unsure(source: &[u8], name: &[u8]) -> bool {
        let name = name.get(..memchr::memchr(b'"', name).unwrap_or(name.len())).unwrap_or_default();
        may_be_spelled_otherwise(source, name, |name| LOWER_CALLS.may_have_in_any_case(name))
    }

    /// Whether records of this source are wanted whatever their name.
    pub(super) fn want_all_of(&self, source: &[u8]) -> bool {
        self.wanted.source(source)
    }
}

/// The beginnings of hosts that tools put before the names of services.
const BEFORE: [&str; 2] = ["api.", "http"];

/// The first letters of some texts, as bits of a table.
#[derive(Clone, Copy)]
struct Beginnings([u64; BITS / 64]);

impl Beginnings {
    const ALL: Self = Self([u64::MAX; BITS / 64]);
    const NONE: Self = Self([0; BITS / 64]);

    fn of<'s>(texts: impl IntoIterator<Item = &'s &'s str>) -> Self {
        let mut all = Self::NONE;
        texts.into_iter().for_each(|text| all.add(bit_of(text.as_bytes())));
        all
    }

    const fn add(&mut self, (word, bit): (usize, u64)) {
        self.0[word] |= bit;
    }

    /// The same, if they were added in lower case.
    fn may_have_in_any_case(&self, text: &[u8]) -> bool {
        let (word, bit) = lower_bit_of(text);
        self.0[word] & bit != 0
    }

    /// Whether one of the texts may begin like this one.
    #[inline(always)]
    fn may_have(&self, text: &[u8]) -> bool {
        let (word, bit) = bit_of(text);
        self.0[word] & bit != 0
    }
}

/// The position of a text in a table: word and bit. Texts with fewer letters share one.
#[inline(always)]
const fn bit_of(text: &[u8]) -> (usize, u64) {
    bit_of_letters(first_letters(text))
}

/// The same of a text in lower case.
const fn lower_bit_of(text: &[u8]) -> (usize, u64) {
    bit_of_letters(first_letters(text) | u32::from_ne_bytes([0x20; LETTERS]))
}

#[inline(always)]
const fn first_letters(text: &[u8]) -> u32 {
    match text.first_chunk::<LETTERS>() {
        Some(letters) => u32::from_le_bytes(*letters),
        None => 0,
    }
}

#[inline(always)]
const fn bit_of_letters(letters: u32) -> (usize, u64) {
    // Any odd factor distributes the letters; this one separates the most frequent services from those of
    // images.
    let number = letters.wrapping_mul(0x27d4_eb2f) >> (u32::BITS - BITS.ilog2());
    (number as usize / 64 % (BITS / 64), 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_never_decides_against_what_is_wanted() {
        const ALL: [&str; 6] =
            ["ecr.amazonaws.com", "ecs.amazonaws.com", "s3", "", "signin.amazonaws.com", "aws"];
        for count in 0..=ALL.len() {
            let wanted = Wanted::Sources(&ALL[..count]);
            let sources = Sources::of(wanted);
            for source in ALL.iter().chain(&["ecr-public.amazonaws.com", "ec2.amazonaws.com", "a", "ecr"]) {
                // `None`: what is no host is read in full.
                for (sources, is_wanted) in
                    [(&sources, wanted.source(source.as_bytes())), (&Sources::of(Wanted::All), true)]
                {
                    let told = sources.want(source.as_bytes(), b"PutImage\"");
                    assert!(told.is_none_or(|told| told == is_wanted), "{source} of {count}");
                    assert!(told.is_some() || !source.ends_with(".com"), "{source} of {count}");
                }
            }
        }
    }

    #[test]
    fn names_are_told_where_every_source_has_some() {
        const SOURCES: [&str; 2] = ["ecr.amazonaws.com", "kms.amazonaws.com"];
        const NAMES: [Named; 2] =
            [("ecr.amazonaws.com", &["PutImage", "BatchDelete"]), ("kms.amazonaws.com", &["DisableKey"])];
        let want = |names: &'static [Named], source: &str, name: &str| {
            let wanted = Wanted::Named { sources: &SOURCES, names };
            let told = Sources::of(wanted).want(source.as_bytes(), name.as_bytes());
            assert_eq!(told, Some(wanted.event(source.as_bytes(), name.as_bytes())), "{source} {name}");
            told == Some(true)
        };
        assert!(want(&NAMES, SOURCES[0], "PutImage\"") && want(&NAMES, SOURCES[0], "BatchDeleteImage\""));
        assert!(
            !want(&NAMES, SOURCES[0], "DisableKey\"")
                && !want(&NAMES, SOURCES[1], "Decrypt\"")
                && !want(&NAMES, SOURCES[1], "De\"")
        );
        const ONE: [Named; 1] = [NAMES[0]];
        assert!(want(&ONE, SOURCES[1], "Decrypt\""), "of a source without names all are wanted");
        const SHORT: [Named; 2] = [(SOURCES[0], &["Pu"]), NAMES[1]];
        assert!(want(&SHORT, SOURCES[0], "PutImage\"") && !want(&SHORT, SOURCES[0], "BatchGetImage\""));
    }

    #[test]
    fn the_most_frequent_services_are_told_by_the_table() {
        let wanted = [
            "ecr",
            "ecs",
            "lambda",
            "apprunner",
            "batch",
            "sagemaker",
            "codebuild",
            "events",
            "scheduler",
            "kms",
            "iam",
        ];
        let wanted: Vec<String> = wanted.iter().map(|service| format!("{service}.amazonaws.com")).collect();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let sources = Sources::of(Wanted::Sources(&wanted));
        for service in [
            "ec2",
            "s3",
            "sts",
            "logs",
            "dynamodb",
            "cloudtrail",
            "signin",
            "ssm",
            "secretsmanager",
            "config",
        ] {
            assert!(!sources.sources.may_have(format!("{service}.amazonaws.com").as_bytes()), "{service}");
        }
    }
}
