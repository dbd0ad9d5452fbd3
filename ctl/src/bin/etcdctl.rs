//! The program `etcdctl`: see the library.

/// Ends without waiting for threads: one may sit in a read of standard input.
fn main() {
    let code = retcd_ctl::run(std::env::args_os().skip(1).collect());
    std::process::exit(i32::from(code));
}
