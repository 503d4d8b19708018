//! The whole job, file to files, on a million generated records (few when run as a test): by user type and by route.

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rayon::ThreadPoolBuilder;
use throng::config::{ColumnSelector, Input, MaxRejects, OutputOptions, PrepareConfig, Resources};
use throng::filter::Filter;
use throng::hash::Kernel;
use throng::limits::{BLOCK_BYTES, CHUNK_BYTES};
use throng::normalize::{Normalizer, RuleOptions, UserType};
use throng::prepare::Prepare;
use throng::progress::Progress;

fn config(input: &Path, user_type: UserType, dir: &Path) -> PrepareConfig {
    let mut output = OutputOptions::new(dir);
    output.overwrite = true;
    PrepareConfig {
        inputs: vec![Input::Path(input.to_owned())],
        max_rejects: MaxRejects::Share(1.0),
        output,
        resources: Resources {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: 2 << 30,
            tmp_dir: None,
            chunk_bytes: CHUNK_BYTES,
            block_bytes: BLOCK_BYTES,
            kernel: Kernel::default(),
        },
        ..PrepareConfig::new(user_type, dir)
    }
}

fn run(config: PrepareConfig) {
    let prepare = Prepare::plan(config, &Progress::default()).expect("a plan");
    prepare.run(&Progress::default()).expect("a result");
}

fn routes(criterion: &mut Criterion) {
    // Cargo passes --test to benches that are run as tests.
    let records = if std::env::args().any(|arg| arg == "--test") { 5_000 } else { 1_000_000 };
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("out");
    let write = |name: &str, text: &[u8]| -> PathBuf {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("writes");
        path
    };
    let emails = support::emails(records);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(emails.as_bytes()).expect("compresses");
    let gzip = gzip.finish().expect("compresses");
    let mut group = criterion.benchmark_group("decoder");
    group.sample_size(10).throughput(Throughput::Elements(records));
    // What `prepare/emails_gzip` cannot be faster than.
    group.bench_function("gzip_alone", |bencher| {
        bencher.iter(|| {
            let mut decoder = flate2::bufread::MultiGzDecoder::new(&*gzip);
            std::io::copy(&mut decoder, &mut std::io::sink()).expect("decodes")
        });
    });
    group.finish();
    let mut group = criterion.benchmark_group("prepare");
    group.sample_size(10).throughput(Throughput::Elements(records));
    for (name, user_type, path) in [
        ("emails", UserType::EmailHash, write("emails.txt", emails.as_bytes())),
        ("emails_gzip", UserType::EmailHash, write("emails.txt.gz", &gzip)),
        ("csv_column", UserType::EmailHash, write("crm.csv", support::csv(records).as_bytes())),
        ("phones", UserType::PhoneHash, write("phones.txt", support::phones(records).as_bytes())),
        (
            "mobile_ids",
            UserType::MobileAdvertiserId,
            write("ids.txt", support::mobile_ids(records).as_bytes()),
        ),
    ] {
        let mut config = config(&path, user_type, &out);
        if name == "csv_column" {
            config.audiences[0].columns = vec![ColumnSelector::Name("email".to_owned())];
        }
        group.bench_function(name, |bencher| bencher.iter(|| run(config.clone())));
    }
    let mut scarce = config(&dir.path().join("emails.txt"), UserType::EmailHash, &out);
    scarce.resources.memory_bytes = 16 << 20;
    group.bench_function("emails_spilling", |bencher| bencher.iter(|| run(scarce.clone())));
    group.finish();

    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let normalizer = || Normalizer::new(UserType::EmailHash, RuleOptions::default());
    let mut group = criterion.benchmark_group("filter");
    group.sample_size(10).throughput(Throughput::Elements(records));
    group.bench_function("emails", |bencher| {
        bencher.iter(|| {
            let filter = Filter::new(UserType::EmailHash, normalizer());
            filter.run(emails.as_bytes(), std::io::sink(), &pool).expect("filters");
        });
    });
    group.finish();
}

criterion_group!(benches, routes);
criterion_main!(benches);
