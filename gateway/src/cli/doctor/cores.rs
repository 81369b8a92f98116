//! The cores that workers poll on: theirs alone, awake, and at full speed.

use config::types::{Idle, Model};

use super::findings::Findings;
use super::machine::{Machine, cores, cores_are, ranges};

const CPUS: &str = "/sys/devices/system/cpu";

pub fn look(machine: &Machine, model: Option<&Model>, findings: &mut Findings) {
    let online = machine.list(&format!("{CPUS}/online"));
    let isolated = isolated(machine);
    let Some(model) = model else {
        if isolated.is_empty() {
            findings.slows(
                "isolation",
                "no core is kept free of other work, and where the scheduler puts some, frames wait for it",
                "boot with isolcpus=A-B nohz_full=A-B rcu_nocbs=A-B and name those cores in workers.cores",
            );
        } else {
            findings.good("isolation", format!("{} isolated; name them in workers.cores", cores_are(&isolated)));
        }
        return of_workers(machine, &isolated, findings);
    };
    let workers = &model.workers.cores;
    if !exist(machine, workers, &online, findings) {
        return;
    }
    alone(workers, &online, &isolated, findings);
    if model.workers.idle != Idle::Spin {
        findings.slows(
            "idle",
            "workers sleep between polls: the first frame after a pause waits",
            "workers: {idle: spin}",
        );
    }
    of_workers(machine, workers, findings);
}

/// What holds for the cores on which workers run, or will.
fn of_workers(machine: &Machine, workers: &[u16], findings: &mut Findings) {
    if workers.is_empty() {
        return;
    }
    ticks(machine, workers, findings);
    siblings(machine, workers, findings);
    frequency(machine, workers, findings);
    interrupts(machine, workers, findings);
}

/// Isolated at boot, or since by cpusets.
fn isolated(machine: &Machine) -> Vec<u16> {
    let mut cores = machine.list(&format!("{CPUS}/isolated"));
    cores.extend(machine.list("/sys/fs/cgroup/cpuset.cpus.isolated"));
    cores.sort_unstable();
    cores.dedup();
    cores
}

fn exist(machine: &Machine, workers: &[u16], online: &[u16], findings: &mut Findings) -> bool {
    const CHECK: &str = "cores";
    let absent: Vec<u16> = workers.iter().copied().filter(|core| !online.contains(core)).collect();
    if !absent.is_empty() {
        let (absent, online) = (cores_are(&absent), cores(online));
        findings.stops(
            CHECK,
            format!("{absent} not there, or offline; this machine has {online}"),
            "change workers.cores",
        );
        return false;
    }
    let allowed = machine.own("Cpus_allowed_list").map(|list| crate::run::host::list(&list));
    let closed: Vec<u16> =
        workers.iter().copied().filter(|core| allowed.as_ref().is_some_and(|list| !list.contains(core))).collect();
    match closed.is_empty() {
        true => findings.good(CHECK, format!("workers on {}", ranges(workers))),
        false => findings.note(
            CHECK,
            format!("{} not open to this shell (taskset, cpuset or container)", cores_are(&closed)),
            "see that they are open to the gateway, or change workers.cores",
        ),
    }
    true
}

/// Whether anything else may run on the workers' cores.
fn alone(workers: &[u16], online: &[u16], isolated: &[u16], findings: &mut Findings) {
    const CHECK: &str = "isolation";
    if online.iter().all(|core| workers.contains(core)) {
        findings.slows(
            CHECK,
            "workers have every core: control, the Linux twins and all else take time from them",
            "leave at least one core out of workers.cores",
        );
    }
    let shared: Vec<u16> = workers.iter().copied().filter(|core| !isolated.contains(core)).collect();
    if shared.is_empty() {
        return findings.good(CHECK, format!("{} isolated", cores_are(workers)));
    }
    findings.slows(
        CHECK,
        format!("{} not isolated: the scheduler puts other work there, and frames wait for it", cores_are(&shared)),
        boot_with(&["isolcpus", "nohz_full", "rcu_nocbs"], workers, online),
    );
}

/// How to keep these cores for workers. Core 0 cannot be kept: Linux starts on it, and does its own work there.
fn boot_with(options: &[&str], workers: &[u16], online: &[u16]) -> String {
    let kept: Vec<u16> = workers.iter().copied().filter(|&core| core != 0).collect();
    let words = |cores: &[u16]| {
        let cores = ranges(cores);
        options.iter().map(|option| format!("{option}={cores}")).collect::<Vec<_>>().join(" ")
    };
    match online.iter().rev().find(|core| **core != 0 && !workers.contains(core)) {
        _ if kept.len() == workers.len() => format!("boot with {}", words(&kept)),
        Some(&other) => {
            let cores: Vec<u16> = kept.into_iter().chain([other]).collect();
            format!(
                "leave core 0 to Linux, which starts on it: workers: {{cores: {}}}, and boot with {}",
                ranges(&cores),
                words(&cores)
            )
        }
        None if kept.is_empty() => "give the machine a second core: Linux needs core 0 for itself".into(),
        None => format!("leave core 0 to Linux, which starts on it, and boot with {}", words(&kept)),
    }
}

