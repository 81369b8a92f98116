//! Configuration files for the gateway under test.

use crate::lab::Lab;

/// A configuration that grows line by line; the cables are laid as its ports are named.
pub struct Config<'a> {
    lab: &'a Lab,
    workers: String,
    vtep: String,
    ports: String,
    vnis: String,
    memory: String,
    control: String,
}

/// The underlay of most tests: the gateway's addresses on the fabric.
const ADDRESSES: &str = r#"[10.0.0.11/24, "2001:db8::11/64"]"#;

impl<'a> Config<'a> {
    /// One worker, both address families, no port yet.
    pub fn new(lab: &'a Lab) -> Self {
        let vtep = format!(r#"{{source: [10.0.0.11, "2001:db8::11"], namespace: {}}}"#, lab.twin());
        Self {
            lab,
            workers: "{cores: [0], idle: sleep}".into(),
            vtep,
            ports: String::new(),
            vnis: String::new(),
            memory: "{}".into(),
            control: String::new(),
        }
    }

    /// Another `workers:`.
    pub fn workers(mut self, workers: &str) -> Self {
        self.workers = workers.into();
        self
    }

    /// Another `vtep:`.
    pub fn vtep(mut self, vtep: &str) -> Self {
        self.vtep = vtep.into();
        self
    }

    /// The underlay port `up0`, plugged into the fabric, with a Linux twin.
    pub fn fabric(self) -> Self {
        let config = self.port("up0", &format!("mtu: 1600, underlay: {{addresses: {ADDRESSES}}}"));
        config.lab.plug_underlay("up0");
        config
    }

    /// The underlay port `up0` with the test at its far end as the next hop of every VTEP: no kernel takes part.
    pub fn underlay_wire(self, next_hop: &str) -> Self {
        self.port("up0", &format!(r#"mtu: 1600, underlay: {{via: {{mac: "{next_hop}"}}}}"#))
    }

    /// Another `memory:`.
    pub fn memory(mut self, memory: &str) -> Self {
        self.memory = memory.into();
        self
    }

    /// The section `control`, whole lines.
    pub fn control(mut self, control: &str) -> Self {
        self.control = control.into();
        self
    }

    /// A port on a new cable, with what follows its name and device.
    pub fn port(mut self, name: &str, rest: &str) -> Self {
        let device = self.lab.cable(name);
        self.ports += &format!("  - {{name: {name}, device: \"{device}\", {rest}}}\n");
        self
    }

    /// A port on a device of its own making, with what follows its name and device.
    pub fn device(mut self, name: &str, device: &str, rest: &str) -> Self {
        self.ports += &format!("  - {{name: {name}, device: \"{device}\", {rest}}}\n");
        self
    }

    /// A port whose device carries frames of any size: by default this one cuts what is longer than 1,982 bytes.
    pub fn jumbo_port(mut self, name: &str, rest: &str) -> Self {
        self.memory = "{buffer_size: 16384}".into();
        let device = self.lab.cable(name) + ",framesz=16384,blocksz=65536";
        self.ports += &format!("  - {{name: {name}, device: \"{device}\", {rest}}}\n");
        self
    }

    /// A port with these VLANs, such as `{vlan: 10, vni: 5001}`.
    pub fn access(self, name: &str, vlans: &str) -> Self {
        self.port(name, &format!("vlans: [{vlans}]"))
    }

    /// A segment, such as `vni: 5001, flood: {vteps: [10.0.0.12]}`.
    pub fn vni(mut self, fields: &str) -> Self {
        self.vnis += &format!("  - {{{fields}}}\n");
        self
    }

    /// The file.
    pub fn text(&self) -> String {
        let Self { workers, vtep, ports, vnis, memory, control, .. } = self;
        let vnis = if vnis.is_empty() { " []\n".to_owned() } else { format!("\n{vnis}") };
        format!("version: 1\nworkers: {workers}\nvtep: {vtep}\nports:\n{ports}vnis:{vnis}memory: {memory}\n{control}")
    }
}
