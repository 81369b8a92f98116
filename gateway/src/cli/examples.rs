//! What is said below the help of each `causeway show`.

pub const PORTS: &str = r#"Examples:
  causeway show ports
  causeway show ports --port srv1          all about one: addresses, VLANs and their VNIs, bytes
  causeway show ports --watch 1"#;

pub const VNIS: &str = r#"Examples:
  causeway show vnis
  causeway show vnis --vni servers         all about one: ports, VTEPs, limits, bytes"#;

pub const VTEPS: &str = r#"Examples:
  causeway show vteps
  causeway show vteps --vtep 10.0.0.12     all about one: next hops, what it sends, its VNIs
  causeway show vteps --json | jq '.[] | select(.state != "up") | .vtep'"#;

pub const LINKS: &str = r#"Examples:
  causeway show links
  causeway show links --json | jq '.[] | {port, rx_missed, rx_errors}'"#;

pub const NEXT_HOPS: &str = r#"Examples:
  causeway show next-hops
  causeway show next-hops --watch"#;

pub const CONFIG: &str = r#"Example:
  causeway show config > running.yaml && causeway check running.yaml"#;

pub const HEALTH: &str = r#"Examples:
  causeway show health
  causeway show health > /dev/null || echo 'look at the gateway'"#;

pub const VERSION: &str = r#"Examples:
  causeway show version
  causeway show version --json | jq .uptime"#;

pub const WORKERS: &str = r#"Examples:
  causeway show workers
  causeway show workers --watch 1"#;

pub const NEIGHBOURS: &str = r#"Examples:
  causeway show neighbours
  causeway show neighbours --vni servers"#;

pub const RULES: &str = r#"Examples:
  causeway show rules
  causeway show rules --watch              which rule do frames hit?"#;

pub const CONTROLLERS: &str = r#"Examples:
  causeway show controllers
  causeway show controllers --json | jq '.[].rejected'"#;

pub const FDB: &str = "\
Examples:
  causeway show fdb --vni 10010
  causeway show fdb --mac 02:00:00:00:00:05
  causeway show fdb --port srv1 --limit 0
  causeway show fdb --vni 10010 --origin learned --count";

pub const DROPS: &str = "\
Examples:
  causeway show drops
  causeway show drops --last 3                     and the frames dropped last, decoded
  causeway show drops --vni 10010 --json
  causeway show drops --reason unknown-vlan --last 16 --port srv1

Every drop is counted by port and reason. By VNI and VTEP are counted those whose frame still told which. Of each reason a
worker keeps at most four frames a millisecond and the last 16 between two looks a second apart, so --last shows a sample
when much is dropped. 'causeway trace --drop' shows all from now on.";
