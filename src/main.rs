//! The `throng` command.

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    #[cfg(target_env = "musl")]
    keep_pages_small();
    let code = throng::command::main(std::env::args_os().collect());
    std::process::ExitCode::from(code as u8)
}

/// In huge pages, mimalloc would take more memory than the limit promises. Its feature `no_thp` only asks for none, and
/// there are systems that give them unasked.
#[cfg(target_env = "musl")]
fn keep_pages_small() {
    let _refused = rustix::thread::disable_transparent_huge_pages(true);
}
