//! The pages `docs/metrics.md` and `docs/drops.md`, from the code.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::families;
use crate::verdict::DropReason;

const METRICS: &str = "\
# Metrics

*Made from the code; `CAUSEWAY_PUBLISH=1 cargo test --test metrics` writes it anew.*

With

```yaml
metrics: {listen: 127.0.0.1:9860}
```

the gateway shows its metrics at `http://127.0.0.1:9860/metrics`, as OpenMetrics 1.0 to who asks for it (Prometheus does)
and else in the older text format. It is off by default. Whoever reaches the address may read names, addresses and
counters, so keep it on the loopback or on a management network. It moves when the configuration is read again; when the
address cannot be had, the gateway says so, forwards all the same, and tries again.

```yaml
scrape_configs:
  - job_name: causeway
    static_configs: [{targets: [\"127.0.0.1:9860\"]}]
```

[grafana.json](grafana.json) is a dashboard of them.

Ports, VLANs of ports, VNIs, VTEPs and rules of access lists have series of their own up to `metrics.limit` of each (1000
by default); `causeway_metrics_left_out` says how many have none. A VLAN has {VLANs of ports} series, a VNI {VNIs} and a
VTEP {VTEPs}, and a VNI and a VTEP one more for each reason for which their frames were dropped; a port has {Ports} and one
for each reason there is; a worker has some 45. Each scrape asks the workers for their counters, as `causeway show` does;
forwarding does not wait for it. At most 8 clients are served at once, each for at most 10 seconds.

Counters start at 0 with the gateway, or where they were when it keeps its state, and again when an operator clears them; a
VNI's or VTEP's own start at 0 when it comes. Prometheus takes both for what they are.
";

const TELEMETRY: &str = "
## DPDK's telemetry

DPDK's own socket works as well: `dpdk-telemetry.py -f PREFIX`, where PREFIX is `memory.file_prefix` or `causeway-PID`.
Beside `/ethdev/stats` and its like there are `/causeway/ports`, `/causeway/port,NAME`, `/causeway/vnis`,
`/causeway/vni,NAME`, `/causeway/vteps`, `/causeway/vtep,ADDRESS`, `/causeway/workers`, `/causeway/worker,CORE` and
`/causeway/drops` (hyphens in names of reasons are underscores there); a list has at most 255 entries.

`dpdk-dumpcap` and `dpdk-pdump` are secondary processes, which must share the gateway's memory. By default it shares none, and
they refuse to start: use `causeway trace`, which also names what became of each frame. With
`memory: {huge_pages: require, shared: true}` and a hugetlbfs (`mount -t hugetlbfs nodev /dev/hugepages`) they work:

    dpdk-dumpcap --file-prefix=causeway-PID -D                                       # the ports, by DPDK's names
    dpdk-dumpcap --file-prefix=causeway-PID -i net_af_packet1 -f icmp -w file.pcapng

This has its price: DPDK counts either threads or processes of others, so workers go without their caches of buffers and are
slower, and after SIGKILL the pages stay taken until the next gateway starts. `dpdk-dumpcap` must be of the DPDK that the
gateway runs with (`causeway show version`). It has been seen with `net_af_packet`.
";

/// The page on metrics.
pub fn reference() -> String {
    let mut series = BTreeMap::<_, usize>::new();
    families::each(|family| *series.entry(family.title).or_default() += 1);
    let filled =
        |text: String, (title, count): (&&str, &usize)| text.replace(&format!("{{{title}}}"), &count.to_string());
    let mut page = series.iter().fold(METRICS.to_owned(), filled);
    let mut title = "";
    families::each(|family| {
        if family.title != title {
            title = family.title;
            let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
            let common = if family.kind == "info" { &labels[..labels.len().min(1)] } else { &labels[..] };
            let by = if title == "The gateway" || common.is_empty() {
                String::new()
            } else {
                format!("By {}.\n\n", common.join(", "))
            };
            _ = write!(page, "\n## {title}\n\n{by}| Metric | Kind | Meaning |\n|---|---|---|\n");
        }
        let more = match family.kind {
            "info" => {
                let names: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
                format!(" Labels: {}.", names.join(", "))
            }
            _ => String::new(),
        };
        let name = if family.kind == "histogram" { family.name.clone() } else { family.samples().remove(0) };
        _ = writeln!(page, "| `{name}` | {} | {}{more} |", family.kind, family.help);
    });
    page + TELEMETRY
}

const DROPS: &str = "\
# Why frames are dropped

*Made from the code; `CAUSEWAY_PUBLISH=1 cargo test --test metrics` writes it anew.*

Every frame that the gateway drops has one of these reasons. `causeway show drops` counts them, with their meaning and what
to do; metrics have them as `causeway_dropped_frames_total{reason=\"…\"}`, by port, by VNI and by VTEP.

What a device loses before the gateway sees it has no reason here: see `causeway_port_device_missed_frames_total` and its
neighbours in [metrics.md](metrics.md).

| Reason | What happened | What to do |
|---|---|---|
";

/// The page on reasons for drops.
pub fn drops() -> String {
    let mut page = DROPS.to_owned();
    for reason in DropReason::ALL {
        let (meaning, cure) = (reason.meaning().trim().replace('|', "\\|"), reason.cure().replace('|', "\\|"));
        _ = writeln!(page, "| `{}` | {meaning} | {cure} |", reason.label());
    }
    page
}
