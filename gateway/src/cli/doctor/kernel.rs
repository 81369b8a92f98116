//! The processor, its clock, the kernel, and what this user may do.

use config::types::Model;

use super::findings::Findings;
use super::machine::Machine;
use crate::run::host;

/// Clocks that are read without a system call.
const FAST_CLOCKS: [&str; 4] = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];

pub fn look(machine: &Machine, model: Option<&Model>, findings: &mut Findings) {
    rights(machine, model, findings);
    processor(machine, findings);
    clock(machine, findings);
    mitigations(machine, findings);
}

fn rights(machine: &Machine, model: Option<&Model>, findings: &mut Findings) {
    const CHECK: &str = "rights";
    let Some(status) = machine.text("/proc/self/status") else { return };
    let Some(model) = model else { return };
    match host::privileges(model, &status) {
        Ok(()) => findings.good(CHECK, "this user may open the devices"),
        Err(refusal) => findings.note(
            CHECK,
            format!("as this user the gateway would not start: {refusal}"),
            "start it as root or as the service, which has them",
        ),
    }
}

fn processor(machine: &Machine, findings: &mut Findings) {
    const CHECK: &str = "processor";
    let text = machine.text("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.split(':').next().map(str::trim) == Some(name))?;
        Some(line.split_once(':')?.1.trim())
    };
    let Some(flags) = field("flags") else { return };
    let has = |flag: &str| flags.split(' ').any(|other| other == flag);
    let name = field("model name").unwrap_or("unknown");
    match has("sse4_2") && has("popcnt") {
        true => findings.good(CHECK, name),
        false => findings.stops(
            CHECK,
            format!("{name} lacks SSE4.2, which DPDK takes for granted"),
            "use a CPU made after 2010",
        ),
    }
    if has("hypervisor") {
        findings.note(
            "virtual",
            "this is a virtual machine: its host may take a core away at any time, and frames wait meanwhile",
            "pin each vCPU to a core of its own, back the memory with huge pages, and give the NICs by passthrough",
        );
    }
}

fn clock(machine: &Machine, findings: &mut Findings) {
    const CHECK: &str = "clock";
    let Some(clock) = machine.text("/sys/devices/system/clocksource/clocksource0/current_clocksource") else { return };
    match FAST_CLOCKS.contains(&clock.as_str()) {
        true => findings.good(CHECK, format!("clocksource {clock}, read without a system call")),
        false => findings.slows(
            CHECK,
            format!("clocksource {clock}: each reading of the time is a system call, thousands in a second"),
            "'dmesg | grep -i tsc' says why the TSC was left; a firmware update, or 'tsc=reliable' where you trust it",
        ),
    }
}

/// Workers make no system calls, so what the kernel does at its border costs next to nothing; what the CPU itself does
/// against speculation stays, and is not ours to switch off.
fn mitigations(machine: &Machine, findings: &mut Findings) {
    const CHECK: &str = "mitigations";
    const FOLDER: &str = "/sys/devices/system/cpu/vulnerabilities";
    let open =
        |name: &String| machine.text(&format!("{FOLDER}/{name}")).is_some_and(|text| text.starts_with("Vulnerable"));
    let names = machine.names(FOLDER);
    if names.is_empty() {
        return;
    }
    let open: Vec<String> = names.into_iter().filter(open).collect();
    match open.is_empty() {
        true => findings.good(CHECK, "on; workers make no system calls, so they cost next to nothing"),
        false => findings.note(
            CHECK,
            format!("this machine is open to {}", open.join(", ")),
            "switching mitigations off gains workers next to nothing: take 'mitigations=off' away, or update microcode \
             and kernel",
        ),
    }
}
