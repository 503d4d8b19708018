//! One group a stage, on 100,000 generated records, on one core.

mod support;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use throng::config::AudienceSpec;
use throng::dedup::{Budget, Layout, OneAudience, Partitions, Scatter, Store, resolve};
use throng::dialect::{Csv, Reading};
use throng::emit::{PartLimits, write_parts};
use throng::hash::{Digest, Kernel, Messages};
use throng::limits::{BLOCK_BYTES, SLAB_BYTES};
use throng::normalize::{Canonical, Normalizer, RuleOptions, UserType, Value, Wrapping};
use throng::record::{CsvReader, Records, read_lines};

const RECORDS: u64 = 100_000;

/// Bytes of a chunk in these benches: all records at once.
fn lines_of(text: &str) -> Records {
    let mut records = Records::default();
    read_lines(Kernel::default(), text.as_bytes(), &mut records);
    records
}

fn record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    let mut records = Records::default();
    let text = support::emails(RECORDS);
    group.throughput(Throughput::Bytes(text.len() as u64));
    for kernel in Kernel::all() {
        group.bench_function(BenchmarkId::new("lines", kernel.name()), |bencher| {
            bencher.iter(|| read_lines(kernel, text.as_bytes(), &mut records));
        });
    }
    let text = support::csv(RECORDS);
    group.throughput(Throughput::Bytes(text.len() as u64));
    for (name, reading) in
        [("csv_strict", Reading::Fast), ("csv_exact", Reading::Exact { goes_on: false })]
    {
        let reader = CsvReader::new(Csv::new(b','), vec![3]);
        group.bench_function(name, |bencher| {
            bencher.iter(|| reader.read(text.as_bytes(), reading, &mut records));
        });
    }
    group.finish();
}

fn normalize(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("normalize");
    group.throughput(Throughput::Elements(RECORDS));
    for (user_type, text) in [
        (UserType::EmailHash, support::emails(RECORDS)),
        (UserType::PhoneHash, support::phones(RECORDS)),
        (UserType::MobileAdvertiserId, support::mobile_ids(RECORDS)),
    ] {
        let records = lines_of(&text);
        let mut canonical = Canonical::default();
        for kernel in Kernel::all() {
            let normalizer = Normalizer::new(user_type, RuleOptions::default()).on(kernel);
            group.bench_function(BenchmarkId::new(user_type.name(), kernel.name()), |bencher| {
                bencher.iter(|| {
                    canonical.clear();
                    let fields = records.fields(text.as_bytes(), 0);
                    let values = fields.map(|bytes| Value { bytes, country: None });
                    let mut accepted = 0;
                    normalizer.batch(Wrapping::Line, values, &mut canonical, |_, _, verdict| {
                        accepted +=
                            u64::from(matches!(verdict, throng::normalize::Verdict::Raw(_)));
                    });
                    accepted
                });
            });
        }
    }
    group.finish();
}

fn digests() -> Vec<Digest> {
    let mut messages = Messages::default();
    for person in 0..RECORDS {
        messages.push((person % (RECORDS * 4 / 5)).to_string().as_bytes());
    }
    let mut digests = Vec::new();
    messages.hash(Kernel::default(), &mut digests);
    digests
}

const RADIX_BITS: u32 = 4;

fn partitions(digests: &[Digest]) -> Partitions {
    let budget = Budget::new(u64::MAX);
    let store = Store::new(RADIX_BITS, BLOCK_BYTES, SLAB_BYTES, std::env::temp_dir());
    let mut scatter = Scatter::new(&store);
    scatter.push_digests(digests, &store, &budget).expect("memory");
    Partitions::new(store, vec![scatter], &budget).expect("memory")
}

fn of(partitions: &Partitions) -> OneAudience<'_> {
    OneAudience {
        partitions,
        companions: None,
        layout: Layout::Digest,
        unconfirmed_can_be_gone: false,
    }
}

fn dedup(criterion: &mut Criterion) {
    let digests = digests();
    let mut group = criterion.benchmark_group("dedup");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("scatter", |bencher| {
        bencher.iter_batched(|| (), |()| partitions(&digests), BatchSize::LargeInput);
    });
    let partitions = partitions(&digests);
    group.bench_function("sort", |bencher| {
        bencher.iter(|| {
            for range in partitions.ranges() {
                let resolved = resolve(&of(&partitions), range, u64::MAX);
                let resolved = resolved.expect("memory").expect("no limit");
                partitions.recycle(resolved.entries);
            }
        });
    });
    group.finish();
}

fn emit(criterion: &mut Criterion) {
    let partitions = partitions(&digests());
    let mut group = criterion.benchmark_group("emit");
    group.throughput(Throughput::Elements(RECORDS * 4 / 5));
    let limits = PartLimits { lines: 30_000, bytes: None };
    group.bench_function("parts", |bencher| {
        bencher.iter_batched(
            || {
                let resolved = partitions.ranges().map(|range| {
                    let resolved = resolve(&of(&partitions), range, u64::MAX);
                    resolved.expect("memory").expect("no limit").entries
                });
                (tempfile::tempdir().expect("a folder"), resolved.collect::<Vec<_>>())
            },
            |(dir, entries)| {
                let kernel = Kernel::default();
                let audience = AudienceSpec::new(UserType::EmailHash, None);
                write_parts(dir.path(), &audience, limits, RECORDS, kernel, 1, |parts| {
                    entries
                        .into_iter()
                        .try_for_each(|entries| parts.place(entries)?.write().map(drop))
                })
                .expect("writes");
                dir
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, record, normalize, dedup, emit);
criterion_main!(benches);
