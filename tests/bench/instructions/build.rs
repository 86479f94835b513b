//! Names the compiler, because counts of instructions depend on it.

fn main() -> std::io::Result<()> {
    let rustc = std::env::var_os("RUSTC").expect("cargo sets it");
    let version = std::process::Command::new(rustc).arg("--version").output()?.stdout;
    println!("cargo::rustc-env=RUSTC_VERSION={}", String::from_utf8_lossy(&version).trim());
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