fn ticks(machine: &Machine, workers: &[u16], findings: &mut Findings) {
    const CHECK: &str = "ticks";
    let quiet = machine.list(&format!("{CPUS}/nohz_full"));
    let ticking: Vec<u16> = workers.iter().copied().filter(|core| !quiet.contains(core)).collect();
    match ticking.is_empty() {
        true => findings.good(CHECK, "no timer interrupts a worker"),
        false => findings.note(
            CHECK,
            format!("the timer interrupts {} some hundred times a second", cores(&ticking)),
            boot_with(&["nohz_full", "rcu_nocbs"], workers, &machine.list(&format!("{CPUS}/online"))),
        ),
    }
    if machine.text("/proc/sys/kernel/nmi_watchdog").is_some_and(|on| on == "1") {
        findings.note(
            "nmi-watchdog",
            "it interrupts every core and takes a performance counter",
            "sysctl kernel.nmi_watchdog=0",
        );
    }
}

/// Two threads of one core share what it can do.
fn siblings(machine: &Machine, workers: &[u16], findings: &mut Findings) {
    const CHECK: &str = "siblings";
    let siblings = |core: u16| {
        let list = machine.list(&format!("{CPUS}/cpu{core}/topology/thread_siblings_list"));
        list.into_iter().filter(move |&other| other != core)
    };
    let pairs: Vec<(u16, u16)> = (workers.iter())
        .flat_map(|&core| siblings(core).map(move |other| (core, other)))
        .filter(|(core, other)| workers.contains(other) && core < other)
        .collect();
    if let Some((one, other)) = pairs.first() {
        let count = pairs.len();
        findings.slows(
            CHECK,
            format!("{count} pairs of workers share a core, such as {one} and {other}: each gets little more than half of it"),
            "use one thread of each core",
        );
        return;
    }
    let mut idle: Vec<u16> = workers.iter().flat_map(|&core| siblings(core)).collect();
    idle.sort_unstable();
    match idle.is_empty() {
        true => findings.good(CHECK, "no worker shares its core"),
        false => findings.note(
            CHECK,
            format!("threads {} share cores with workers, and slow them as soon as they have work", ranges(&idle)),
            format!(
                "isolate them too, or take them offline: for i in {}; do echo 0 > {CPUS}/cpu$i/online; done",
                spaced(&idle)
            ),
        ),
    }
}

fn spaced(cores: &[u16]) -> String {
    cores.iter().map(u16::to_string).collect::<Vec<_>>().join(" ")
}

fn frequency(machine: &Machine, workers: &[u16], findings: &mut Findings) {
    const CHECK: &str = "governor";
    let governor = |core: &u16| machine.text(&format!("{CPUS}/cpu{core}/cpufreq/scaling_governor"));
    let lazy: Vec<u16> = workers
        .iter()
        .copied()
        .filter(|core| governor(core).is_some_and(|governor| governor != "performance"))
        .collect();
    match (lazy.first(), workers.first().and_then(governor)) {
        (Some(first), _) => findings.slows(
            CHECK,
            format!(
                "the governor of {} is {}, which lowers the clock",
                cores(&lazy),
                governor(first).unwrap_or_default()
            ),
            "cpupower frequency-set -g performance",
        ),
        (None, Some(_)) => findings.good(CHECK, "performance"),
        // A virtual machine, or the firmware decides.
        (None, None) => {}
    }
    if machine.text(&format!("{CPUS}/intel_pstate/no_turbo")).is_some_and(|off| off == "1") {
        findings.note(
            "turbo",
            "it is off: cores run at their base clock",
            format!("echo 0 > {CPUS}/intel_pstate/no_turbo"),
        );
    }
}

fn interrupts(machine: &Machine, workers: &[u16], findings: &mut Findings) {
    const CHECK: &str = "interrupts";
    let own = ranges(workers);
    for id in machine.processes("irqbalance") {
        let environment = machine.text(&format!("/proc/{id}/environ")).unwrap_or_default();
        let banned = environment.split('\0').find_map(|entry| entry.strip_prefix("IRQBALANCE_BANNED_CPULIST="));
        let banned = banned.map(crate::run::host::list).unwrap_or_default();
        if !workers.iter().all(|core| banned.contains(core)) {
            findings.note(
                "irqbalance",
                "irqbalance may move interrupts of other devices to the workers' cores (it leaves isolated ones alone)",
                format!("IRQBALANCE_BANNED_CPULIST={own} in /etc/default/irqbalance, then restart it"),
            );
        }
    }
    let on_workers = |irq: &String| {
        let at = machine.list(&format!("/proc/irq/{irq}/effective_affinity_list"));
        at.iter().any(|core| workers.contains(core)) && !machine.names(&format!("/proc/irq/{irq}")).is_empty()
    };
    let count = machine.names("/proc/irq").into_iter().filter(on_workers).count();
    match count {
        0 => findings.good(CHECK, "none goes to a worker's core"),
        count => findings.note(
            CHECK,
            format!("{count} interrupts of devices go to the workers' cores ({own})"),
            "boot with irqaffinity= and the other cores, or write those to /proc/irq/*/smp_affinity_list",
        ),
    }
}
