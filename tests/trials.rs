//! The fuzz targets' bodies on a fixed corpus and on seeded random changes of it.
//!
//! A failure names the target and the seed: `VSWITCH_TRIAL_SEED=SEED cargo test --test trials TARGET`
//! runs that one input again. `fuzz/` runs the same bodies without end (docs/fuzzing.md).
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps an error fails with it, which is what is wanted"
)]

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::thread;

use rand::prelude::*;
use vswitch_switch::trial::{Frames, Scale};

/// Runs a target on its corpus, and on `count` changes of it.
fn run(target: &str, count: u64, mut body: impl FnMut(&[u8])) {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let files = fs::read_dir(dir.join(target)).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "there is no corpus of {target}");
    let corpus: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    for (path, bytes) in paths.iter().zip(&corpus) {
        let _told = Told(&format!("{}", path.display()), bytes);
        body(bytes);
    }
    let seeds = match std::env::var("VSWITCH_TRIAL_SEED") {
        Ok(seed) => {
            let seed: u64 = seed.parse().unwrap();
            seed..=seed
        }
        Err(_) => 1..=count,
    };
    for seed in seeds {
        let bytes = changed(&corpus, &mut StdRng::seed_from_u64(seed));
        let _told = Told(&format!("VSWITCH_TRIAL_SEED={seed}"), &bytes);
        body(&bytes);
    }
}

/// Tells which input it was, should the body panic.
struct Told<'a>(&'a str, &'a [u8]);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let mut hex = String::new();
            for byte in self.1 {
                let _ = write!(hex, "{byte:02x}");
            }
            eprintln!("the input was {}: {hex}", self.0);
        }
    }
}

/// One of the corpus with a few changes, as a fuzzer makes them; now and then nothing but noise.
fn changed(corpus: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    if random.random_ratio(1, 16) {
        let mut noise = vec![0; random.random_range(0..300)];
        random.fill(&mut noise[..]);
        return noise;
    }
    let mut bytes = corpus.choose(random).unwrap().clone();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.random()),
            2 => bytes.truncate(bytes.len() - (bytes.len() - at).min(4)),
            3 => {
                let other = corpus.choose(random).unwrap();
                let from = random.random_range(0..=other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = *[0, 1, 0x7f, 0xff, byte.wrapping_add(1), random.random()]
                        .choose(random)
                        .unwrap();
                }
            }
        }
    }
    bytes
}

#[test]
fn frames() {
    let mut frames = Frames::new(Scale::Small);
    run("frames", 20_000, |bytes| frames.run(bytes));
}

#[test]
fn super_frames() {
    let mut frames = Frames::new(Scale::Large);
    run("super_frames", 1_000, |bytes| frames.run(bytes));
}

#[test]
fn control() {
    run("control", 3_000, vswitch_cli::trial::control);
}

#[test]
fn lab_file() {
    run("lab_file", 2_000, vswitch_cli::trial::lab_file);
}

#[test]
fn state() {
    run("state", 5_000, vswitch_cli::trial::state);
}

#[test]
fn capture() {
    run("capture", 5_000, vswitch_cli::trial::capture);
}

#[test]
fn netlink() {
    run("netlink", 20_000, vswitch_netns::trial::netlink);
}
