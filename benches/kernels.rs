//! Every kernel that this machine has, on the same messages: one-block messages as e-mail addresses give them.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use throng::hash::{Digest, Kernel, Messages, Stream};

/// As many as fit the caches with their digests.
const MESSAGES: usize = 512;

fn messages(criterion: &mut Criterion) {
    let mut messages = Messages::default();
    for index in 0..MESSAGES {
        messages.push(format!("user.{index}@mail{}.example.com", index % 97).as_bytes());
    }
    let mut digests: Vec<Digest> = Vec::new();
    let mut group = criterion.benchmark_group("hash_messages");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    for kernel in Kernel::all() {
        group.bench_function(BenchmarkId::from_parameter(kernel.name()), |bencher| {
            bencher.iter(|| messages.hash(kernel, &mut digests));
        });
    }
    group.finish();
}

fn long_messages(criterion: &mut Criterion) {
    let parts: Vec<Vec<u8>> = (b'a'..=b'd').map(|byte| vec![byte; 64 * 1024]).collect();
    let mut group = criterion.benchmark_group("hash_parts");
    for kernel in Kernel::all() {
        for count in 1..=parts.len() {
            group.throughput(Throughput::Bytes((count * parts[0].len()) as u64));
            group.bench_function(BenchmarkId::new(kernel.name(), count), |bencher| {
                let mut streams = vec![Stream::default(); count];
                bencher.iter(|| {
                    let pieces = streams.iter_mut().zip(parts.iter().map(|part| &**part));
                    Stream::update_each(kernel, &mut pieces.collect::<Vec<_>>());
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, messages, long_messages);
criterion_main!(benches);
