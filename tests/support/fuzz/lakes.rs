//! Small lakes whose files are mutated: one in the present format, and one in the first version, whose files
//! have no checksums, so that mutated bytes reach the Parquet library.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use tagfall::decode::Wanted;
use tagfall::lake::{Ingest, Limits};
use tagfall::pipeline::{self, Progress};
use tagfall::source::Feed;

use super::{seeds, targets};

pub struct LakeFile {
    pub lake: &'static Path,
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

/// Every file of both lakes, created once in each process.
pub fn files() -> &'static [LakeFile] {
    static FILES: OnceLock<Vec<LakeFile>> = OnceLock::new();
    FILES.get_or_init(|| {
        // Both folders are kept until the process ends.
        let folder: &'static Path = Box::leak(tempfile::tempdir().unwrap().keep().into_boxed_path());
        let lakes: [&'static Path; 2] =
            ["today", "first"].map(|name| &*Box::leak(folder.join(name).into_boxed_path()));
        let [today, first] = lakes;
        fs::create_dir(today).unwrap();
        ingest(today, vec![Box::new(targets::Memory::of(&seeds::records()[..6]))]);
        copy(&seeds::root().join("tests/lake_cases/lake-bit-flip"), first);
        lakes
            .into_iter()
            .flat_map(|lake| {
                paths(lake).into_iter().map(move |path| LakeFile {
                    lake,
                    bytes: fs::read(&path).unwrap(),
                    path,
                })
            })
            .collect()
    })
}

pub fn ingest(lake: &Path, feeds: Vec<Box<dyn Feed>>) {
    let ingest = Ingest::open(lake, &[], Limits::default()).unwrap();
    let (progress, cancelled) = (Progress::default(), AtomicBool::new(false));
    let (coverage, _) =
        pipeline::scan(targets::run(&feeds, 1, &progress, &cancelled), Wanted::All, || ingest.collector());
    ingest.note(&coverage);
    ingest.finish(true).unwrap();
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() { found.extend(paths(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for path in paths(from) {
        let place = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(path, place).unwrap();
    }
}
