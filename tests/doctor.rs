//! `causeway doctor` on machines made of files: a good one, and each of its ills by itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const CONFIGURATION: &str = r#"version: 1
workers: {cores: 2-3, idle: spin}
memory: {huge_pages: require, buffers: 16383}
vtep: {source: [10.0.0.11], namespace: fabric}
ports:
  - {name: up0, device: "0000:3b:00.0", underlay: {addresses: 10.0.0.11/24}}
  - {name: srv1, device: "0000:3b:00.1", vlans: [{vlan: 10, vni: 1}]}
vnis: [{vni: 1, flood: {vteps: [10.0.0.12]}}]
"#;

/// A machine that is as it should be; removed when dropped.
struct Machine(PathBuf);

impl Machine {
    fn good(name: &str) -> Self {
        let machine = Self(std::env::temp_dir().join(format!("causeway-doctor-{}-{name}", std::process::id())));
        for (path, text) in [
            ("proc/self/status", "Name:\tcauseway\nCapEff:\t000001ffffffffff\nCpus_allowed_list:\t0-3\n"),
            ("proc/cpuinfo", "model name\t: A CPU\nflags\t\t: fpu sse4_2 popcnt avx2\n"),
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
            ("sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n"),
            ("sys/devices/system/cpu/online", "0-3\n"),
            ("sys/devices/system/cpu/isolated", "2-3\n"),
            ("sys/devices/system/cpu/nohz_full", "2-3\n"),
            ("proc/sys/kernel/nmi_watchdog", "0\n"),
            ("proc/sys/kernel/numa_balancing", "0\n"),
            ("proc/irq/24/effective_affinity_list", "0\n"),
            ("proc/77/comm", "sshd\n"),
            ("sys/kernel/mm/ksm/run", "0\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
            ("sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "4\n"),
            ("sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "4\n"),
            ("sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages", "4\n"),
            ("run/netns/fabric", ""),
        ] {
            machine.write(path, text);
        }
        for core in 0..4 {
            let folder = format!("sys/devices/system/cpu/cpu{core}");
            machine.write(&format!("{folder}/topology/thread_siblings_list"), &format!("{core}\n"));
            machine.write(&format!("{folder}/cpufreq/scaling_governor"), "performance\n");
            machine.write(&format!("{folder}/node0/cpulist"), "0-3\n");
        }
        for (function, group) in [(0, 20), (1, 21)] {
            let name = format!("0000:3b:00.{function}");
            let folder = format!("sys/bus/pci/devices/{name}");
            for (file, text) in [
                ("class", "0x020000\n"),
                ("numa_node", "0\n"),
                ("current_link_speed", "16.0 GT/s PCIe\n"),
                ("max_link_speed", "16.0 GT/s PCIe\n"),
                ("current_link_width", "16\n"),
                ("max_link_width", "16\n"),
            ] {
                machine.write(&format!("{folder}/{file}"), text);
            }
            machine.link(&format!("{folder}/driver"), "../../../bus/pci/drivers/vfio-pci");
            machine.link(&format!("{folder}/iommu_group"), &format!("../../../kernel/iommu_groups/{group}"));
            machine.write(&format!("sys/kernel/iommu_groups/{group}/devices/{name}"), "");
        }
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.0.join(path);
        let _ = fs::remove_file(&path);
        symlink(Path::new(target), path).expect("a link");
    }

    /// What an ill does to it: a file with another text, a link (`-> target`), or a file that is gone (`-`).
    fn suffer(&self, path: &str, change: &str) {
        match change.strip_prefix("-> ") {
            Some(target) => self.link(path, target),
            None if change == "-" => {
                let path = self.0.join(path);
                if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("it is there");
            }
            None => self.write(path, change),
        }
    }

    /// The status and the findings that are not good, as (check, verdict, finding, cure).
    fn doctor(&self, configuration: Option<&str>) -> (i32, Vec<[String; 4]>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_causeway"));
        command.args(["doctor", "--json", "--root"]).arg(&self.0);
        if let Some(text) = configuration {
            self.write("gateway.yaml", text);
            command.arg("-c").arg(self.0.join("gateway.yaml"));
        }
        let output = command.output().expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let findings: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
        let findings = findings.as_array().expect("a list");
        assert!(findings.len() > 5, "{findings:?}");
        let fields = |one: &Value| {
            ["check", "verdict", "finding", "cure"].map(|field| one[field].as_str().expect("a text").to_owned())
        };
        (output.status.code().expect("an exit"), findings.iter().map(fields).filter(|one| one[1] != "good").collect())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_good_machine_has_nothing_wrong() {
    let machine = Machine::good("good");
    assert_eq!(machine.doctor(Some(CONFIGURATION)), (0, vec![]));
    assert_eq!(machine.doctor(None), (0, vec![]));
}

/// (file below the root, what becomes of it, check, verdict, a piece of the cure).
type Ill = (&'static str, &'static str, &'static str, &'static str, &'static str);

const ILLS: &[Ill] = &[
    ("proc/cpuinfo", "model name : Old\nflags : fpu popcnt\n", "processor", "stops", "2010"),
    ("proc/cpuinfo", "model name : V\nflags : sse4_2 popcnt hypervisor\n", "virtual", "note", "passthrough"),
    ("proc/self/status", "CapEff:\t0000000000000000\nCpus_allowed_list:\t0-3\n", "rights", "note", "root"),
    ("proc/self/status", "CapEff:\t000001ffffffffff\nCpus_allowed_list:\t0-2\n", "cores", "note", "workers.cores"),
    ("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n", "clock", "slows", "tsc"),
    ("sys/devices/system/cpu/vulnerabilities/meltdown", "Vulnerable\n", "mitigations", "note", "microcode"),
    ("sys/devices/system/cpu/online", "0-2\n", "cores", "stops", "workers.cores"),
    ("sys/devices/system/cpu/online", "2-3\n", "isolation", "slows", "leave at least one core"),
    ("sys/devices/system/cpu/isolated", "2\n", "isolation", "slows", "isolcpus=2-3"),
    ("sys/devices/system/cpu/nohz_full", "-", "ticks", "note", "nohz_full=2-3"),
    ("proc/sys/kernel/nmi_watchdog", "1\n", "nmi-watchdog", "note", "kernel.nmi_watchdog=0"),
    ("sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "2-3\n", "siblings", "slows", "one thread"),
    ("sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "1-2\n", "siblings", "note", "for i in 1;"),
    ("sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "powersave\n", "governor", "slows", "-g performance"),
    ("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n", "turbo", "note", "no_turbo"),
    ("proc/irq/24/effective_affinity_list", "3\n", "interrupts", "note", "irqaffinity="),
    ("proc/77/comm", "irqbalance\n", "irqbalance", "note", "IRQBALANCE_BANNED_CPULIST=2-3"),
    ("sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "0\n", "huge-pages", "stops", "nr_hugepages"),
    ("sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "0\n", "huge-pages", "note", "runs now"),
    ("sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages", "0\n", "huge-pages", "slows", "node0"),
    ("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n", "thp", "note", "echo madvise"),
    ("sys/kernel/mm/ksm/run", "1\n", "ksm", "slows", "ksm/run"),
    ("proc/sys/kernel/numa_balancing", "1\n", "numa-balance", "slows", "numa_balancing=0"),
    ("sys/bus/pci/devices/0000:3b:00.1", "-", "device", "stops", "scripts/bind --status"),
    ("sys/bus/pci/devices/0000:3b:00.1/class", "0x010802\n", "device", "stops", "another device"),
    ("sys/bus/pci/devices/0000:3b:00.1/driver", "-> ../drivers/i40e", "device", "stops", "scripts/bind 0000:3b:00.1"),
    ("sys/bus/pci/devices/0000:3b:00.1/driver", "-", "device", "stops", "scripts/bind 0000:3b:00.1"),
    ("sys/bus/pci/devices/0000:3b:00.1/iommu_group", "-", "iommu", "stops", "intel_iommu=on"),
    ("sys/bus/pci/devices/0000:3b:00.1/current_link_speed", "8.0 GT/s PCIe\n", "slot", "slows", "slot"),
    ("sys/bus/pci/devices/0000:3b:00.1/current_link_width", "4\n", "slot", "slows", "slot"),
    ("sys/bus/pci/devices/0000:3b:00.1/numa_node", "1\n", "numa", "slows", "node1/cpulist"),
    ("run/netns/fabric", "-", "namespace", "stops", "ip netns add fabric"),
];

#[test]
fn every_ill_is_found_by_itself_with_its_cure() {
    for (number, (path, change, check, verdict, cure)) in ILLS.iter().enumerate() {
        // How much memory is needed is known with DPDK only.
        if !cfg!(feature = "dpdk") && path.contains("free_hugepages") {
            continue;
        }
        let machine = Machine::good(&format!("ill{number}"));
        machine.suffer(path, change);
        let (status, findings) = machine.doctor(Some(CONFIGURATION));
        let [[found, how_bad, _, advice]] = findings.as_slice() else { panic!("{path} {change:?}: {findings:?}") };
        assert_eq!((found.as_str(), how_bad.as_str()), (*check, *verdict), "{path} {change:?}: {findings:?}");
        assert!(advice.contains(cure), "{path} {change:?}: {advice}");
        let expected = if *verdict == "stops" {
            1
        } else if *verdict == "slows" {
            3
        } else {
            0
        };
        assert_eq!(status, expected, "{path} {change:?}");
    }
}

#[test]
fn core_0_is_left_to_linux() {
    let machine = Machine::good("core0");
    let (_, findings) = machine.doctor(Some(&CONFIGURATION.replace("cores: 2-3", "cores: [0, 2]")));
    let cure = |check: &str| findings.iter().find(|one| one[0] == check).expect(check)[3].clone();
    assert!(
        cure("isolation").contains("workers: {cores: 2-3}, and boot with isolcpus=2-3 nohz_full=2-3"),
        "{findings:?}"
    );
    assert!(cure("ticks").contains("and boot with nohz_full=2-3 rcu_nocbs=2-3"), "{findings:?}");
    machine.suffer("sys/devices/system/cpu/online", "0\n");
    let (_, findings) = machine.doctor(Some(&CONFIGURATION.replace("cores: 2-3", "cores: [0]")));
    assert!(findings.iter().any(|one| one[3].contains("a second core")), "{findings:?}");
}

#[test]
fn irqbalance_that_leaves_the_workers_alone_is_no_ill() {
    let machine = Machine::good("banned");
    machine.write("proc/77/comm", "irqbalance\n");
    machine.write("proc/77/environ", "LANG=C\0IRQBALANCE_BANNED_CPULIST=2-3\0");
    assert_eq!(machine.doctor(Some(CONFIGURATION)), (0, vec![]));
}

#[test]
fn a_device_without_an_iommu_may_be_wanted() {
    let machine = Machine::good("noiommu");
    machine.suffer("sys/bus/pci/devices/0000:3b:00.1/iommu_group", "-");
    machine.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
    let (status, findings) = machine.doctor(Some(CONFIGURATION));
    assert!(
        status == 0 && findings.len() == 1 && findings[0][0] == "iommu" && findings[0][1] == "note",
        "{findings:?}"
    );
}

#[test]
fn what_the_configuration_asks_for_is_judged() {
    let machine = Machine::good("configuration");
    for (from, to, check, verdict) in [
        ("idle: spin", "idle: sleep", "idle", "slows"),
        ("huge_pages: require", "huge_pages: off", "huge-pages", "slows"),
        ("\"0000:3b:00.1\"", "\"net_af_packet0,iface=eth0\"", "device", "slows"),
        ("buffers: 16383", "buffers: 1048575", "huge-pages", "stops"),
        ("cores: 2-3", "cores: 0-3", "isolation", "slows"),
    ] {
        assert_eq!(CONFIGURATION.matches(from).count(), 1, "{from}");
        if !cfg!(feature = "dpdk") && from.contains("buffers") {
            continue;
        }
        let (_, findings) = machine.doctor(Some(&CONFIGURATION.replace(from, to)));
        assert!(findings.iter().any(|one| one[0] == check && one[1] == verdict), "{to}: {findings:?}");
    }
}

#[test]
fn the_text_fits_and_a_wrong_file_is_refused() {
    let machine = Machine::good("text");
    machine.suffer("sys/devices/system/cpu/isolated", "\n");
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_causeway"));
        command.args(["doctor", "--root"]).arg(&machine.0).args(more).output().expect("the binary starts")
    };
    let output = run(&["--verbose"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("slows  isolation") && text.contains("-> boot with isolcpus="), "{text}");
    assert!(text.contains("good   ksm") && text.ends_with("good: 11\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let refused = run(&["-c", "/nowhere/gateway.yaml"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("/nowhere/gateway.yaml"));
}
