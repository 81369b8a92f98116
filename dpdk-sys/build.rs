//! Finds libdpdk, makes the bindings from its headers and compiles the shim.
//!
//! Something missing on the host ends the build with one sentence that names the package to install.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

/// The oldest DPDK that is supported: the 22.11 LTS.
const OLDEST: &str = "22.11";

/// What Rust code sees of DPDK; everything else stays out of the bindings.
const FUNCTIONS: &[&str] = &[
    "cw_.*",
    "rte_dev_probe",
    "rte_eal_cleanup",
    "rte_eal_init",
    "rte_eth_allmulticast_enable",
    "rte_eth_dev_adjust_nb_rx_tx_desc",
    "rte_eth_dev_close",
    "rte_eth_dev_configure",
    "rte_eth_dev_get_mtu",
    "rte_eth_dev_get_port_by_name",
    "rte_eth_dev_info_get",
    "rte_eth_dev_set_mtu",
    "rte_eth_dev_socket_id",
    "rte_eth_dev_start",
    "rte_eth_dev_stop",
    "rte_eth_macaddr_get",
    "rte_eth_promiscuous_enable",
    "rte_eth_rx_queue_setup",
    "rte_eth_stats_get",
    "rte_eth_tx_queue_setup",
    "rte_get_tsc_hz",
    "rte_mempool_in_use_count",
    "rte_pdump_init",
    "rte_pdump_uninit",
    "rte_pktmbuf_pool_create",
    "rte_strerror",
    "rte_telemetry_register_cmd",
    "rte_thread_register",
    "rte_thread_unregister",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/shim.h");
    println!("cargo::rerun-if-changed=src/shim.c");

    let library = pkg_config::Config::new()
        .atleast_version(OLDEST)
        .cargo_metadata(false)
        .probe("libdpdk")
        .unwrap_or_else(|error| fail(&not_found(&error)));
    let flags = compiler_flags();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for every build script"));

    bind(&flags, &out);
    compile(&flags);

    for path in &library.link_paths {
        println!("cargo::rustc-link-search=native={}", path.display());
    }
    // Shared libraries: EAL then loads the drivers as plugins from DPDK's own directory, whichever the host has.
    for name in ["rte_ethdev", "rte_mbuf", "rte_mempool", "rte_ring", "rte_telemetry", "rte_pdump", "rte_eal"] {
        println!("cargo::rustc-link-lib=dylib={name}");
    }
    // Reaches the build scripts of direct dependants as DEP_DPDK_VERSION.
    println!("cargo::metadata=VERSION={}", library.version);
}

/// Ends the build with one sentence. A script that ends well and has logged an error fails the build without the pages of
/// output that cargo shows of a script that fails.
fn fail(sentence: &str) -> ! {
    println!("cargo::error={sentence}");
    exit(0);
}

/// Why pkg-config did not give libdpdk, and the cure.
fn not_found(error: &pkg_config::Error) -> String {
    let installed = Command::new(pkg_config_program()).args(["--modversion", "libdpdk"]).output();
    match installed {
        Err(_) => "pkg-config is missing: install it and DPDK's headers with 'apt-get install pkg-config libdpdk-dev' \
                   (or build without DPDK: --no-default-features)"
            .into(),
        Ok(output) if output.status.success() => {
            let found = String::from_utf8_lossy(&output.stdout);
            let found = found.trim();
            if error.to_string().contains(found) || found.is_empty() {
                format!("DPDK {found} is installed but {OLDEST} or later is needed: install a newer libdpdk-dev")
            } else {
                format!("pkg-config finds DPDK {found} but cannot use it: reinstall libdpdk-dev")
            }
        }
        Ok(_) => "DPDK's headers are missing: install them with 'apt-get install libdpdk-dev' \
                  (or build without DPDK: --no-default-features)"
            .into(),
    }
}

/// The pkg-config to run, as the pkg-config crate chooses it.
fn pkg_config_program() -> std::ffi::OsString {
    env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into())
}

/// Every compiler flag of libdpdk: besides include paths it needs `-include rte_config.h` and a minimum `-march`, which
/// the pkg-config crate leaves out.
fn compiler_flags() -> Vec<String> {
    let output = Command::new(pkg_config_program()).args(["--cflags", "libdpdk"]).output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
        }
        _ => fail("pkg-config gives no compiler flags for libdpdk: reinstall libdpdk-dev"),
    }
}

/// Writes `bindings.rs` to `out`.
fn bind(flags: &[String], out: &Path) {
    let mut builder = bindgen::Builder::default()
        .header("src/shim.h")
        .clang_args(flags)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .use_core()
        .layout_tests(false)
        .generate_comments(false)
        .prepend_enum_name(false)
        .default_enum_style(bindgen::EnumVariation::Consts)
        // Rust never looks inside an mbuf by structure: the layout differs between releases, the shim exports offsets.
        .blocklist_type("rte_mbuf")
        .blocklist_type("rte_mempool")
        .allowlist_type("rte_eth_conf")
        .allowlist_type("rte_eth_dev_info")
        .allowlist_type("rte_eth_stats")
        .allowlist_type("cw_layout")
        .allowlist_var("CW_.*");
    for function in FUNCTIONS {
        builder = builder.allowlist_function(function);
    }
    // bindgen panics when it cannot load libclang; say it in a sentence instead.
    std::panic::set_hook(Box::new(|_| {}));
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| builder.generate()));
    let _ = std::panic::take_hook();
    match made {
        Ok(Ok(bindings)) => bindings
            .write_to_file(out.join("bindings.rs"))
            .unwrap_or_else(|error| fail(&format!("the DPDK bindings cannot be written: {error}"))),
        Ok(Err(error)) => fail(&format!("DPDK's headers cannot be read ({error}): reinstall libdpdk-dev and clang")),
        Err(_) => fail("libclang is missing: install it with 'apt-get install libclang-dev'"),
    }
}

/// Compiles the shim into a static library.
fn compile(flags: &[String]) {
    let mut build = cc::Build::new();
    build.file("src/shim.c").warnings(true).extra_warnings(false).flag_if_supported("-Wno-unused-parameter");
    // DPDK's inlines are what this file is for; without optimisation they would be calls on the path of a packet.
    build.opt_level(3);
    for flag in flags {
        build.flag(flag);
    }
    if let Err(error) = build.try_compile("causeway_dpdk_shim") {
        fail(&format!("the DPDK shim does not compile ({error}): install a C compiler with 'apt-get install gcc'"));
    }
}
