//! What the machine must offer before a device is touched: privileges and cores. Each refusal is one sentence.

use std::fs;
use std::path::Path;

use config::types::{Api, Model};
use gateway::complain;
use gateway::telemetry::Access;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Capabilities that raw devices and TAPs take, with their bit in /proc/self/status.
const NEEDED: [(&str, u32); 2] = [("CAP_NET_ADMIN", 12), ("CAP_NET_RAW", 13)];
/// What entering a network namespace takes besides.
const FOR_NAMESPACES: (&str, u32) = ("CAP_SYS_ADMIN", 21);

/// Devices of DPDK that are only memory or files.
const HARMLESS: [&str; 4] = ["net_null", "net_ring", "net_memif", "net_pcap"];

/// Checks what `model` asks of this machine.
pub fn check(model: &Model) -> Result<(), String> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    privileges(model, &status)?;
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    cores(model, &online, &status)?;
    namespace(model)
}

/// Descriptors of a gateway with nothing: DPDK's, the socket's and all clients that are let in, files.
const DESCRIPTORS: u64 = 80;
/// What a port takes, and each of its queues.
const OF_A_PORT: u64 = 8;

/// Has as many files open as the process may, and says so where they will not do.
pub fn raise_descriptors(model: &Model) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current < maximum || current.is_some() && maximum.is_none() {
        // What cannot be raised stays.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    let (ports, queues) = (model.ports.len() as u64, model.ports.len() as u64 * model.workers.cores.len() as u64);
    let needed = DESCRIPTORS + OF_A_PORT * ports + 2 * queues;
    if let Some(open) = getrlimit(Resource::Nofile).current.filter(|&open| open < needed) {
        complain!(
            warn,
            "so few files may be open that the start may fail, and clients may wait",
            "raise the limit of open files (LimitNOFILE= of the service, 'ulimit -n')";
            limit = open, needed = needed
        );
    }
}

/// Who may open the socket.
pub fn access(api: &Api) -> Result<Access, String> {
    let group = api.group.as_ref().map(|name| {
        let groups = fs::read_to_string("/etc/group").unwrap_or_default();
        let unknown = || format!("group {name} of api.group does not exist; make it with 'groupadd --system {name}'");
        name.parse().ok().or_else(|| group(&groups, name)).ok_or_else(unknown)
    });
    Ok(Access { group: group.transpose()?, mode: api.mode })
}

/// The number of a group in the text of /etc/group (group(5)).
fn group(groups: &str, name: &str) -> Option<u32> {
    groups.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(name))?.nth(2)?.parse().ok()
}

/// Checks that `status`, the text of /proc/self/status, has the capabilities that `model` takes.
pub fn privileges(model: &Model, status: &str) -> Result<(), String> {
    let held = field(status, "CapEff").and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(u64::MAX);
    let for_namespace = model.vtep.namespace.as_ref().map(|_| FOR_NAMESPACES);
    let lacking: Vec<&str> =
        NEEDED.into_iter().chain(for_namespace).filter(|(_, bit)| held >> bit & 1 == 0).map(|(name, _)| name).collect();
    match model.ports.iter().find(|port| is_privileged(port)) {
        Some(port) if !lacking.is_empty() => Err(format!(
            "port {} needs {}, which this process lacks; run as root, or give the service these capabilities",
            port.name,
            lacking.join(" and ")
        )),
        _ => Ok(()),
    }
}

fn is_privileged(port: &config::types::Port) -> bool {
    let harmless = HARMLESS.iter().any(|name| port.device.starts_with(name)) && !port.device.contains("iface=");
    !harmless || port.underlay.as_ref().is_some_and(|underlay| underlay.twin.is_some())
}

fn cores(model: &Model, online: &str, status: &str) -> Result<(), String> {
    let present = list(online);
    let allowed = field(status, "Cpus_allowed_list").map(list);
    for core in &model.workers.cores {
        if !present.is_empty() && !present.contains(core) {
            return Err(format!(
                "core {core} does not exist; this machine has cores {}: change workers.cores",
                online.trim()
            ));
        }
        if allowed.as_ref().is_some_and(|allowed| !allowed.contains(core)) {
            return Err(format!(
                "core {core} is not open to this process (taskset, cpuset or container), which may use {}; change \
                 workers.cores or the limit",
                field(status, "Cpus_allowed_list").unwrap_or_default()
            ));
        }
    }
    Ok(())
}

fn namespace(model: &Model) -> Result<(), String> {
    let Some(name) = &model.vtep.namespace else { return Ok(()) };
    let path = if name.contains('/') { Path::new(name).to_owned() } else { Path::new("/run/netns").join(name) };
    match path.exists() {
        true => Ok(()),
        false => Err(format!("network namespace {name} does not exist; make it with 'ip netns add {name}'")),
    }
}

/// A field of /proc/self/status.
pub fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Numbers written like `0-3,8`.
pub fn list(text: &str) -> Vec<u16> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_cores_is_read() {
        assert_eq!(list("0-3,8\n"), [0, 1, 2, 3, 8]);
        assert_eq!(list(""), [0u16; 0]);
    }

    #[test]
    fn a_group_is_found() {
        let groups = "root:x:0:\nadmin:x:\ncauseway:x:993:ann,bob\n";
        assert_eq!(group(groups, "causeway"), Some(993));
        assert_eq!(group(groups, "admin"), None, "a broken line");
        assert_eq!(group(groups, "cause"), None);
    }

    #[test]
    fn a_field_is_found() {
        let status = "Name:\tx\nCapEff:\t00000000a80425fb\nCpus_allowed_list:\t0-1\n";
        assert_eq!(field(status, "CapEff"), Some("00000000a80425fb"));
        assert_eq!(field(status, "Cap"), None);
    }
}
