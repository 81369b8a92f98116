//! Stamps the version that the binary prints, with the DPDK that it was built for.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEP_DPDK_VERSION");
    let version = env!("CARGO_PKG_VERSION");
    // Set by dpdk-sys, which also names the libraries to link.
    let stamp = match std::env::var("DEP_DPDK_VERSION") {
        Ok(dpdk) => format!("{version} (dpdk {dpdk})"),
        Err(_) => format!("{version} (no dpdk)"),
    };
    println!("cargo::rustc-env=CAUSEWAY_VERSION={stamp}");
}
