//! What the tests share: the oracle, configurations, seeded data.

#[cfg(feature = "sandbox")]
pub(crate) mod home;
#[cfg(feature = "sandbox")]
#[path = "../../../crates/sandbox/tests/it/http.rs"]
#[allow(dead_code, reason = "the sandbox's own tests need more of it")]
pub(crate) mod http;
#[cfg(feature = "object-storage")]
pub(crate) mod bucket;
pub(crate) mod desk;
pub(crate) mod browser;
pub(crate) mod ids;
#[cfg(feature = "sandbox")]
pub(crate) mod mirror;
#[path = "../../../examples/report/nights.rs"]
pub(crate) mod nights;
pub(crate) mod oracle;
pub(crate) mod raw;
pub(crate) mod shop;
#[cfg(feature = "sandbox")]
pub(crate) mod upload;
#[cfg(feature = "sandbox")]
pub(crate) mod world;

use std::fs;
use std::path::{Path, PathBuf};

use throng::config::{ColumnSelector, Input, MaxRejects, PrepareConfig};
use throng::hash::Kernel;
use throng::normalize::UserType;
use throng::prepare::Prepare;
use throng::prepare::summary::Summary;
use throng::progress::Progress;

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A configuration for one audience, with limits that reject nothing as a wrong file.
pub(crate) fn config(user_type: UserType, inputs: &[PathBuf], dir: &Path) -> PrepareConfig {
    let mut config = PrepareConfig::new(user_type, dir);
    config.inputs = inputs.iter().cloned().map(Input::Path).collect();
    config.max_rejects = MaxRejects::Share(1.0);
    config.output.overwrite = true;
    config.resources.threads = 2;
    config.resources.memory_bytes = 256 << 20;
    config
}

/// The kernel that is the truth for the others.
pub(crate) fn portable() -> Kernel {
    "portable".parse().unwrap()
}

pub(crate) fn by_name(mut config: PrepareConfig, column: &str) -> PrepareConfig {
    config.audiences[0].columns = vec![ColumnSelector::Name(column.to_owned())];
    config
}

pub(crate) fn suppressing(mut config: PrepareConfig, path: &Path) -> PrepareConfig {
    config.suppress.push(Input::Path(path.to_owned()).into());
    config
}

pub(crate) fn run(config: PrepareConfig) -> throng::Result<Summary> {
    let progress = Progress::default();
    Prepare::plan(config, &progress)?.run(&progress)
}

/// Whether a file is an upload file: its name ends with its number. Lists have none.
pub(crate) fn is_part(path: &Path) -> bool {
    let stem = path.file_stem().unwrap().to_str().unwrap();
    path.extension().is_some_and(|extension| extension == "txt")
        && stem.rsplit_once('-').is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

/// The entries of an output directory, parts one behind the other.
pub(crate) fn entries(dir: &Path) -> Vec<String> {
    let mut parts: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| is_part(path))
        .collect();
    parts.sort();
    let text: String = parts.iter().map(|part| fs::read_to_string(part).unwrap()).collect();
    text.lines().map(str::to_owned).collect()
}

/// A small generator (xorshift64*), so that data is the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % bound
    }
}

/// `count` lines of a type: repeated people, other spellings, blanks and dirt.
pub(crate) fn lines(user_type: UserType, count: usize, seed: u64) -> String {
    let mut random = Random(seed | 1);
    let mut text = String::new();
    for _ in 0..count {
        let person = random.below(count as u64 * 4 / 5 + 1);
        match random.below(40) {
            0 => text.push_str(match random.below(6) {
                0 => "",
                1 => "   ",
                2 => "null",
                3 => "N/A",
                4 => "not a value @@",
                _ => "\u{a0}",
            }),
            1 => text.extend([" ", &value(user_type, person), " "]),
            2 => text.push_str(&value(user_type, person).to_uppercase()),
            3 => text.extend(["\"", &value(user_type, person), "\""]),
            _ => text.push_str(&value(user_type, person)),
        }
        text.push_str(if random.below(20) == 0 { "\r\n" } else { "\n" });
    }
    text
}

pub(crate) fn value(user_type: UserType, person: u64) -> String {
    match user_type {
        UserType::EmailHash => format!("user.{person}@mail{}.example.com", person % 7),
        UserType::PhoneHash => format!("+4420{:08}", 70_000_000 + person),
        UserType::Fbid => format!("{}", 100_000_000 + person * 7),
        UserType::CustomAudienceThirdPartyId => format!("Customer-{person:x}"),
        UserType::MobileAdvertiserId => {
            let low = person.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            format!("{:08x}-1234-4abc-8def-{:012x}", person, low & 0xffff_ffff_ffff)
        }
    }
}

/// SHA-256 in hex.
pub(crate) fn digest_hex(message: &[u8]) -> String {
    const_hex::encode(throng::hash::digest(message))
}
