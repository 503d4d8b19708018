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
    let (one, other) = (vec![b'a'; 256 * 1024], vec![b'b'; 256 * 1024]);
    let mut group = criterion.benchmark_group("hash_two_parts");
    group.throughput(Throughput::Bytes(2 * one.len() as u64));
    for kernel in Kernel::all() {
        group.bench_function(BenchmarkId::from_parameter(kernel.name()), |bencher| {
            let mut streams = [Stream::default(), Stream::default()];
            bencher.iter(|| {
                let [first, second] = &mut streams;
                Stream::update_both(kernel, [first, second], [&one, &other]);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, messages, long_messages);
criterion_main!(benches);
